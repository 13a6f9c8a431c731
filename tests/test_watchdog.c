/* SPDX-License-Identifier: MIT */
/*
 * The watchdog tells once of each item that does not end, of no other, and goes with its pool.
 *
 * Items wait for the watchdog's word, so no test depends on how fast anything is; only that an hour
 * does not pass.
 */
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "harness.h"

#define HOUR_MS 3600000
#define MS	UINT64_C(1000000)
#define SOON_MS 20

/* What the watchdog has said so far. */
static struct said {
	pthread_mutex_t lock;
	unsigned times;
	tern_work_fn *run;
	void *user, *item_user;
	uint32_t ms;
	pthread_t thread;
	struct latch *tells;	  /* arrived at each time; may be NULL */
	void (*also)(void *user); /* may be NULL */
} said = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_stuck(void *user, tern_work_fn *run, void *item_user, uint32_t ms)
{
	pthread_mutex_lock(&said.lock);
	said.times++;
	said.run = run;
	said.user = user;
	said.item_user = item_user;
	said.ms = ms;
	said.thread = pthread_self();
	pthread_mutex_unlock(&said.lock);
	if (said.also)
		said.also(user);
	if (said.tells)
		latch_arrive(said.tells);
}

static unsigned times_said(void)
{
	unsigned times;

	pthread_mutex_lock(&said.lock);
	times = said.times;
	pthread_mutex_unlock(&said.lock);
	return times;
}

static unsigned gone;

static void on_gone(void *user)
{
	atomic_bump(&gone);
}

static struct tern_pool *watched(uint32_t run_ms_warn, uint32_t threads_max, uint32_t idle_ms_max)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .name = "dog",
					    .threads_min = TERN_NONE,
					    .threads_max = threads_max,
					    .idle_ms_max = idle_ms_max,
					    .gone = on_gone,
					    .user = &said,
					    .run_ms_warn = run_ms_warn,
					    .stuck = on_stuck};
	struct tern_pool *pool;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	return pool;
}

/* The id of the watchdog's thread; 0: there is none. */
static int watchdog_id(void)
{
	DIR *dir = opendir("/proc/self/task");
	int id = 0;

	for (struct dirent *d; (d = readdir(dir));) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", d->d_name);
		file = d->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && strstr(name, "/watch\n"))
			id = atoi(d->d_name); /* NOLINT: a number by its nature */
		fclose(file);
	}
	closedir(dir);
	return id;
}

/* A joined thread may be seen for a moment longer. */
static void wait_until_it_has_left(void)
{
	while (watchdog_id())
		sched_yield();
}

static void wait_for(struct tern_work *work)
{
	latch_wait(work->user);
}

/* An item that runs until the latch opens. */
static void get_stuck(struct tern_pool *pool, struct tern_loop *loop, struct tern_work *work,
		      struct latch *until)
{
	tern_work_init(work, wait_for, ignore_done);
	work->user = until;
	tern_pool_submit(pool, loop, work);
	tern_loop_flush(loop);
}

static void told_once_while_it_runs(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = watched(SOON_MS, 1, 0);
	struct tern_work work;
	struct latch told;

	said.tells = &told;
	tern_work_init(&work, wait_for, ignore_done);
	work.user = &told;
	for (unsigned i = 1; i <= 3; i++) { /* the same item, anew */
		latch_init(&told, 1);
		tern_pool_submit(pool, loop, &work);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert_uint_eq(times_said(), i);
		ck_assert(said.run == wait_for);
		ck_assert_ptr_eq(said.item_user, &told);
		ck_assert_ptr_eq(said.user, &said);
		ck_assert_uint_ge(said.ms, SOON_MS);
		ck_assert_uint_lt(said.ms, HOUR_MS);
		ck_assert(!pthread_equal(said.thread, pthread_self()));
	}
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

/* When the next one is told of, the watchdog has looked at those before again. */
static void told_once_however_long(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = watched(SOON_MS, 8, 0);
	struct latch told, go;
	struct tern_work work[8];

	latch_init(&go, 1);
	for (size_t i = 0; i < COUNT(work); i++) {
		latch_init(&told, 1);
		said.tells = &told;
		get_stuck(pool, loop, &work[i], &go);
		latch_wait(&told);
		ck_assert_uint_eq(times_said(), i + 1);
	}
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(times_said(), COUNT(work));
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void run_after_free(struct tern_work *work)
{
	struct latch *told = work->user;

	memset(work, 0xff, sizeof(*work));
	free(work);
	latch_wait(told);
}

static void an_item_that_is_gone(void)
{
	struct tern_pool *pool = watched(SOON_MS, 1, 0);
	struct tern_work *work = calloc(1, sizeof(*work));
	struct latch told;

	latch_init(&told, 1);
	said.tells = &told;
	tern_work_init(work, run_after_free, NULL);
	work->user = &told;
	tern_pool_submit(pool, NULL, work);
	latch_wait(&told);
	ck_assert(said.run == run_after_free);
	ck_assert_ptr_eq(said.item_user, &told);
	tern_pool_destroy(pool);
}

static unsigned long switches_of(int id)
{
	char path[64], line[128];
	unsigned long sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", id);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		const char *found = strstr(line, "_ctxt_switches:");

		if (found)
			sum += strtoul(strchr(found, ':') + 1, NULL, 10);
	}
	fclose(file);
	return sum;
}

/* An item of 40 ms, again and again until the stuck one is told of. */
struct lively {
	struct tern_work work;
	struct tern_pool *pool;
	uint64_t submitted_ns;
	unsigned long_ones; /* rounds that somebody may have kept from their CPU */
};

static unsigned stuck_told, others_told;

static void tell_them_apart(void *user)
{
	ck_assert_uint_ge(said.ms, 1000);
	if (said.run != wait_for)
		atomic_bump(&others_told);
	else if (atomic_bump(&stuck_told) == 1)
		latch_arrive(said.item_user);
}

static void run_40_ms(struct tern_work *work)
{
	uint64_t end = now_ns() + 40 * MS;

	while (!is_past(&end))
		sched_yield();
}

static void go_on(struct tern_work *work)
{
	struct lively *lively = tern_container_of(work, struct lively, work);
	uint64_t now = now_ns();

	/* from submit to done: in no less time than the run that the watchdog may have seen */
	lively->long_ones += now - lively->submitted_ns > 900 * MS;
	lively->submitted_ns = now;
	if (!atomic_get(&stuck_told))
		tern_pool_submit(lively->pool, tern_work_home(work), work);
}

/* One is stuck, and beside it a thread is hardly ever without an item that is not. */
static void short_items_are_not_told_of(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = watched(1000, 2, 0);
	struct lively others[2];
	struct tern_work stuck;
	struct latch told;

	latch_init(&told, 1);
	said.also = tell_them_apart;
	for (int i = 0; i < 2; i++) {
		others[i] = (struct lively){.pool = pool, .submitted_ns = now_ns()};
		tern_work_init(&others[i].work, run_40_ms, go_on);
		tern_pool_submit(pool, loop, &others[i].work);
	}
	get_stuck(pool, loop, &stuck, &told);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_pool_destroy(pool);
	ck_assert_uint_eq(stuck_told, 1);
	ck_assert_uint_le(others_told, others[0].long_ones + others[1].long_ones);
	tern_loop_destroy(loop);
}

/* Whether the thread is on no CPU at all while at least 40 ms go by. */
static bool rests(struct tern_loop *loop, int id)
{
	uint64_t end = now_ns() + 40 * MS;
	unsigned long switches = switches_of(id);

	loop_until(loop, is_past, &end);
	return switches_of(id) == switches;
}

/* It would look every millisecond. */
static void rests_between_items(uint32_t idle_ms_max)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = watched(4, 2, idle_ms_max);
	struct tern_work work;
	struct latch told;
	int id;

	while (!(id = watchdog_id()))
		sched_yield();
	for (int round = 0; round < 3; round++) {
		unsigned windows = 0;

		while (!rests(loop, id))
			ck_assert_uint_lt(++windows, 100);
		/* and is there again when something runs */
		latch_init(&told, 1);
		said.tells = &told;
		get_stuck(pool, loop, &work, &told);
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	ck_assert_uint_eq(times_said(), 3);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void rests_while_all_sleep(void)
{
	rests_between_items(0);
}

static void rests_without_threads(void)
{
	rests_between_items(TERN_NONE);
}

static void is_none_of_the_pools_threads(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = watched(HOUR_MS, 1, 0);

	while (!watchdog_id())
		sched_yield();
	ck_assert_uint_eq(stats_of(pool).threads, 1);
	tern_pool_destroy(pool);
	wait_until_it_has_left();
	for (int i = 0; i < 2; i++) {
		pool = watched(i ? TERN_NONE : 0, 1, 0);
		ck_assert_int_eq(watchdog_id(), 0);
		tern_pool_destroy(pool);
	}
	tern_loop_destroy(loop);
}

static void put_while_stuck(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = watched(SOON_MS, 2, 0);
	struct tern_work work;
	struct latch told, go;

	latch_init(&told, 1);
	latch_init(&go, 1);
	said.tells = &told;
	get_stuck(pool, loop, &work, &go);
	tern_pool_put(pool);
	latch_wait(&told); /* put, and still watched */
	ck_assert_uint_eq(atomic_get(&gone), 0);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	loop_until(loop, is_gone, &gone);
	wait_until_it_has_left();
	tern_loop_destroy(loop);
}

/* The end waits for the watchdog's callback, which must not come after. */
static struct latch in_stuck, leave_stuck;

static void stay_in_stuck(void *user)
{
	latch_arrive(&in_stuck);
	latch_wait(&leave_stuck);
	ck_assert_uint_eq(atomic_get(&gone), 0);
}

static void *destroy(void *pool)
{
	tern_pool_destroy(pool);
	wait_until_it_has_left();
	ck_assert_uint_eq(atomic_get(&gone), 1);
	return NULL;
}

static void destroyed_while_stuck(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = watched(SOON_MS, 2, 0);
	struct tern_work work;
	struct latch go;
	pthread_t thread;

	latch_init(&in_stuck, 1);
	latch_init(&leave_stuck, 1);
	latch_init(&go, 1);
	said.also = stay_in_stuck;
	get_stuck(pool, loop, &work, &go);
	latch_wait(&in_stuck);
	thread = thread_new(destroy, pool);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0); /* the item is over, the callback is not */
	ck_assert_uint_eq(atomic_get(&gone), 0);
	latch_arrive(&leave_stuck);
	thread_join(thread);
	tern_loop_destroy(loop);
}

static struct tern_pool *to_put;
static struct latch put_done;

static void put_the_pool(void *user)
{
	tern_pool_put(to_put);
	latch_arrive(&put_done);
}

/* From stuck itself, and the item ends only then. */
static void put_by_the_callback(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_work work;

	to_put = watched(SOON_MS, 2, 0);
	latch_init(&put_done, 1);
	said.also = put_the_pool;
	get_stuck(to_put, loop, &work, &put_done);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	loop_until(loop, is_gone, &gone);
	wait_until_it_has_left();
	tern_loop_destroy(loop);
}

static void put_late(void *user)
{
	stay_in_stuck(user);
	tern_pool_put(to_put);
}

/* The last worker has left, and it is the watchdog itself that finds the pool over. */
static void put_when_nothing_is_left(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_work work;
	struct latch go;

	to_put = watched(SOON_MS, 2, TERN_NONE);
	latch_init(&in_stuck, 1);
	latch_init(&leave_stuck, 1);
	latch_init(&go, 1);
	said.also = put_late;
	get_stuck(to_put, loop, &work, &go);
	latch_wait(&in_stuck);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	while (stats_of(to_put).threads)
		sched_yield();
	latch_arrive(&leave_stuck);
	loop_until(loop, is_gone, &gone);
	wait_until_it_has_left();
	tern_loop_destroy(loop);
}

static void destroy_by_the_callback(void *user)
{
	tern_pool_destroy(to_put);
}

static void destroyed_by_the_callback(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_work work;
	struct latch never;

	to_put = watched(SOON_MS, 2, 0);
	latch_init(&never, 1);
	said.also = destroy_by_the_callback;
	expect_fatal("tern_pool_destroy", NULL);
	get_stuck(to_put, loop, &work, &never);
	tern_loop_run(loop);
}

/* Creation and end, with items out and without, again and again. */
static void many_ends(void)
{
	for (unsigned round = 0; round < scaled(300); round++) {
		struct tern_loop *loop = loop_new();
		struct tern_pool *pool = watched(SOON_MS, 2, 0);
		struct job job;

		job_init(&job);
		if (round & 1)
			tern_pool_submit(pool, loop, &job.work);
		if (round & 2)
			ck_assert_int_eq(tern_loop_run(loop), 0);
		if (round & 4)
			tern_pool_put(pool);
		else
			tern_pool_destroy(pool);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		tern_loop_destroy(loop);
	}
	while (atomic_get(&gone) < scaled(300))
		sched_yield();
}

/* A line to stderr, by the place of the function; stderr is the test's own for the while. */
static void without_a_callback(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .name = "dog", .run_ms_warn = SOON_MS};
	int own = memfd_create("stderr", MFD_CLOEXEC), before = dup(STDERR_FILENO), at = 0;
	struct tern_loop *loop = loop_new();
	char text[512] = "", user[32];
	struct tern_pool *pool;
	struct tern_work work;
	struct latch go;
	unsigned ms = 0;

	ck_assert_int_ge(dup2(own, STDERR_FILENO), 0);
	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	latch_init(&go, 1);
	get_stuck(pool, loop, &work, &go);
	while (!strchr(text, '\n'))
		ck_assert_int_ge(pread(own, text, sizeof(text) - 1, 0), 0);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_pool_destroy(pool);
	dup2(before, STDERR_FILENO);
	sscanf(text, "tern: dog/0 has been running test_watchdog+0x%*x for %u ms, user %n", &ms,
	       &at);
	snprintf(user, sizeof(user), "%p\n", (void *)&go);
	ck_assert_msg(at && !strcmp(text + at, user), "%s", text);
	ck_assert_uint_ge(ms, SOON_MS);
	close(own);
	close(before);
	tern_loop_destroy(loop);
}

/* Whatever becomes of it, no memory may stay behind. */
static int create(uint32_t run_ms_warn)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .threads_min = 3,
					    .threads_max = 3,
					    .gone = on_gone,
					    .run_ms_warn = run_ms_warn};
	struct tern_pool *const none = (struct tern_pool *)&said, *pool = none;
	long memory = fault_memory();
	int e = tern_pool_create(&pool, &opts);

	if (!e)
		tern_pool_destroy(pool);
	memory -= fault_memory();
	ck_assert_int_eq(memory, 0);
	if (e)
		ck_assert_ptr_eq(pool, none);
	wait_until_it_has_left();
	return e;
}

static void it_cannot_be_had(void)
{
	ck_assert_int_eq(create(TERN_FOREVER), -EINVAL);
	for (unsigned which = 1; which <= 4; which++) {
		fault_arm(FAULT_THREAD, which, 1);
		ck_assert_int_eq(create(SOON_MS), -EAGAIN);
		ck_assert_uint_eq(fault_disarm(), 1);
	}
	ck_assert_uint_eq(atomic_get(&gone), 0);
	fault_arm(FAULT_THREAD, 4, 1);
	ck_assert_int_eq(create(TERN_NONE), 0); /* it asks for three */
	ck_assert_uint_eq(fault_disarm(), 0);
}

static const struct test tests[] = {
	{"an item that runs is told of, once each time", told_once_while_it_runs},
	{"once, however long it goes on", told_once_however_long},
	{"short items are not told of", short_items_are_not_told_of},
	{"an item that is gone is told of", an_item_that_is_gone},
	{"the watchdog rests while its pool does, and is back", rests_while_all_sleep},
	{"and so it does when no thread is left", rests_without_threads},
	{"it is none of the pool's threads, and is there only if asked for",
	 WITH_STATS(is_none_of_the_pools_threads)},
	{"put while stuck", put_while_stuck},
	{"destroyed while stuck: the callback is waited for", destroyed_while_stuck},
	{"put by the callback", put_by_the_callback},
	{"put by the callback of a pool without threads", WITH_STATS(put_when_nothing_is_left)},
	{"fatal: destroyed by the callback", destroyed_by_the_callback},
	{"pools that come and go", many_ends},
	{"without a callback, a line to stderr", without_a_callback},
	{"a watchdog that cannot be had is an error", it_cannot_be_had},
};

int main(int argc, char **argv)
{
	return run_tests("watchdog", tests, COUNT(tests), argc, argv);
}
