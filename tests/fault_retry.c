/* SPDX-License-Identifier: MIT */
/* Pools that keep no thread, and a system that refuses one: what waits is not forgotten. */
#include <poll.h>
#include <sched.h>

#include "../workpool/pool.h"
#include "fault.h"
#include "harness.h"

#define FOR_EVER 1000000

static unsigned gone;

static void on_gone(void *user)
{
	atomic_bump(&gone);
}

/* A pool without a thread, and none to be had; loop has a way into it. */
static struct tern_pool *deserted(struct tern_loop *loop)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = TERN_NONE,
		.idle_ms_max = TERN_NONE,
		.gone = on_gone,
	};
	struct tern_pool *pool;
	struct job job;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	job_init(&job);
	tern_loop_prepare(loop);
	tern_pool_submit(pool, loop, &job.work);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	loop_until(loop, is_deserted, pool);
	fault_arm(FAULT_THREAD, 1, FOR_EVER);
	return pool;
}

static bool has_failed_twice(void *arg)
{
	return fault_hits() >= 2;
}

static void completes_when_a_thread_can_be_had(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = deserted(loop);
	struct job jobs[5];

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT(jobs); i++) {
			job_init(&jobs[i]);
			tern_pool_submit(pool, loop, &jobs[i].work);
		}
		loop_until(loop, has_failed_twice, NULL);
		ck_assert(tern_loop_alive(loop));
		ck_assert_uint_ge(stats_of(pool).threads_failed, 2);
		fault_disarm();
		ck_assert_int_eq(tern_loop_run(loop), 0);
		for (size_t i = 0; i < COUNT(jobs); i++)
			ck_assert_uint_eq(jobs[i].dones, 1);
		loop_until(loop, is_deserted, pool);
		fault_arm(FAULT_THREAD, 1, FOR_EVER);
	}
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void cancelled_meanwhile(void)
{
	struct tern_loop *loop = loop_new(), *other = loop_new();
	struct tern_pool *pool = deserted(loop);
	struct job job;

	job_init(&job);
	tern_pool_submit(pool, loop, &job.work);
	loop_until(loop, has_failed_twice, NULL);
	ck_assert(tern_work_cancel(&job.work));
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(job.status, -ECANCELED);
	tern_loop_destroy(loop);
	fault_disarm();
	job_init(&job);
	tern_pool_submit(pool, other, &job.work);
	ck_assert_int_eq(tern_loop_run(other), 0);
	ck_assert_int_eq(job.status, 0);
	tern_pool_destroy(pool);
	tern_loop_destroy(other);
}

static bool is_done(void *job)
{
	return ((struct job *)job)->dones;
}

/* Two loops wait; the one that came first has its item cancelled. */
static void another_loop_waits(bool first_is_destroyed)
{
	struct tern_loop *first = loop_new(), *second = loop_new();
	struct tern_pool *pool = deserted(first);
	struct job a, b;

	job_init(&a);
	job_init(&b);
	tern_loop_prepare(second);
	tern_pool_submit(pool, first, &a.work);
	tern_loop_prepare(first);
	tern_pool_submit(pool, second, &b.work);
	tern_loop_prepare(second);
	loop_until(first, has_failed_twice, NULL);
	ck_assert(tern_work_cancel(&a.work));
	loop_until(first, is_done, &a);
	fault_arm(FAULT_THREAD, 1, 2);
	if (first_is_destroyed)
		tern_loop_destroy(first);
	else
		ck_assert_int_eq(tern_loop_run(first), 0);
	ck_assert_int_eq(tern_loop_run(second), 0);
	ck_assert_uint_eq(b.dones, 1);
	ck_assert_int_eq(b.status, 0);
	if (!first_is_destroyed)
		tern_loop_destroy(first);
	tern_pool_destroy(pool);
	tern_loop_destroy(second);
}

static void the_loop_that_tries_is_destroyed(void)
{
	another_loop_waits(true);
}

static void the_loop_that_tries_has_nothing_left(void)
{
	another_loop_waits(false);
}

static unsigned bare_ran;

static void run_bare(struct tern_work *work)
{
	atomic_bump(&bare_ran);
}

/* An idle loop has a way into the pool, but its thread is elsewhere. */
static void a_loop_that_does_not_run(void)
{
	struct tern_loop *idle = loop_new(), *loop = loop_new();
	struct tern_pool *pool = deserted(idle);
	struct tern_work bare;
	struct job job;

	tern_work_init(&bare, run_bare, NULL);
	job_init(&job);
	fault_arm(FAULT_THREAD, 1, 4);
	tern_pool_submit(pool, NULL, &bare);
	tern_loop_prepare(loop);
	tern_pool_submit(pool, loop, &job.work);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	tern_pool_destroy(pool);
	ck_assert_uint_eq(atomic_get(&bare_ran), 1);
	tern_loop_destroy(idle);
	tern_loop_destroy(loop);
}

static void *run_with_item(void *arg)
{
	struct tern_pool *pool = arg;
	struct tern_loop *loop = loop_new();
	struct job jobs[10];

	tern_loop_prepare(loop);
	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < COUNT(jobs); i++) {
			job_init(&jobs[i]);
			tern_pool_submit(pool, loop, &jobs[i].work);
		}
		for (size_t i = 0; i < COUNT(jobs); i += 3)
			tern_work_cancel(&jobs[i].work);
		tern_loop_run(loop);
		for (size_t i = 0; i < COUNT(jobs); i++)
			if (jobs[i].dones != 1)
				abort();
		if (round % 3 == 2) {
			tern_loop_destroy(loop);
			loop = loop_new();
		}
	}
	tern_loop_destroy(loop);
	return NULL;
}

/* Threads are refused now and then, while loops come and go. */
static void many_loops_and_refusals(void)
{
	pthread_t threads[4];

	for (unsigned round = 0; round < scaled(20); round++) {
		struct tern_loop *loop = loop_new();
		struct tern_pool *pool = deserted(loop);

		for (size_t i = 0; i < COUNT(threads); i++)
			threads[i] = 0;
		fault_disarm();
		for (size_t i = 0; i < COUNT(threads); i++)
			threads[i] = thread_new(run_with_item, pool);
		for (int i = 0; i < 5; i++) {
			fault_arm(FAULT_THREAD, 1, 3);
			while (fault_hits() < 3 && stats_of(pool).started < 100)
				sched_yield();
		}
		fault_disarm();
		for (size_t i = 0; i < COUNT(threads); i++)
			thread_join(threads[i]);
		tern_pool_destroy(pool);
		tern_loop_destroy(loop);
	}
}

static void put_meanwhile(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = deserted(loop);
	struct job job;

	job_init(&job);
	tern_pool_submit(pool, loop, &job.work);
	tern_pool_put(pool);
	loop_until(loop, has_failed_twice, NULL);
	ck_assert_uint_eq(atomic_get(&gone), 0);
	fault_disarm();
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	loop_until(loop, is_gone, &gone);
	tern_loop_destroy(loop);
}

static void put_and_cancelled_meanwhile(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = deserted(loop);
	struct job job;

	job_init(&job);
	tern_pool_submit(pool, loop, &job.work);
	tern_pool_put(pool);
	loop_until(loop, has_failed_twice, NULL);
	ck_assert(tern_work_cancel(&job.work));
	ck_assert_uint_eq(atomic_get(&gone), 1);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(job.status, -ECANCELED);
	tern_loop_destroy(loop);
}

static void destroyed_meanwhile(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = deserted(loop);
	struct job job;

	job_init(&job);
	fault_arm(FAULT_THREAD, 1, 4);
	tern_pool_submit(pool, loop, &job.work);
	tern_pool_destroy(pool);
	ck_assert_uint_eq(fault_hits(), 4);
	ck_assert_uint_eq(job.runs, 1);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	tern_loop_destroy(loop);
}

/* Nobody waits for an item without home, but a loop's end, a submit and the pool's end see it. */
static void an_item_without_home(void)
{
	struct tern_loop *loop = loop_new(), *other = loop_new();
	struct tern_pool *pool = deserted(loop);
	struct tern_work bare;
	struct job job;

	tern_work_init(&bare, run_bare, NULL);
	tern_pool_submit(pool, NULL, &bare);
	tern_loop_prepare(loop);
	tern_loop_destroy(loop);
	ck_assert_uint_eq(bare_ran, 0);
	fault_disarm();
	job_init(&job);
	tern_loop_prepare(other);
	tern_pool_submit(pool, other, &job.work);
	ck_assert_int_eq(tern_loop_run(other), 0);
	ck_assert_uint_eq(job.dones, 1);
	tern_pool_destroy(pool);
	ck_assert_uint_eq(atomic_get(&bare_ran), 1);
	tern_loop_destroy(other);
}

static void an_item_without_home_and_destroy(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = deserted(loop);
	struct tern_work bare;

	tern_loop_destroy(loop);
	fault_arm(FAULT_THREAD, 1, 4);
	tern_work_init(&bare, run_bare, NULL);
	tern_pool_submit(pool, NULL, &bare);
	tern_pool_destroy(pool);
	ck_assert_uint_eq(atomic_get(&bare_ran), 1);
}

struct late {
	struct tern_pool *pool;
	struct tern_loop *loop;
	struct job job;
};

static void *submit_late(void *arg)
{
	struct late *late = arg;

	tern_pool_submit(late->pool, late->loop, &late->job.work);
	tern_loop_release(late->loop);
	return NULL;
}

/* The loop hears of the failure from another thread, while it sleeps. */
static void submitted_by_another_thread(void)
{
	struct late late = {.loop = loop_new()};
	pthread_t thread;

	late.pool = deserted(late.loop);
	fault_disarm();
	job_init(&late.job);
	tern_loop_hold(late.loop);
	fault_arm(FAULT_THREAD, 2, 3); /* not the one of this test */
	thread = thread_new(submit_late, &late);
	ck_assert_int_eq(tern_loop_run(late.loop), 0);
	ck_assert_uint_eq(late.job.dones, 1);
	ck_assert_uint_eq(fault_hits(), 3);
	thread_join(thread);
	tern_pool_destroy(late.pool);
	tern_loop_destroy(late.loop);
}

/* Loops that never submitted themselves have no way of their own into the pool: only the retry. */
static void homes_that_never_submitted(bool first_is_destroyed)
{
	struct tern_loop *own = loop_new(), *first = loop_new(), *second = loop_new();
	struct tern_pool *pool = deserted(own);
	struct job a, b;

	job_init(&a);
	job_init(&b);
	/* not bound yet: every submit is as from another thread */
	tern_pool_submit(pool, first, &a.work);
	tern_pool_submit(pool, second, &b.work);
	if (first_is_destroyed) {
		tern_loop_dispatch(first, 0);
		ck_assert(tern_work_cancel(&a.work));
		loop_until(first, is_done, &a);
		tern_loop_destroy(first);
	}
	/* several failures in a row from here on, each by the timer of the loop that tries */
	fault_arm(FAULT_THREAD, 1, 3);
	if (!first_is_destroyed)
		ck_assert_int_eq(tern_loop_run(first), 0);
	ck_assert_int_eq(tern_loop_run(second), 0);
	ck_assert_uint_eq(fault_hits(), 3);
	ck_assert_uint_eq(a.dones, 1);
	ck_assert_uint_eq(b.dones, 1);
	tern_pool_destroy(pool);
	if (!first_is_destroyed)
		tern_loop_destroy(first);
	tern_loop_destroy(second);
	tern_loop_destroy(own);
}

static void tried_again_and_again(void)
{
	homes_that_never_submitted(false);
}

static void taken_over(void)
{
	homes_that_never_submitted(true);
}

struct bound {
	struct tern_loop *loop;
	struct latch is_bound, refused;
	struct job job;
};

/* Its item is cancelled and comes home, but what came home before it stays there. */
static void *have_then_end(void *arg)
{
	struct bound *bound = arg;

	tern_loop_dispatch(bound->loop, 0);
	latch_arrive(&bound->is_bound);
	latch_wait(&bound->refused);
	if (!tern_work_cancel(&bound->job.work) || tern_loop_dispatch(bound->loop, 1) != 1)
		abort();
	return NULL;
}

/* A loop is asked to try, its thread ends before it hears, and another thread destroys it. */
static void asked_at_its_end(bool others_wait)
{
	struct tern_loop *own = loop_new(), *other = loop_new();
	struct tern_pool *pool = deserted(own);
	struct bound bound = {.loop = loop_new()};
	struct job job;
	pthread_t thread;

	latch_init(&bound.is_bound, 1);
	latch_init(&bound.refused, 1);
	job_init(&bound.job);
	job_init(&job);
	fault_disarm();
	thread = thread_new(have_then_end, &bound);
	fault_arm(FAULT_THREAD, 1, FOR_EVER);
	latch_wait(&bound.is_bound);
	tern_pool_submit(pool, bound.loop, &bound.job.work);
	/* not bound yet: it has no way of its own into the pool, only the retry */
	if (others_wait)
		tern_pool_submit(pool, other, &job.work);
	latch_arrive(&bound.refused);
	thread_join(thread);
	ck_assert_uint_eq(bound.job.dones, 1);
	tern_loop_destroy(bound.loop);
	fault_arm(FAULT_THREAD, 1, 2);
	if (!others_wait)
		tern_pool_submit(pool, other, &job.work);
	ck_assert_int_eq(tern_loop_run(other), 0);
	ck_assert_uint_eq(job.dones, 1);
	tern_pool_destroy(pool);
	tern_loop_destroy(other);
	tern_loop_destroy(own);
}

static void asked_at_its_end_for_nothing(void)
{
	asked_at_its_end(false);
}

static void asked_at_its_end_for_another(void)
{
	asked_at_its_end(true);
}

/* Nothing tells it of timers: until the descriptor is readable it waits. */
static void a_loop_that_never_prepares(void)
{
	struct tern_loop *own = loop_new(), *loop = loop_new();
	struct tern_pool *pool = deserted(own);
	struct pollfd p = {.fd = tern_loop_fd(loop), .events = POLLIN};
	struct job job;

	fault_arm(FAULT_THREAD, 1, 3);
	for (int round = 0; round < 2; round++) {
		job_init(&job);
		tern_pool_submit(pool, loop, &job.work);
		while (!job.dones) {
			ck_assert_int_eq(poll(&p, 1, -1), 1);
			tern_loop_dispatch(loop, 0);
		}
		while (stats_of(pool).threads)
			sched_yield();
	}
	ck_assert_uint_eq(fault_hits(), 3);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	tern_loop_destroy(own);
}

static struct latch inside, leave;

static void stand_still(struct tern_work *work)
{
	tern_blocking_begin();
	latch_arrive(&inside);
	latch_wait(&leave);
	tern_blocking_end();
}

/* The only thread stands still and has lent its slot, to a thread that is not to be had. */
static void the_only_thread_stands_still(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct job still, job;

	latch_init(&inside, 1);
	latch_init(&leave, 1);
	job_init(&still);
	tern_work_init(&still.work, stand_still, NULL);
	job_init(&job);
	fault_arm(FAULT_THREAD, 1, 4);
	tern_pool_submit(pool, NULL, &still.work);
	tern_pool_submit(pool, loop, &job.work);
	latch_wait(&inside);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	ck_assert_uint_eq(fault_hits(), 4);
	latch_arrive(&leave);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

/* The timer's turn comes at once: how long it was to wait stands in the pool. */
static void each_try_waits_twice_as_long(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = deserted(loop);
	uint64_t ms = 10;
	struct job job;

	job_init(&job);
	tern_pool_submit(pool, loop, &job.work);
	for (unsigned i = 0; i < 10; i++) {
		while (!pool->retry.timer.loop)
			tern_loop_prepare(loop);
		ck_assert_uint_eq(pool->retry.delay_ns, ms * TERN__MS);
		ms = ms < 500 ? 2 * ms : 1000;
		tern_timer_start(loop, &pool->retry.timer, 0);
		tern_loop_prepare(loop);
	}
	ck_assert_uint_eq(ms, 1000);
	fault_disarm();
	tern_timer_start(loop, &pool->retry.timer, 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"completes when a thread can be had", WITH_STATS(completes_when_a_thread_can_be_had)},
	{"cancelled meanwhile", WITH_STATS(cancelled_meanwhile)},
	{"the loop that tries is destroyed", WITH_STATS(the_loop_that_tries_is_destroyed)},
	{"the loop that tries has nothing left", WITH_STATS(the_loop_that_tries_has_nothing_left)},
	{"a loop that does not run is not waited for", WITH_STATS(a_loop_that_does_not_run)},
	{"many loops, and refusals now and then", WITH_STATS(many_loops_and_refusals)},
	{"put meanwhile", WITH_STATS(put_meanwhile)},
	{"put and cancelled meanwhile", WITH_STATS(put_and_cancelled_meanwhile)},
	{"destroyed meanwhile", WITH_STATS(destroyed_meanwhile)},
	{"an item without home", WITH_STATS(an_item_without_home)},
	{"an item without home, and destroy", WITH_STATS(an_item_without_home_and_destroy)},
	{"tried again and again, by timer alone", WITH_STATS(tried_again_and_again)},
	{"each try waits twice as long, up to a second", WITH_STATS(each_try_waits_twice_as_long)},
	{"taken over from a loop that is destroyed", WITH_STATS(taken_over)},
	{"submitted by another thread", WITH_STATS(submitted_by_another_thread)},
	{"by a loop that never prepares", WITH_STATS(a_loop_that_never_prepares)},
	{"a loop is asked at its end, for nothing", WITH_STATS(asked_at_its_end_for_nothing)},
	{"a loop is asked at its end, for another", WITH_STATS(asked_at_its_end_for_another)},
	{"the only thread stands still, its slot lent", the_only_thread_stands_still},
};

int main(int argc, char **argv)
{
	return run_tests("retry", tests, COUNT(tests), argc, argv);
}
