/* SPDX-License-Identifier: MIT */
/* What all share: version, sizes of options, the fatal hook, fatal uses of loops and posts. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static void version_is_the_headers(void)
{
	char version[32];

	snprintf(version, sizeof(version), "%d.%d.%d", TERN_VERSION_MAJOR, TERN_VERSION_MINOR,
		 TERN_VERSION_PATCH);
	ck_assert_str_eq(tern_version(), version);
}

static void hook(const char *message)
{
}

static void the_hook_before_comes_back(void)
{
	tern_fatal_fn *own = tern_set_fatal(hook);

	ck_assert(own != NULL);
	ck_assert(tern_set_fatal(NULL) == hook);
	ck_assert(tern_set_fatal(hook) == own);
}

/* Else an emulator that runs these tests would add a line of its own. */
static void close_stderr(int signal)
{
	close(STDERR_FILENO);
}

/* What a child writes to stderr before it dies by SIGABRT. */
static void the_own_hook_writes_one_line(void)
{
	struct tern_loop *loop = loop_new();
	char line[512], item[32];
	int ends[2], status;
	ssize_t n;
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		signal(SIGABRT, close_stderr);
		tern_loop_after_fork(loop);
		tern_loop_hold(loop);
		tern_loop_destroy(loop);
		_exit(0);
	}
	close(ends[1]);
	n = read(ends[0], line, sizeof(line) - 1);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	snprintf(item, sizeof(item), "%p", (void *)loop);
	ck_assert_ptr_nonnull(strstr(line, "tern_loop_destroy"));
	ck_assert_ptr_nonnull(strstr(line, item));
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	tern_loop_destroy(loop);
}

/* An options struct of a program built with another version of the headers. */
struct longer {
	union {
		size_t size;
		struct tern_loop_opts loop;
		struct tern_pool_opts pool;
		struct tern_loop_binding binding;
	};
	char tail[24];
};

static int create_loop(struct longer *opts)
{
	struct tern_loop *loop = (void *)opts;
	int e = tern_loop_create(&loop, &opts->loop);

	if (e)
		ck_assert_ptr_eq(loop, opts);
	else
		tern_loop_destroy(loop);
	return e;
}

static int create_pool(struct longer *opts)
{
	struct tern_pool *pool = (void *)opts;
	int e = tern_pool_create(&pool, &opts->pool);

	if (e)
		ck_assert_ptr_eq(pool, opts);
	else
		tern_pool_destroy(pool);
	return e;
}

static int bind_loop(struct longer *binding)
{
	struct tern_loop *loop = loop_new();
	int e = tern_loop_bind(loop, &binding->binding, NULL);

	tern_loop_destroy(loop);
	return e;
}

static void sizes_of_other_versions(void)
{
	static int (*const takers[])(struct longer *) = {create_loop, create_pool, bind_loop};

	for (size_t i = 0; i < COUNT(takers); i++) {
		struct longer opts = {.size = sizeof(opts)};

		ck_assert_int_eq(takers[i](&opts), 0);
		opts.tail[sizeof(opts.tail) - 1] = 1;
		ck_assert_int_eq(takers[i](&opts), -E2BIG);
		opts.size = sizeof(opts) - 1;
		ck_assert_int_eq(takers[i](&opts), 0);
		opts.size = sizeof(size_t);
		ck_assert_int_eq(takers[i](&opts), 0);
		opts.size = sizeof(size_t) - 1;
		ck_assert_int_eq(takers[i](&opts), -EINVAL);
		opts.size = 0;
		ck_assert_int_eq(takers[i](&opts), -EINVAL);
	}
}

static void bad_loop_options(void)
{
	static const struct tern_loop_opts bad[] = {
		{.batch_max = TERN_NONE},  {.batch_max = TERN_FOREVER},
		{.spin_us_max = 1001},	   {.spin_us_max = TERN_FOREVER},
		{.coalesce_us_max = 1001}, {.coalesce_us_max = TERN_FOREVER},
	};
	static const struct tern_loop_opts good[] = {
		{.batch_max = 1},
		{.spin_us_max = 1000},
		{.spin_us_max = TERN_NONE},
		{.coalesce_us_max = 1000},
		{.coalesce_us_max = TERN_NONE},
	};
	struct tern_loop *loop = NULL;

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct tern_loop_opts opts = bad[i];

		opts.size = sizeof(opts);
		ck_assert_int_eq(tern_loop_create(&loop, &opts), -EINVAL);
		ck_assert_ptr_null(loop);
	}
	for (size_t i = 0; i < COUNT(good); i++) {
		struct tern_loop_opts opts = good[i];

		opts.size = sizeof(opts);
		ck_assert_int_eq(tern_loop_create(&loop, &opts), 0);
		tern_loop_destroy(loop);
		loop = NULL;
	}
}

static void no_descriptor_no_loop(void)
{
	struct rlimit before, none = {0, 0};
	struct tern_loop *loop = NULL;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(tern_loop_create(&loop, NULL), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_ptr_null(loop);
}

/* The binding is told on and off in turn, on first. */
struct told {
	unsigned on, off, destroyed;
};

static void told_alive(void *user, bool on)
{
	struct told *told = user;

	ck_assert_uint_eq(told->on - told->off, !on);
	if (on)
		told->on++;
	else
		told->off++;
}

static void told_destroy(void *user)
{
	struct told *told = user;

	ck_assert_uint_eq(told->on, told->off);
	told->destroyed++;
}

static void timer_rang(struct tern_timer *timer)
{
}

static void a_binding_is_told_in_turn(void)
{
	const struct tern_loop_binding binding = {sizeof(binding), told_alive, told_destroy};
	struct tern_loop *loop = loop_new();
	struct tern_timer timer;
	struct told told = {0};

	ck_assert_int_eq(tern_loop_bind(loop, NULL, &told), -EINVAL);
	ck_assert_int_eq(tern_loop_bind(loop, &binding, &told), 0);
	ck_assert_int_eq(tern_loop_bind(loop, &binding, &told), -EBUSY);
	tern_timer_init(&timer, timer_rang);
	tern_timer_start(loop, &timer, 0);
	ck_assert_uint_eq(told.on, 1);
	tern_timer_start(loop, &timer, 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(told.off, 1);
	tern_loop_hold(loop);
	tern_loop_hold(loop);
	tern_loop_release(loop);
	tern_loop_prepare(loop);
	ck_assert_uint_eq(told.off, 1);
	tern_loop_release(loop);
	tern_loop_prepare(loop);
	ck_assert_uint_eq(told.on, 2);
	ck_assert_uint_eq(told.off, 2);
	/* nothing is left, but no turn comes to notice: destroy must */
	tern_timer_start(loop, &timer, 0);
	ck_assert(tern_timer_stop(&timer));
	tern_loop_destroy(loop);
	ck_assert_uint_eq(told.destroyed, 1);
}

static struct tern_loop *bound_elsewhere;

static void *bind_here(void *arg)
{
	tern_loop_prepare(bound_elsewhere);
	return NULL;
}

static void wrong_thread(const char *call)
{
	bound_elsewhere = loop_new();
	thread_join(thread_new(bind_here, NULL));
	expect_fatal(call, bound_elsewhere);
}

static void fatal_prepare(void)
{
	wrong_thread("tern_loop_prepare");
	tern_loop_prepare(bound_elsewhere);
}

static void fatal_dispatch(void)
{
	wrong_thread("tern_loop_dispatch");
	tern_loop_dispatch(bound_elsewhere, 0);
}

static void fatal_run(void)
{
	wrong_thread("tern_loop");
	tern_loop_run(bound_elsewhere);
}

static void fatal_flush(void)
{
	wrong_thread("tern_loop_flush");
	tern_loop_flush(bound_elsewhere);
}

static void fatal_alive(void)
{
	wrong_thread("tern_loop_alive");
	tern_loop_alive(bound_elsewhere);
}

static void fatal_timer_start(void)
{
	struct tern_timer timer;

	tern_timer_init(&timer, timer_rang);
	wrong_thread("tern_timer_start");
	tern_timer_start(bound_elsewhere, &timer, 0);
}

static void *arm_here(void *arg)
{
	tern_loop_prepare(bound_elsewhere);
	tern_timer_start(bound_elsewhere, arg, 0);
	return NULL;
}

static void fatal_timer_stop(void)
{
	struct tern_timer timer;

	tern_timer_init(&timer, timer_rang);
	bound_elsewhere = loop_new();
	thread_join(thread_new(arm_here, &timer));
	expect_fatal("tern_timer_stop", bound_elsewhere);
	tern_timer_stop(&timer);
}

static void a_loop_is_bound_where_it_runs(void)
{
	bound_elsewhere = loop_new();
	thread_join(thread_new(bind_here, NULL));
	tern_loop_destroy(bound_elsewhere);
}

static void fatal_destroy_while_held(void)
{
	struct tern_loop *loop = loop_new();

	tern_loop_hold(loop);
	expect_fatal("tern_loop_destroy", loop);
	tern_loop_destroy(loop);
}

static void destroy_user(struct tern_post *post)
{
	tern_loop_destroy(post->user);
}

static void fatal_destroy_in_dispatch(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_post post;

	tern_post_init(&post, destroy_user);
	post.user = loop;
	tern_loop_post(loop, &post);
	expect_fatal("tern_loop_destroy", loop);
	tern_loop_dispatch(loop, 0);
}

static struct tern_timer armed_late;

static void arm_user(struct tern_post *post)
{
	tern_timer_start(post->user, &armed_late, 1);
}

static void fatal_destroy_when_a_last_post_arms(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_post post;

	tern_timer_init(&armed_late, timer_rang);
	tern_post_init(&post, arm_user);
	post.user = loop;
	tern_loop_post(loop, &post);
	expect_fatal("tern_loop_destroy", &armed_late);
	tern_loop_destroy(loop);
}

static void ignore_post(struct tern_post *post)
{
}

static void fatal_double_post(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_post post;

	tern_post_init(&post, ignore_post);
	tern_loop_post(loop, &post);
	expect_fatal("tern_loop_post", &post);
	tern_loop_post(loop, &post);
}

static void fatal_post_without_function(void)
{
	struct tern_post post;

	tern_post_init(&post, NULL);
	expect_fatal("tern_loop_post", &post);
	tern_loop_post(loop_new(), &post);
}

static const struct test tests[] = {
	{"the version is the headers'", version_is_the_headers},
	{"the hook before comes back", the_hook_before_comes_back},
	{"the library's own hook writes one line", the_own_hook_writes_one_line},
	{"sizes of other versions", sizes_of_other_versions},
	{"bad loop options", bad_loop_options},
	{"no descriptor, no loop", no_descriptor_no_loop},
	{"a binding is told in turn, to the end", a_binding_is_told_in_turn},
	{"a loop is bound where it runs", a_loop_is_bound_where_it_runs},
	{"fatal: prepare in the wrong thread", fatal_prepare},
	{"fatal: dispatch in the wrong thread", fatal_dispatch},
	{"fatal: run in the wrong thread", fatal_run},
	{"fatal: flush in the wrong thread", fatal_flush},
	{"fatal: alive in the wrong thread", fatal_alive},
	{"fatal: timer started in the wrong thread", fatal_timer_start},
	{"fatal: timer stopped in the wrong thread", fatal_timer_stop},
	{"fatal: loop destroyed while held", fatal_destroy_while_held},
	{"fatal: loop destroyed in its dispatch", fatal_destroy_in_dispatch},
	{"fatal: loop destroyed and its last post arms a timer",
	 fatal_destroy_when_a_last_post_arms},
	{"fatal: post on its way", fatal_double_post},
	{"fatal: post without function", fatal_post_without_function},
};

int main(int argc, char **argv)
{
	return run_tests("base", tests, COUNT(tests), argc, argv);
}
