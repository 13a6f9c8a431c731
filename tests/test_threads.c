/* SPDX-License-Identifier: MIT */
/* How many threads there are: bursts of items that need each other, idling, leaving, coming back.
 */
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

#define MAX 6

static struct tern_pool *pool_with(uint32_t min, uint32_t max, uint32_t idle_ms)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = min,
		.threads_max = max,
		.idle_ms_max = idle_ms,
	};
	struct tern_pool *pool;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	return pool;
}

/*
 * A burst of items each of which waits until `together` have been started: it hangs if the pool
 * does not reach that many threads.
 */
struct burst {
	struct tern_pool *pool;
	struct tern_loop *loop;
	struct tern_work items[2 * MAX], *list[2 * MAX];
	unsigned n, together, started, done;
	pthread_mutex_t lock;
	pthread_cond_t all;
};

static void meet(struct tern_work *work)
{
	struct burst *b = work->user;

	pthread_mutex_lock(&b->lock);
	if (++b->started == b->together)
		pthread_cond_broadcast(&b->all);
	while (b->started < b->together)
		pthread_cond_wait(&b->all, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

static void met(struct tern_work *work)
{
	((struct burst *)work->user)->done++;
}

static void burst_init(struct burst *b, struct tern_pool *pool, struct tern_loop *loop, unsigned n)
{
	*b = (struct burst){.pool = pool, .loop = loop, .n = n, .together = n < MAX ? n : MAX};
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->all, NULL);
	for (unsigned i = 0; i < n; i++) {
		tern_work_init(&b->items[i], meet, met);
		b->items[i].user = b;
		b->list[i] = &b->items[i];
	}
}

static void burst_again(struct burst *b)
{
	pthread_mutex_lock(&b->lock);
	b->started = b->done = 0;
	pthread_mutex_unlock(&b->lock);
}

static void burst_submit(struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++)
		tern_pool_submit(b->pool, b->loop, b->list[i]);
}

static void burst_check(struct burst *b)
{
	ck_assert_uint_eq(b->started, b->n);
	ck_assert_uint_eq(b->done, b->n);
	ck_assert_uint_le(stats_of(b->pool).threads_peak, MAX);
}

static void bursts_from_the_loop(void)
{
	struct tern_loop *loop = loop_new();
	struct burst b;

	for (unsigned n = 1; n <= 2 * MAX; n++) {
		struct tern_pool *pool = pool_with(1, MAX, 0);

		burst_init(&b, pool, loop, n);
		/* the first time before the loop has run at all, then warm */
		for (int round = 0; round < 20; round++) {
			burst_again(&b);
			burst_submit(&b);
			ck_assert_int_eq(tern_loop_run(loop), 0);
			burst_check(&b);
		}
		tern_pool_destroy(pool);
	}
	tern_loop_destroy(loop);
}

static void bursts_in_one_call(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_with(TERN_NONE, MAX, 0);
	struct burst b;

	for (unsigned n = 1; n <= 2 * MAX; n++) {
		burst_init(&b, pool, loop, n);
		tern_pool_submit_many(pool, loop, b.list, n);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		burst_check(&b);
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void *submit_burst(void *arg)
{
	struct burst *b = arg;

	burst_submit(b);
	tern_loop_release(b->loop);
	return NULL;
}

static void bursts_from_another_thread(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_with(1, MAX, 1);
	struct burst b;

	for (unsigned round = 0; round < 100; round++) {
		pthread_t thread;

		burst_init(&b, pool, loop, 1 + round % (2 * MAX));
		tern_loop_hold(loop);
		thread = thread_new(submit_burst, &b);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		thread_join(thread);
		burst_check(&b);
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void run_submits_burst(struct tern_work *work)
{
	burst_submit(work->user);
}

static void done_submits_burst(struct tern_work *work)
{
	struct burst *b = work->user;

	if (b->loop && !b->started)
		burst_submit(b);
}

static void bursts_from_run_and_done(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_with(1, MAX, 1);
	struct tern_work first;
	struct burst b;

	for (unsigned round = 0; round < 200; round++) {
		burst_init(&b, pool, loop, 1 + round % (MAX - 1));
		if (round % 2)
			tern_work_init(&first, run_submits_burst, ignore_done);
		else
			tern_work_init(&first, run_nothing, done_submits_burst);
		first.user = &b;
		tern_pool_submit(pool, loop, &first);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		burst_check(&b);
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void bursts_without_done(void)
{
	struct tern_pool *pool = pool_with(1, MAX, 1);
	struct burst b;

	burst_init(&b, pool, NULL, MAX);
	for (unsigned i = 0; i < b.n; i++)
		b.items[i].done = NULL;
	burst_submit(&b);
	tern_pool_destroy(pool);
	ck_assert_uint_eq(b.started, MAX);
}

/* A batch behind a stuck item, then more; nobody sleeps, nobody else will finish. */
static void a_stuck_item_holds_nobody_up(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_with(1, 2, 0);

	for (int round = 0; round < 200; round++) {
		struct latch arrived;
		struct job first, second;

		latch_init(&arrived, 1);
		job_init(&first);
		job_init(&second);
		first.waits = &arrived;
		second.arrives = &arrived;
		tern_pool_submit(pool, loop, &first.work);
		if (round % 2)
			tern_loop_prepare(loop);
		tern_pool_submit(pool, loop, &second.work);
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static bool has_threads(struct tern_pool *pool, uint32_t n)
{
	struct tern_pool_stats s = stats_of(pool);

	return s.threads == n && s.idle == n;
}

static bool has_2_threads(void *pool)
{
	return has_threads(pool, 2);
}

static bool has_no_thread(void *pool)
{
	return has_threads(pool, 0);
}

static bool has_max_threads(void *pool)
{
	return has_threads(pool, MAX);
}

static void shrinks_to_min(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_with(2, MAX, 5);
	struct tern_pool_stats s;
	struct burst b;

	for (int round = 1; round <= 3; round++) {
		burst_init(&b, pool, loop, MAX);
		burst_submit(&b);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		burst_check(&b);
		loop_until(loop, has_2_threads, pool);
		s = stats_of(pool);
		ck_assert_uint_eq(s.threads_peak, MAX);
		ck_assert_uint_eq(s.threads_created - s.threads_exited, 2);
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void none_are_kept(uint32_t idle_ms)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_with(TERN_NONE, MAX, idle_ms);
	struct job job;

	for (int round = 0; round < 50; round++) {
		loop_until(loop, has_no_thread, pool);
		job_init(&job);
		tern_pool_submit(pool, loop, &job.work);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert_uint_eq(job.dones, 1);
	}
	loop_until(loop, has_no_thread, pool);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void none_kept_and_back(void)
{
	none_are_kept(1);
}

static void none_kept_and_no_idling(void)
{
	none_are_kept(TERN_NONE);
}

/* Surplus threads leave at once, kept ones never. */
static void no_idling_keeps_min(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_with(2, MAX, TERN_NONE);
	struct burst b;

	for (int round = 0; round < 20; round++) {
		burst_init(&b, pool, loop, MAX);
		burst_submit(&b);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		loop_until(loop, has_2_threads, pool);
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

/* Looks at the pool now and then, for a while that a thousand items take. */
static void forever_keeps_all(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_with(1, MAX, TERN_FOREVER);
	struct burst b;

	burst_init(&b, pool, loop, MAX);
	burst_submit(&b);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	loop_until(loop, has_max_threads, pool);
	for (unsigned i = 0; i < scaled(1000); i++) {
		struct job job;

		job_init(&job);
		tern_pool_submit(pool, loop, &job.work);
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	ck_assert_uint_eq(stats_of(pool).threads, MAX);
	ck_assert_uint_eq(stats_of(pool).threads_exited, 0);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void arrive(struct tern_work *work)
{
	latch_arrive(work->user);
}

/* Nobody could try again for an item without home: the pool keeps a thread from then on. */
static void without_home_one_thread_stays(void)
{
	struct tern_pool *pool = pool_with(TERN_NONE, 2, TERN_NONE);
	struct tern_pool_stats stats;

	for (int i = 0; i < 200; i++) {
		struct tern_work work;
		struct latch ran;

		latch_init(&ran, 1);
		tern_work_init(&work, arrive, NULL);
		work.user = &ran;
		tern_pool_submit(pool, NULL, &work);
		latch_wait(&ran);
	}
	/* it has nothing to do, and sleeps instead of leaving */
	do {
		sched_yield();
		stats = stats_of(pool);
	} while (stats.threads && !stats.idle);
	ck_assert_uint_eq(stats.idle, 1);
	tern_pool_destroy(pool);
}

/* So the one that has slept longest is the first whose time is over. */
static void the_last_to_sleep_is_the_first_called(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_with(2, 2, 0);
	pthread_t who = pthread_self();

	for (unsigned i = 0; i < scaled(200); i++) {
		struct job job;

		loop_until(loop, has_2_threads, pool);
		job_init(&job);
		job.work.done = NULL;
		tern_pool_submit(pool, NULL, &job.work);
		while (!atomic_get(&job.runs))
			sched_yield();
		loop_until(loop, has_2_threads, pool);
		if (i)
			ck_assert(pthread_equal(who, job.ran_on));
		who = job.ran_on;
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static unsigned stopping;
static struct latch go_on;

static void stay_in_stop(void *user)
{
	atomic_bump(&stopping);
	latch_wait(&go_on);
}

/* It is no item that it is in, though it has run one. */
static void a_thread_in_its_stop_hook(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = TERN_NONE,
		.idle_ms_max = TERN_NONE,
		.thread_stop = stay_in_stop,
	};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool;
	char text[2000] = "";
	struct job job;
	int fd = memfd_create("dump", MFD_CLOEXEC);

	latch_init(&go_on, 1);
	job_init(&job);
	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	tern_pool_submit(pool, loop, &job.work);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	/* the first thread may have been too early for the item, and another have come for it */
	while (!atomic_get(&stopping) || atomic_get(&stopping) != stats_of(pool).threads)
		sched_yield();
	ck_assert_uint_eq(stats_of(pool).running, 0);
	ck_assert_int_eq(tern_pool_dump(pool, fd), 0);
	ck_assert_int_gt(pread(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(text, " awake"));
	ck_assert_ptr_null(strstr(text, "runs"));
	close(fd);
	latch_arrive(&go_on);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"bursts from the loop reach all threads", WITH_STATS(bursts_from_the_loop)},
	{"bursts in one call reach all threads", WITH_STATS(bursts_in_one_call)},
	{"bursts from another thread reach all threads", WITH_STATS(bursts_from_another_thread)},
	{"bursts from run and done reach all threads", WITH_STATS(bursts_from_run_and_done)},
	{"bursts without done reach all threads", bursts_without_done},
	{"a stuck item holds nobody up", a_stuck_item_holds_nobody_up},
	{"shrinks to threads_min after a burst", WITH_STATS(shrinks_to_min)},
	{"the last to sleep is the first called",
	 WITH_STATS(the_last_to_sleep_is_the_first_called)},
	{"none are kept, and one comes back", WITH_STATS(none_kept_and_back)},
	{"none are kept and none idles", WITH_STATS(none_kept_and_no_idling)},
	{"no idling keeps threads_min", WITH_STATS(no_idling_keeps_min)},
	{"idling for ever keeps all", WITH_STATS(forever_keeps_all)},
	{"a thread in its stop hook runs nothing", WITH_STATS(a_thread_in_its_stop_hook)},
	{"items without home always find a thread", WITH_STATS(without_home_one_thread_stays)},
};

int main(int argc, char **argv)
{
	return run_tests("threads", tests, COUNT(tests), argc, argv);
}
