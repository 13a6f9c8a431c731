/* SPDX-License-Identifier: MIT */
/* Creating a pool: options good and bad, hooks, names, stacks, CPUs, signals, statistics. */
#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "harness.h"

static unsigned threads_here(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned n = 0;

	for (struct dirent *d; (d = readdir(dir));)
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

static unsigned threads_before;

static bool threads_are_back(void *arg)
{
	/* one of those before may have been on its way out when it was counted */
	return threads_here() <= threads_before;
}

static int create(const struct tern_pool_opts *with)
{
	struct tern_pool_opts opts = *with;
	struct tern_pool *pool = (struct tern_pool *)&opts;
	int e;

	opts.size = sizeof(opts);
	e = tern_pool_create(&pool, &opts);
	if (e)
		ck_assert_ptr_eq(pool, &opts);
	else
		tern_pool_destroy(pool);
	return e;
}

static void never(void *user)
{
	ck_abort_msg("gone, of a pool that never was");
}

static void bad_options(void)
{
	cpu_set_t nothing, beyond;
	const struct tern_pool_opts bad[] = {
		{.threads_min = 5, .threads_max = 4},
		{.threads_min = TERN_FOREVER},
		{.threads_max = TERN_NONE},
		{.threads_max = TERN_FOREVER},
		{.threads_min = TERN_NONE, .threads_max = TERN_NONE},
		{.spin_us_max = 1001},
		{.spin_us_max = TERN_FOREVER},
		{.wait_ms_max = TERN_NONE},
		{.run_ms_warn = TERN_FOREVER},
		{.stack_size = 1},
		{.stack_size = (size_t)sysconf(_SC_THREAD_STACK_MIN) - 1},
		{.affinity = &nothing},
		{.affinity = &nothing, .affinity_size = sizeof(nothing)},
		{.affinity = &beyond, .affinity_size = sizeof(beyond)},
		{.threads_min = TERN_NONE, .affinity = &nothing, .affinity_size = sizeof(nothing)},
	};
	struct tern_loop *loop = loop_new();

	CPU_ZERO(&nothing);
	CPU_ZERO(&beyond);
	CPU_SET(CPU_SETSIZE - 1, &beyond);
	/* a sanitizer may have started a thread of its own with the first of ours */
	create(&(struct tern_pool_opts){.name = NULL});
	threads_before = threads_here();
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct tern_pool_opts opts = bad[i];

		opts.gone = never;
		ck_assert_msg(create(&opts) == -EINVAL, "bad[%zu]", i);
	}
	loop_until(loop, threads_are_back, NULL);
	tern_loop_destroy(loop);
}

static void good_options(void)
{
	const struct tern_pool_opts good[] = {
		{.name = NULL},
		{.threads_min = TERN_NONE},
		{.threads_min = 6},
		{.threads_max = 1},
		{.threads_min = 3, .threads_max = 3},
		{.idle_ms_max = TERN_NONE},
		{.idle_ms_max = TERN_FOREVER},
		{.spin_us_max = TERN_NONE},
		{.spin_us_max = 1000},
		{.wait_ms_max = 1},
		{.wait_ms_max = TERN_FOREVER},
		{.run_ms_warn = 1},
		{.run_ms_warn = TERN_NONE},
		{.queue_max = TERN_NONE},
		{.queue_max = TERN_FOREVER},
		{.name = ""},
		{.name = "a name that is much longer than a thread's may be"},
		{.stack_size = (size_t)sysconf(_SC_THREAD_STACK_MIN)},
	};
	struct tern_pool *pool;

	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_msg(create(&good[i]) == 0, "good[%zu]", i);
	ck_assert_int_eq(tern_pool_create(&pool, NULL), 0);
	ck_assert_uint_eq(stats_of(pool).threads, 1);
	tern_pool_destroy(pool);
}

/* Hooks: each thread's start before its first item, its stop after its last, gone last. */
struct hooked {
	unsigned started, stopped, gone, ran;
};

static __thread bool is_started, is_stopped;

static void on_start(void *user)
{
	ck_assert(!is_started);
	is_started = true;
	atomic_bump(&((struct hooked *)user)->started);
}

static void on_stop(void *user)
{
	ck_assert(is_started && !is_stopped);
	is_stopped = true;
	atomic_bump(&((struct hooked *)user)->stopped);
}

static void on_gone(void *user)
{
	struct hooked *hooked = user;

	ck_assert_uint_eq(atomic_get(&hooked->started), atomic_get(&hooked->stopped));
	atomic_bump(&hooked->gone);
}

static void run_hooked(struct tern_work *work)
{
	ck_assert(is_started && !is_stopped);
	atomic_bump(&((struct hooked *)work->user)->ran);
}

static void hooks(bool put)
{
	struct hooked hooked = {0};
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = 2,
		.threads_max = 8,
		.thread_start = on_start,
		.thread_stop = on_stop,
		.gone = on_gone,
		.user = &hooked,
	};
	struct tern_loop *loop = loop_new();
	struct tern_work items[100];
	struct tern_pool *pool;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	for (size_t i = 0; i < COUNT(items); i++) {
		tern_work_init(&items[i], run_hooked, NULL);
		items[i].user = &hooked;
		tern_pool_submit(pool, NULL, &items[i]);
	}
	if (put) {
		tern_pool_put(pool);
		loop_until(loop, is_gone, &hooked.gone);
	} else {
		tern_pool_destroy(pool);
	}
	ck_assert_uint_eq(atomic_get(&hooked.ran), COUNT(items));
	ck_assert_uint_eq(atomic_get(&hooked.gone), 1);
	ck_assert_uint_ge(atomic_get(&hooked.started), 2);
	tern_loop_destroy(loop);
}

static void hooks_with_destroy(void)
{
	hooks(false);
}

static void hooks_with_put(void)
{
	hooks(true);
}

/* What a worker finds about itself. */
struct found {
	struct tern_work work;
	char name[32];
	size_t stack;
	cpu_set_t cpus;
	sigset_t blocked;
};

static void look_around(struct tern_work *work)
{
	struct found *found = tern_container_of(work, struct found, work);
	pthread_attr_t attr;

	pthread_getname_np(pthread_self(), found->name, sizeof(found->name));
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &found->stack);
	pthread_attr_destroy(&attr);
	pthread_getaffinity_np(pthread_self(), sizeof(found->cpus), &found->cpus);
	pthread_sigmask(SIG_SETMASK, NULL, &found->blocked);
}

static struct found find(const struct tern_pool_opts *with)
{
	struct tern_pool_opts opts = *with;
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool;
	struct found found;

	opts.size = sizeof(opts);
	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	tern_work_init(&found.work, look_around, ignore_done);
	tern_pool_submit(pool, loop, &found.work);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	return found;
}

static void names(void)
{
	char name[] = "mine";
	struct tern_pool_opts opts = {.name = name, .threads_max = 1};

	ck_assert_str_eq(find(&opts).name, "mine/0");
	opts.name = NULL;
	ck_assert_str_eq(find(&opts).name, "tern/0");
	opts.name = "sixteen-and-more";
	ck_assert_str_eq(find(&opts).name, "sixteen-and-m/0");
}

static void stack_sizes(void)
{
	/* the smaller one first: libc may give the larger stack again to who asks for less */
	struct tern_pool_opts opts = {.stack_size = 0};

	ck_assert_uint_ge(find(&opts).stack, 256 << 10);
	ck_assert_uint_lt(find(&opts).stack, 1 << 20);
	opts.stack_size = 1 << 20;
	ck_assert_uint_ge(find(&opts).stack, 1 << 20);
}

static void cpus_are_as_asked(void)
{
	cpu_set_t all, one, copied;
	const struct tern_pool_opts opts = {.affinity = &copied, .affinity_size = sizeof(copied)};
	struct found found;
	int last = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		last = CPU_ISSET(i, &all) ? i : last;
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	copied = one;
	found = find(&opts);
	ck_assert(CPU_EQUAL(&found.cpus, &one));
	ck_assert_int_eq(sched_getaffinity(0, sizeof(copied), &copied), 0);
	ck_assert(CPU_EQUAL(&copied, &all)); /* its creator's own are what they were */
}

/* All but those of a fault of the thread's own, and the profiler's. */
static void must_block(const sigset_t *blocked)
{
	sigset_t all, here;

	/* what a thread can block here: not what the kernel, the C library or an emulator keeps */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &here);
	pthread_sigmask(SIG_SETMASK, &here, &all);
	for (int s = 1; s <= SIGRTMAX; s++) {
		bool fault = s == SIGSEGV || s == SIGBUS || s == SIGFPE || s == SIGILL ||
			     s == SIGTRAP || s == SIGSYS || s == SIGPROF;

		if (!fault && sigismember(&all, s) == 1)
			ck_assert_msg(sigismember(blocked, s) == 1, "signal %d", s);
	}
	ck_assert(!sigismember(blocked, SIGSEGV));
	pthread_sigmask(SIG_SETMASK, NULL, &here);
	ck_assert(!sigismember(&here, SIGTERM));
}

static void signals_are_the_programs(void)
{
	struct found found = find(&(struct tern_pool_opts){.name = NULL});

	must_block(&found.blocked);
}

/* What the watchdog's thread blocks. */
struct watched {
	struct latch told;
	sigset_t blocked;
};

static void wait_until_told(struct tern_work *work)
{
	struct watched *watched = work->user;

	latch_wait(&watched->told);
}

static void look_at_mask(void *user, tern_work_fn *run, void *item_user, uint32_t ms)
{
	struct watched *watched = item_user;

	pthread_sigmask(SIG_SETMASK, NULL, &watched->blocked);
	latch_arrive(&watched->told);
}

static void the_watchdog_takes_none(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .run_ms_warn = 1, .stuck = look_at_mask};
	struct watched watched;
	struct tern_pool *pool;
	struct tern_work work;

	latch_init(&watched.told, 1);
	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	tern_work_init(&work, wait_until_told, NULL);
	work.user = &watched;
	tern_pool_submit(pool, NULL, &work);
	tern_pool_destroy(pool);
	must_block(&watched.blocked);
}

/* Statistics: exact, and cut or filled up to the caller's size. */
static void statistics(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct latch arrived, go;
	struct job job[3];
	struct tern_pool_stats s;

	latch_init(&arrived, 1);
	latch_init(&go, 1);
	for (size_t i = 0; i < COUNT(job); i++)
		job_init(&job[i]);
	job[0].arrives = &arrived;
	job[0].waits = &go;
	for (size_t i = 0; i < COUNT(job); i++)
		tern_pool_submit(pool, loop, &job[i].work);
	latch_wait(&arrived);
	s = stats_of(pool);
	ck_assert_uint_eq(s.threads, 1);
	ck_assert_uint_eq(s.idle, 0);
	ck_assert_uint_eq(s.queued, 2);
	ck_assert_uint_eq(s.started, 1);
	ck_assert(tern_work_cancel(&job[1].work));
	ck_assert_uint_eq(stats_of(pool).queued, 1);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	s = stats_of(pool);
	ck_assert_uint_eq(s.queued, 0);
	ck_assert_uint_eq(s.started, 2);
	ck_assert_uint_eq(s.canceled, 1);
	ck_assert_uint_eq(s.threads_peak, 1);
	ck_assert_uint_eq(s.threads_created, 1);
	ck_assert_uint_eq(s.threads_exited, 0);
	ck_assert_uint_eq(s.threads_failed, 0);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void statistics_of_other_versions(void)
{
	struct {
		struct tern_pool_stats stats;
		unsigned char tail[16];
	} longer;
	struct tern_pool *pool = pool_new(1, 1);

	memset(&longer, 0xff, sizeof(longer));
	longer.stats.size = sizeof(longer) - 1;
	ck_assert_int_eq(tern_pool_stats(pool, &longer.stats), 0);
	ck_assert_uint_eq(longer.stats.size, sizeof(longer) - 1);
	ck_assert_uint_eq(longer.stats.threads, 1);
	ck_assert_uint_eq(longer.tail[0], 0);
	ck_assert_uint_eq(longer.tail[14], 0);
	ck_assert_uint_eq(longer.tail[15], 0xff);
	longer.stats.size = offsetof(struct tern_pool_stats, idle);
	longer.stats.idle = 12345;
	ck_assert_int_eq(tern_pool_stats(pool, &longer.stats), 0);
	ck_assert_uint_eq(longer.stats.idle, 12345);
	longer.stats.size = sizeof(size_t) - 1;
	ck_assert_int_eq(tern_pool_stats(pool, &longer.stats), -EINVAL);
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"bad options are refused and leave nothing", bad_options},
	{"good options are taken", WITH_STATS(good_options)},
	{"hooks are balanced, with destroy", hooks_with_destroy},
	{"hooks are balanced, with put", hooks_with_put},
	{"threads carry the pool's name and a number", names},
	{"stacks have the size asked for", stack_sizes},
	{"threads stay on the CPUs asked for", cpus_are_as_asked},
	{"signals are the program's business", signals_are_the_programs},
	{"the watchdog leaves signals to the program, too", the_watchdog_takes_none},
	{"statistics are exact", WITH_STATS(statistics)},
	{"statistics of other versions", WITH_STATS(statistics_of_other_versions)},
};

int main(int argc, char **argv)
{
	return run_tests("pool", tests, COUNT(tests), argc, argv);
}
