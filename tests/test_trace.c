/* SPDX-License-Identifier: MIT */
/* Traces: whatever happens meanwhile, a file that is whole, and a program that does not wait. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forking.h"
#include "harness.h"

#define ITEMS 100

static char folder[] = "/tmp/tern-trace-XXXXXX";
static char paths[3][64];

static void make_paths(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	for (size_t i = 0; i < COUNT(paths); i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%zu", folder, i);
}

static void remove_paths(void)
{
	for (size_t i = 0; i < COUNT(paths); i++)
		unlink(paths[i]);
	ck_assert_int_eq(rmdir(folder), 0);
}

static char *contents(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t room = 1 << 26, n;
	char *text = malloc(room);

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(text);
	n = fread(text, 1, room - 1, f);
	ck_assert_uint_lt(n, room - 1);
	text[n] = '\0';
	fclose(f);
	return text;
}

static unsigned occurrences(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* The last number of lost events. */
static unsigned long lost_in(const char *text)
{
	static const char key[] = "\"args\":{\"events\":";
	const char *last = NULL;

	for (; (text = strstr(text, key)); text += sizeof(key) - 1)
		last = text + sizeof(key) - 1;
	ck_assert_ptr_nonnull(last);
	return strtoul(last, NULL, 10);
}

/* A whole file; returns how many runs it shows. */
static unsigned runs_in(const char *path)
{
	char *text = contents(path);
	size_t n = strlen(text);
	unsigned runs = occurrences(text, "\"wait_us\":");

	ck_assert_int_eq(strncmp(text, "{\"", 2), 0);
	ck_assert_uint_gt(n, 6);
	ck_assert_str_eq(text + n - 5, "}\n]}\n");
	/* a line each */
	ck_assert_uint_eq(occurrences(text, "\n"), occurrences(text, "\"ph\":") + 2);
	ck_assert_uint_eq(lost_in(text), 0);
	free(text);
	return runs;
}

static void run_items(struct tern_loop *loop, struct tern_pool *pool, unsigned n)
{
	struct job *jobs = calloc(n, sizeof(*jobs));

	for (unsigned i = 0; i < n; i++) {
		job_init(&jobs[i]);
		tern_pool_submit(pool, loop, &jobs[i].work);
	}
	ck_assert_int_eq(tern_loop_run(loop), 0);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(jobs[i].dones, 1);
		ck_assert_int_eq(jobs[i].status, 0);
	}
	free(jobs);
}

static void from_start_to_stop(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 2);

	make_paths();
	run_items(loop, pool, ITEMS);
	for (unsigned i = 0; i < COUNT(paths); i++) {
		ck_assert_int_eq(tern_trace_start(paths[i]), 0);
		run_items(loop, pool, ITEMS + i);
		tern_trace_stop();
		run_items(loop, pool, ITEMS);
		ck_assert_uint_eq(runs_in(paths[i]), ITEMS + i);
	}
	/* what was there is replaced */
	ck_assert_int_eq(tern_trace_start(paths[2]), 0);
	tern_trace_stop();
	ck_assert_uint_eq(runs_in(paths[2]), 0);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	remove_paths();
}

static void one_at_a_time(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 2);

	make_paths();
	tern_trace_stop();
	ck_assert_int_eq(tern_trace_start(paths[0]), 0);
	run_items(loop, pool, ITEMS);
	ck_assert_int_eq(tern_trace_start(paths[1]), -EBUSY);
	ck_assert_int_eq(access(paths[1], F_OK), -1);
	ck_assert_int_eq(tern_trace_start(paths[0]), -EBUSY);
	run_items(loop, pool, ITEMS);
	tern_trace_stop();
	tern_trace_stop();
	ck_assert_uint_eq(runs_in(paths[0]), 2 * ITEMS);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	remove_paths();
}

static void a_path_that_cannot_be_written(void)
{
	char missing[80];

	make_paths();
	snprintf(missing, sizeof(missing), "%s/missing/trace", folder);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(tern_trace_start(missing), -ENOENT);
		ck_assert_int_eq(tern_trace_start(folder), -EISDIR);
		ck_assert_int_eq(tern_trace_start(""), -ENOENT);
	}
	tern_trace_stop();
	ck_assert_int_eq(tern_trace_start(paths[0]), 0);
	tern_trace_stop();
	ck_assert_uint_eq(runs_in(paths[0]), 0);
	remove_paths();
}

/* Threads of pools that end, and of the program's. */
static void *run_some_items(void *arg)
{
	struct tern_loop *loop = loop_new();

	run_items(loop, arg, ITEMS);
	tern_loop_destroy(loop);
	return NULL;
}

static void who_ends_loses_nothing(void)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .threads_min = TERN_NONE,
					    .threads_max = 4,
					    .idle_ms_max = TERN_NONE};

	make_paths();
	ck_assert_int_eq(tern_trace_start(paths[0]), 0);
	for (unsigned i = 0; i < 20; i++) {
		struct tern_pool *pool;
		pthread_t threads[3];

		ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
		for (size_t t = 0; t < COUNT(threads); t++)
			threads[t] = thread_new(run_some_items, pool);
		for (size_t t = 0; t < COUNT(threads); t++)
			thread_join(threads[t]);
		tern_pool_destroy(pool);
	}
	tern_trace_stop();
	ck_assert_uint_eq(runs_in(paths[0]), 20 * 3 * ITEMS);
	remove_paths();
}

/* Loops and a pool that never rest. */
struct crowd {
	struct tern_pool *pool;
	unsigned rounds, stop;
};

static void *run_until_told(void *arg)
{
	struct crowd *crowd = arg;
	struct tern_loop *loop = loop_new();

	while (!atomic_get(&crowd->stop)) {
		run_items(loop, crowd->pool, ITEMS);
		atomic_bump(&crowd->rounds);
	}
	tern_loop_destroy(loop);
	return NULL;
}

static void await_rounds(struct crowd *crowd, unsigned n)
{
	unsigned until = atomic_get(&crowd->rounds) + n;

	while (atomic_get(&crowd->rounds) < until)
		sched_yield();
}

static void *start_and_stop(void *arg)
{
	for (unsigned i = 0; i < scaled(50); i++) {
		int e = tern_trace_start(arg);

		ck_assert(!e || e == -EBUSY);
		if (!e)
			tern_trace_stop();
		else
			sched_yield();
	}
	return NULL;
}

static void under_load(void)
{
	struct crowd crowd = {.pool = pool_new(1, 3)};
	pthread_t threads[3], starters[2];

	make_paths();
	for (size_t i = 0; i < COUNT(threads); i++)
		threads[i] = thread_new(run_until_told, &crowd);
	for (unsigned i = 0; i < scaled(10); i++) {
		char *text;

		ck_assert_int_eq(tern_trace_start(paths[0]), 0);
		await_rounds(&crowd, 5);
		tern_trace_stop();
		text = contents(paths[0]);
		ck_assert_int_eq(strncmp(text, "{\"", 2), 0);
		ck_assert_str_eq(text + strlen(text) - 5, "}\n]}\n");
		if (!lost_in(text))
			ck_assert_uint_gt(occurrences(text, "\"wait_us\":"), ITEMS);
		free(text);
	}
	/* nor does it matter who stops */
	for (size_t i = 0; i < COUNT(starters); i++)
		starters[i] = thread_new(start_and_stop, paths[1]);
	for (size_t i = 0; i < COUNT(starters); i++)
		thread_join(starters[i]);
	tern_trace_stop();
	atomic_bump(&crowd.stop);
	for (size_t i = 0; i < COUNT(threads); i++)
		thread_join(threads[i]);
	tern_pool_destroy(crowd.pool);
	remove_paths();
}

static void destroyed_while_traced(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(2, 2);

	make_paths();
	ck_assert_int_eq(tern_trace_start(paths[0]), 0);
	run_items(loop, pool, ITEMS);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	tern_trace_stop();
	ck_assert_uint_eq(runs_in(paths[0]), ITEMS);
	remove_paths();
}

static void *read_all(void *fd)
{
	char buffer[4096];

	while (read(*(int *)fd, buffer, sizeof(buffer)) > 0)
		;
	return NULL;
}

/* Into a pipe that nobody empties, then nobody has open. */
static void nobody_waits_for_the_file(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 2);
	pthread_t reader;
	int fd;

	make_paths();
	ck_assert_int_eq(mkfifo(paths[0], 0600), 0);
	for (unsigned late = 0; late < 2; late++) {
		fd = open(paths[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(tern_trace_start(paths[0]), 0);
		run_items(loop, pool, 20000);
		if (late) {
			ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
			reader = thread_new(read_all, &fd);
		} else {
			close(fd);
		}
		tern_trace_stop();
		if (late) {
			thread_join(reader);
			close(fd);
		}
	}
	run_items(loop, pool, ITEMS);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	remove_paths();
}

static void *copy_out(void *fd)
{
	char buffer[4096];
	FILE *copy = fopen(paths[1], "w");
	ssize_t n;

	while ((n = read(*(int *)fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, (size_t)n, copy);
	fclose(copy);
	return NULL;
}

static void what_was_left_out_is_counted(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	pthread_t reader;
	char *text;
	int fd;

	make_paths();
	ck_assert_int_eq(mkfifo(paths[0], 0600), 0);
	fd = open(paths[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tern_trace_start(paths[0]), 0);
	run_items(loop, pool, 20000);
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	reader = thread_new(copy_out, &fd);
	tern_trace_stop();
	thread_join(reader);
	close(fd);
	text = contents(paths[1]);
	/* a submit, a run and a done each, and at least one batch and some threads' starts */
	ck_assert_uint_gt(occurrences(text, "\"ph\":\"X\"") - occurrences(text, "\"loop\":") +
				  lost_in(text),
			  3 * 20000 - 1);
	ck_assert_uint_gt(lost_in(text), 0);
	ck_assert_str_eq(text + strlen(text) - 5, "}\n]}\n");
	free(text);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	remove_paths();
}

static void a_full_disk_harms_nobody(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 2);

	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(tern_trace_start("/dev/full"), 0);
		run_items(loop, pool, 10000);
		tern_trace_stop();
	}
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

/* More at once than there are tracks for: all of them are held when the last ones come. */
#define MANY 530

struct many {
	struct tern_pool *pool;
	struct latch all;
	struct tern_work work[MANY];
	unsigned next;
};

static void *submit_and_stay(void *arg)
{
	struct many *many = arg;
	struct tern_work *work = &many->work[atomic_bump(&many->next) - 1];

	tern_work_init(work, run_nothing, NULL);
	tern_pool_submit(many->pool, NULL, work);
	latch_arrive(&many->all);
	latch_wait(&many->all);
	return NULL;
}

static void more_threads_than_there_is_room_for(void)
{
	struct many *many;
	pthread_t threads[MANY];
	struct tern_pool *pool;
	char *text;

	if (scaled(20) == 1)
		return; /* valgrind has no more than 500 threads */
	make_paths();
	many = calloc(1, sizeof(*many));
	latch_init(&many->all, MANY);
	many->pool = pool_new(1, 1);
	ck_assert_int_eq(tern_trace_start(paths[0]), 0);
	for (unsigned i = 0; i < MANY; i++)
		threads[i] = thread_new(submit_and_stay, many);
	for (unsigned i = 0; i < MANY; i++)
		thread_join(threads[i]);
	tern_pool_destroy(many->pool);
	tern_trace_stop();
	text = contents(paths[0]);
	ck_assert_uint_ge(lost_in(text), MANY - 512);
	/* each submit and each run, and that the worker starts, and stops */
	ck_assert_uint_eq(occurrences(text, "\"ph\":\"X\"") + occurrences(text, "\"ph\":\"i\"") +
				  lost_in(text),
			  2 * MANY + 1 + occurrences(text, "thread start"));
	free(text);
	free(many);
	/* the next one has room again */
	ck_assert_int_eq(tern_trace_start(paths[0]), 0);
	pool = pool_new(1, 1);
	run_some_items(pool);
	tern_pool_destroy(pool);
	tern_trace_stop();
	ck_assert_uint_eq(runs_in(paths[0]), ITEMS);
	remove_paths();
}

/* Until the trace's thread has written, which is after it has started. */
static void await_first_line(void)
{
	struct stat st = {0};

	while (!st.st_size) {
		sched_yield();
		ck_assert_int_eq(stat(paths[0], &st), 0);
	}
}

/* The child has no trace, and can make one of its own. No thread starts while it is forked: it
 * frees what the parent had, see MEMORY_IN_CHILD. */
static void a_fork_has_no_trace(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	pid_t child;

	make_paths();
	ck_assert_int_eq(tern_trace_start(paths[0]), 0);
	run_items(loop, pool, ITEMS);
	await_first_line();
	child = fork_child();
	if (!child) {
		tern_trace_stop();
		if (THREADS_IN_CHILD) {
			MUST(!tern_trace_start(paths[1]));
			tern_trace_stop();
		}
		_exit(EXIT_SUCCESS);
	}
	reap(child);
	run_items(loop, pool, ITEMS);
	tern_trace_stop();
	ck_assert_uint_eq(runs_in(paths[0]), 2 * ITEMS);
	if (!access(paths[1], F_OK))
		ck_assert_uint_eq(runs_in(paths[1]), 0);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	remove_paths();
}

/* At that moment other threads may be in the middle of an event. */
static void a_fork_under_load_has_none_either(void)
{
	struct crowd crowd = {.pool = pool_new(1, 3)};
	pthread_t threads[3];
	unsigned forks = MEMORY_IN_CHILD ? scaled(100) : 0;

	make_paths();
	for (size_t i = 0; i < COUNT(threads); i++)
		threads[i] = thread_new(run_until_told, &crowd);
	ck_assert_int_eq(tern_trace_start(paths[0]), 0);
	for (unsigned i = 0; i < forks; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			tern_trace_stop();
			/* what the other threads had allocated would look lost to valgrind */
			raise(SIGKILL);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		await_rounds(&crowd, 1);
	}
	tern_trace_stop();
	atomic_bump(&crowd.stop);
	for (size_t i = 0; i < COUNT(threads); i++)
		thread_join(threads[i]);
	tern_pool_destroy(crowd.pool);
	remove_paths();
}

static const struct test tests[] = {
	{"a file is whole, and there can be another", from_start_to_stop},
	{"one at a time", one_at_a_time},
	{"a path that cannot be written", a_path_that_cannot_be_written},
	{"a thread that ends loses nothing", who_ends_loses_nothing},
	{"start and stop under load", under_load},
	{"a pool that is destroyed while it is traced", destroyed_while_traced},
	{"nobody waits for the file", nobody_waits_for_the_file},
	{"what was left out is counted", what_was_left_out_is_counted},
	{"a full disk harms nobody", a_full_disk_harms_nobody},
	{"more threads than there is room for", more_threads_than_there_is_room_for},
	{"a fork has no trace", a_fork_has_no_trace},
	{"nor does one under load", a_fork_under_load_has_none_either},
};

int main(int argc, char **argv)
{
	return run_tests("trace", tests, COUNT(tests), argc, argv);
}
