/* SPDX-License-Identifier: MIT */
/*
 * Forked, and the system refuses what after_fork needs; and no memory stays behind in a child.
 * libcheck's assertions allocate: here MUST takes their place.
 */
#include <sched.h>

#include "fault.h"
#include "forking.h"

static struct tern_loop *loop;
static struct tern_pool *pool;
static struct tern_lane *lanes[2];
static unsigned started, stopped, gone;
static long memory_before;

static void on_start(void *user)
{
	atomic_bump(&started);
}

static void on_stop(void *user)
{
	atomic_bump(&stopped);
}

static void on_gone(void *user)
{
	atomic_bump(&gone);
}

static struct tern_pool_stats now(void)
{
	struct tern_pool_stats stats = {.size = sizeof(stats)};

	MUST(!tern_pool_stats(pool, &stats));
	return stats;
}

static void open_all(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = 3,
		.threads_max = 3,
		.thread_start = on_start,
		.thread_stop = on_stop,
		.gone = on_gone,
	};

	memory_before = fault_memory();
	MUST(!tern_loop_create(&loop, NULL));
	MUST(!tern_pool_create(&pool, &opts));
	for (size_t i = 0; i < COUNT(lanes); i++)
		MUST(!tern_lane_create(&lanes[i], pool, NULL));
	tern_loop_prepare(loop); /* so that there is a port */
	work_through(pool, loop);
	while (now().idle != 3)
		sched_yield();
}

static void close_all(void)
{
	for (size_t i = 0; i < COUNT(lanes); i++)
		tern_lane_put(lanes[i]);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void no_descriptor(void *arg)
{
	fault_arm(FAULT_EVENTFD, 1, 1);
	MUST(tern_loop_after_fork(loop) == -EMFILE && fault_disarm() == 1);
	MUST(!tern_loop_after_fork(loop) && !tern_pool_after_fork(pool));
	work_through(pool, loop);
	close_all();
	MUST(fault_memory() == memory_before);
}

static void refuse(enum fault_kind kind, unsigned first, int e)
{
	fault_arm(kind, first, 1);
	MUST(tern_pool_after_fork(pool) == e && fault_disarm() == 1);
	MUST(started == stopped && !gone);
	MUST(tern_pool_stats(pool, NULL) == -ECHILD);
}

static void no_thread(void *arg)
{
	started = stopped = gone = 0;
	for (unsigned i = 1; i <= 3; i++) {
		refuse(FAULT_THREAD, i, -EAGAIN);
		MUST(started == i * (i - 1) / 2);
	}
	refuse(FAULT_ATTRIBUTE, 2, -ENOMEM);
	refuse(FAULT_MUTEX, 1, -ENOMEM);
	MUST(!tern_pool_after_fork(pool) && !tern_loop_after_fork(loop));
	work_through(pool, loop);
	close_all();
	MUST(gone == 1 && started == stopped && fault_memory() == memory_before);
}

static void as_it_is(void *arg)
{
	close_all();
	MUST(!gone && fault_memory() == memory_before);
}

/* After a failure it is as it was: freed in the same way. */
static void refused_and_put(void *arg)
{
	fault_arm(FAULT_THREAD, 3, 1);
	MUST(tern_pool_after_fork(pool) == -EAGAIN && fault_disarm() == 1);
	tern_pool_put(tern_pool_get(pool));
	tern_pool_put(pool);
	tern_lane_put(lanes[0]);
	MUST(!tern_loop_after_fork(loop));
	tern_lane_put(lanes[1]);
	tern_loop_destroy(loop);
	MUST(!gone && fault_memory() == memory_before);
}

static void refused(void)
{
	open_all();
	in_child(no_descriptor, NULL);
	in_child(no_thread, NULL);
	in_child(as_it_is, NULL);
	in_child(refused_and_put, NULL);
	work_through(pool, loop);
	close_all();
	MUST(gone == 1);
}

/* Lanes that were put while their items were out, and items in all places. */
static void busy(void)
{
	struct latch in_run, go;
	struct job jobs[20];

	open_all();
	latch_init(&in_run, 3);
	latch_init(&go, 1);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		quiet_init(&jobs[i]);
		if (i < 3) {
			jobs[i].arrives = &in_run;
			jobs[i].waits = &go;
		} else {
			tern_work_set_lane(&jobs[i].work, lanes[i % 2]);
		}
		tern_pool_submit(pool, loop, &jobs[i].work);
		if (i == 2) {
			tern_loop_flush(loop);
			latch_wait(&in_run);
		}
	}
	in_child(as_it_is, NULL);
	tern_lane_put(lanes[0]);
	lanes[0] = NULL;
	if (!(tern_loop_prepare(loop), fork_child())) {
		tern_pool_destroy(pool);
		tern_lane_put(lanes[1]);
		tern_loop_destroy(loop); /* the last that can name the pool */
		MUST(!gone && fault_memory() == memory_before);
		_exit(EXIT_SUCCESS);
	}
	reap(-1);
	latch_arrive(&go);
	MUST(!tern_loop_run(loop));
	for (size_t i = 0; i < COUNT(jobs); i++)
		MUST(jobs[i].dones == 1);
	tern_lane_put(lanes[1]);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

/* The pool has no user left when the process forks: its loop is the last to know it. */
static void put_before(void)
{
	struct latch in_run, go;
	struct job job;

	open_all();
	latch_init(&in_run, 1);
	latch_init(&go, 1);
	quiet_init(&job);
	job.arrives = &in_run;
	job.waits = &go;
	tern_pool_submit(pool, loop, &job.work);
	tern_loop_flush(loop);
	latch_wait(&in_run);
	for (size_t i = 0; i < COUNT(lanes); i++)
		tern_lane_put(lanes[i]);
	tern_pool_put(pool);
	if (!fork_child()) {
		MUST(!tern_loop_after_fork(loop));
		tern_loop_destroy(loop);
		MUST(!gone && fault_memory() == memory_before);
		_exit(EXIT_SUCCESS);
	}
	reap(-1);
	latch_arrive(&go);
	MUST(!tern_loop_run(loop));
	MUST(job.dones == 1);
	tern_loop_destroy(loop);
}

/* A pool without a thread, and a loop that has a timer to try again. */
static void retrying(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = TERN_NONE,
		.idle_ms_max = TERN_NONE,
	};
	struct job job;

	memory_before = fault_memory();
	MUST(!tern_loop_create(&loop, NULL));
	MUST(!tern_pool_create(&pool, &opts));
	while (now().threads)
		sched_yield();
	fault_arm(FAULT_THREAD, 1, 1000000);
	quiet_init(&job);
	tern_pool_submit(pool, loop, &job.work);
	for (int armed = 0; armed < 2; armed++) {
		pid_t child = fork_child();

		if (!child) {
			fault_disarm();
			MUST(tern_pool_after_fork(pool) == -EBUSY);
			if (armed)
				tern_pool_put(pool);
			MUST(!tern_loop_after_fork(loop) && !tern_loop_alive(loop));
			tern_loop_destroy(loop);
			if (!armed)
				tern_pool_put(pool);
			MUST(fault_memory() == memory_before);
			_exit(EXIT_SUCCESS);
		}
		reap(child);
		tern_loop_prepare(loop); /* the post arrives, and starts the timer */
	}
	/* cancelled: the pool is idle, and the timer still armed */
	MUST(tern_work_cancel(&job.work));
	if (!fork_child()) {
		fault_disarm();
		MUST(!tern_pool_after_fork(pool) && !tern_loop_after_fork(loop));
		MUST(!tern_loop_alive(loop));
		work_through(pool, loop);
		tern_loop_destroy(loop);
		tern_pool_destroy(pool);
		MUST(fault_memory() == memory_before);
		_exit(EXIT_SUCCESS);
	}
	reap(-1);
	fault_disarm();
	MUST(!tern_loop_run(loop));
	MUST(job.status == -ECANCELED);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"busy, with lanes already put", WITH_STATS(busy)},
	{"put before the fork", WITH_STATS(put_before)},
	{"refused is as before", WITH_STATS(refused)},
	{"while a loop retries", WITH_STATS(retrying)},
};

int main(int argc, char **argv)
{
	return run_fork_tests("fork faults", tests, COUNT(tests), 2, argc, argv);
}
