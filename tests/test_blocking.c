/* SPDX-License-Identifier: MIT */
/* tern_blocking_begin and _end: who stands still makes room for another, and no more than that. */
#include <sched.h>

#include "harness.h"

static struct tern_pool *pool_lending(uint32_t threads_max, uint32_t blocking_max,
				      uint32_t idle_ms_max)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_max = threads_max,
		.idle_ms_max = idle_ms_max,
		.blocking_max = blocking_max,
	};
	struct tern_pool *pool = NULL;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	return pool;
}

/* An item with a section in it; it tells when it is inside, and waits there and after it. */
struct stay {
	struct job job;
	unsigned depth, ended;
	struct latch inside, leave, outside, finish;
};

static void stay_run(struct tern_work *work)
{
	struct stay *stay = tern_container_of(work, struct stay, job.work);

	atomic_bump(&stay->job.runs);
	for (unsigned i = 0; i < stay->depth; i++)
		tern_blocking_begin();
	/* what is inside another section neither lends another slot nor returns the first */
	tern_blocking_begin();
	tern_blocking_end();
	latch_arrive(&stay->inside);
	latch_wait(&stay->leave);
	for (unsigned i = 0; i < stay->depth; i++)
		tern_blocking_end();
	latch_arrive(&stay->outside);
	latch_wait(&stay->finish);
	atomic_bump(&stay->ended);
}

static void stay_init(struct stay *stay)
{
	memset(stay, 0, sizeof(*stay));
	tern_work_init(&stay->job.work, stay_run, job_done);
	stay->depth = 1;
	latch_init(&stay->inside, 1);
	latch_init(&stay->leave, 1);
	latch_init(&stay->outside, 1);
	latch_init(&stay->finish, 1);
}

static void stay_end(struct stay *stay)
{
	latch_arrive(&stay->leave);
	latch_arrive(&stay->finish);
}

/* On an only thread, inside its section. */
static void stay_inside(struct stay *stay, struct tern_pool *pool, struct tern_loop *loop)
{
	stay_init(stay);
	tern_pool_submit(pool, loop, &stay->job.work);
	tern_loop_flush(loop);
	latch_wait(&stay->inside);
}

static void run_to_the_end(struct tern_loop *loop, struct tern_pool *pool)
{
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void another_runs_meanwhile(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_lending(1, 0, 0);
	struct stay stay;
	struct job job;

	stay_inside(&stay, pool, loop);
	for (unsigned i = 0; i < 100; i++) {
		job_init(&job);
		tern_pool_submit(pool, loop, &job.work);
		while (!job.dones) {
			tern_loop_prepare(loop);
			tern_loop_dispatch(loop, 0);
		}
	}
	ck_assert_uint_eq(stay.job.dones, 0);
	ck_assert_uint_eq(stats_of(pool).threads, 2);
	stay_end(&stay);
	run_to_the_end(loop, pool);
	ck_assert_uint_eq(stay.job.dones, 1);
}

/* The item lies with the loop, which does not come round; begin itself has to find it. */
static void what_the_loop_has_batched_is_taken(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_lending(1, 0, 0);
	struct latch arrived, go, other;
	struct stay stay;
	struct job job, first;

	tern_loop_prepare(loop);
	latch_init(&arrived, 1);
	latch_init(&go, 1);
	latch_init(&other, 1);
	job_init(&first);
	first.arrives = &arrived;
	first.waits = &go;
	stay_init(&stay);
	job_init(&job);
	job.arrives = &other;
	tern_pool_submit(pool, loop, &first.work);
	tern_pool_submit(pool, loop, &stay.job.work);
	tern_loop_flush(loop);
	latch_wait(&arrived);
	tern_pool_submit(pool, loop, &job.work); /* somebody is awake: it waits in the outbox */
	latch_arrive(&go);
	latch_wait(&stay.inside);
	latch_wait(&other);
	stay_end(&stay);
	run_to_the_end(loop, pool);
}

/* Nothing wakes the loop, which is in a long callback: submit itself sees that all stand still. */
static void submit_and_wait(struct tern_pool *pool, struct tern_loop *loop)
{
	struct latch ran;
	struct job job;

	latch_init(&ran, 1);
	job_init(&job);
	job.arrives = &ran;
	tern_loop_prepare(loop);
	tern_pool_submit(pool, loop, &job.work);
	latch_wait(&ran);
	while (!job.dones) {
		tern_loop_prepare(loop);
		tern_loop_dispatch(loop, 0);
	}
}

static bool both_sleep(void *pool)
{
	return stats_of(pool).idle == 2;
}

static void a_submit_sees_that_all_stand_still(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_lending(1, 0, TERN_FOREVER);
	struct stay stay;

	stay_inside(&stay, pool, loop);
	submit_and_wait(pool, loop);
	stay_end(&stay);
	loop_until(loop, both_sleep, pool);
	submit_and_wait(pool, loop);
	ck_assert_uint_eq(stay.job.dones, 1);
	run_to_the_end(loop, pool);
}

/* Whether the second of two blocking items, and one after them, get a thread. */
static void lend_at_most(uint32_t blocking_max, uint32_t lent)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_lending(1, blocking_max, 0);
	struct stay stays[3];
	unsigned inside = 0;

	for (unsigned i = 0; i < 3; i++) {
		stay_init(&stays[i]);
		tern_pool_submit(pool, loop, &stays[i].job.work);
	}
	tern_loop_flush(loop);
	for (; inside <= lent && inside < 3; inside++)
		latch_wait(&stays[inside].inside);
	for (unsigned i = 0; i < 100; i++)
		tern_loop_flush(loop);
	ck_assert_uint_eq(stats_of(pool).threads, inside);
	if (inside < 3)
		ck_assert_uint_eq(atomic_get(&stays[inside].job.runs), 0);
	for (unsigned i = 0; i < 3; i++)
		stay_end(&stays[i]);
	run_to_the_end(loop, pool);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(stays[i].job.dones, 1);
}

static void none_are_lent(void)
{
	lend_at_most(TERN_NONE, 0);
}

static void one_is_lent(void)
{
	lend_at_most(1, 1);
}

static void any_number_is_lent(void)
{
	lend_at_most(TERN_FOREVER, 3);
}

static void nested(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_lending(1, 1, 0);
	struct latch ran;
	struct stay stay;
	struct job job;

	stay_init(&stay);
	stay.depth = 3;
	tern_pool_submit(pool, loop, &stay.job.work);
	tern_loop_flush(loop);
	latch_wait(&stay.inside);
	latch_init(&ran, 1);
	job_init(&job);
	job.arrives = &ran;
	tern_pool_submit(pool, loop, &job.work);
	tern_loop_flush(loop);
	latch_wait(&ran);
	stay_end(&stay);
	run_to_the_end(loop, pool);
}

/* The slot is another's, and the item goes on at once. */
static void the_end_does_not_wait(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_lending(1, 0, 0);
	struct latch arrived, go;
	struct stay stay;
	struct job job;

	latch_init(&arrived, 1);
	latch_init(&go, 1);
	stay_inside(&stay, pool, loop);
	job_init(&job);
	job.arrives = &arrived;
	job.waits = &go;
	tern_pool_submit(pool, loop, &job.work);
	tern_loop_flush(loop);
	latch_wait(&arrived);
	latch_arrive(&stay.leave);
	latch_wait(&stay.outside);
	latch_arrive(&stay.finish);
	while (!stay.job.dones) {
		tern_loop_prepare(loop);
		tern_loop_dispatch(loop, 0);
	}
	latch_arrive(&go);
	run_to_the_end(loop, pool);
}

static bool one_sleeps(void *pool)
{
	return stats_of(pool).idle == 1;
}

static bool one_has_left(void *pool)
{
	return stats_of(pool).threads_exited == 1;
}

/* Two are in service where one may be: the first to finish takes no other item. */
static void surplus(uint32_t idle_ms_max, bool (*is_out_of_service)(void *pool))
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_lending(1, 0, idle_ms_max);
	struct latch arrived, go;
	struct job jobs[3];
	struct stay stay;

	latch_init(&arrived, 1);
	latch_init(&go, 1);
	stay_inside(&stay, pool, loop);
	for (unsigned i = 0; i < COUNT(jobs); i++)
		job_init(&jobs[i]);
	jobs[0].arrives = &arrived;
	jobs[0].waits = &go;
	for (unsigned i = 0; i < COUNT(jobs); i++)
		tern_pool_submit(pool, loop, &jobs[i].work);
	tern_loop_flush(loop);
	latch_wait(&arrived);
	stay_end(&stay);
	loop_until(loop, is_out_of_service, pool);
	ck_assert_uint_eq(stay.ended, 1);
	ck_assert_uint_eq(stats_of(pool).queued, 2);
	for (unsigned i = 0; i < 100; i++)
		tern_loop_flush(loop); /* nobody is called who may not come */
	ck_assert_uint_eq(atomic_get(&jobs[1].runs), 0);
	ck_assert_uint_eq(stats_of(pool).threads - stats_of(pool).idle, 1);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	for (unsigned i = 0; i < COUNT(jobs); i++)
		ck_assert_uint_eq(jobs[i].dones, 1);
	run_to_the_end(loop, pool);
}

static void the_surplus_sleeps(void)
{
	surplus(TERN_FOREVER, one_sleeps);
}

static void the_surplus_leaves(void)
{
	surplus(TERN_NONE, one_has_left);
}

static void the_surplus_has_slept_and_leaves(void)
{
	surplus(1, one_has_left);
}

/* The pool is put while its thread is inside, and a waiting item needs another thread. */
static void put_meanwhile(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_lending(1, 0, 0);
	struct latch ran;
	struct stay stay;
	struct job job;

	latch_init(&ran, 1);
	stay_inside(&stay, pool, loop);
	job_init(&job);
	job.arrives = &ran;
	tern_loop_prepare(loop);
	tern_pool_submit(pool, loop, &job.work);
	tern_pool_put(pool);
	latch_wait(&ran);
	stay_end(&stay);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones + stay.job.dones, 2);
	tern_loop_destroy(loop);
}

static void sections_elsewhere(struct tern_work *work)
{
	job_run(work);
	tern_blocking_end();
	tern_blocking_begin();
	tern_blocking_begin();
	tern_blocking_end();
}

static void elsewhere_it_does_nothing(void)
{
	struct tern_loop *loop = loop_new();
	struct job job;

	job_init(&job);
	sections_elsewhere(&job.work);
	job_init(&job);
	job.work.run = sections_elsewhere;
	tern_pool_submit(NULL, loop, &job.work);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	tern_loop_destroy(loop);
}

static void only_begin(void *user)
{
	tern_blocking_begin();
}

static void only_end(void *user)
{
	tern_blocking_end();
}

/* What is left open in one is neither the worker's nor its successor's. */
static void in_hooks(void (*start)(void *user), void (*stop)(void *user))
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .threads_min = TERN_NONE,
					    .threads_max = 1,
					    .idle_ms_max = TERN_NONE,
					    .thread_start = start,
					    .thread_stop = stop};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	for (int i = 0; i < 3; i++) {
		struct job job;

		while (stats_of(pool).threads)
			sched_yield();
		job_init(&job);
		tern_pool_submit(pool, loop, &job.work);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert_uint_eq(job.dones, 1);
	}
	ck_assert_uint_eq(stats_of(pool).threads_peak, 1);
	run_to_the_end(loop, pool);
}

static void in_hooks_it_does_nothing(void)
{
	in_hooks(only_begin, only_begin);
	in_hooks(only_end, only_end);
	in_hooks(only_begin, only_end);
}

static void end_alone(struct tern_work *work)
{
	expect_fatal("tern_blocking_end", work->user);
	tern_blocking_end();
}

static void begin_alone(struct tern_work *work)
{
	expect_fatal("tern_blocking_begin", work->user);
	tern_blocking_begin();
}

static void run_one(tern_work_fn *run, tern_work_fn *done)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_work work;

	tern_work_init(&work, run, done);
	work.user = pool;
	tern_pool_submit(pool, loop, &work);
	run_to_the_end(loop, pool);
}

static void an_end_without_begin(void)
{
	run_one(end_alone, job_done);
}

static void a_begin_without_end(void)
{
	run_one(begin_alone, job_done);
}

static void a_begin_without_end_or_done(void)
{
	run_one(begin_alone, NULL);
}

#define THREADS 2
#define LENT	3
#define SITTERS 40

static unsigned sitting, standing;

/* Now and then inside a section, never for long. */
static void sit(struct tern_work *work)
{
	struct job *job = tern_container_of(work, struct job, work);

	atomic_bump(&job->runs);
	ck_assert_uint_le(atomic_bump(&sitting), THREADS + LENT);
	tern_blocking_begin();
	atomic_bump(&standing);
	for (unsigned i = 0; i < 20; i++)
		sched_yield();
	tern_blocking_end();
	__atomic_sub_fetch(&sitting, 1, __ATOMIC_SEQ_CST);
}

/* Both sides race: items come and go while threads lend their slots and take them back. */
static void a_storm(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_lending(THREADS, LENT, 1);
	struct job jobs[SITTERS];

	for (unsigned round = 0; round < scaled(200); round++) {
		for (unsigned i = 0; i < SITTERS; i++) {
			job_init(&jobs[i]);
			if (i % 2)
				jobs[i].work.run = sit;
			tern_pool_submit(pool, loop, &jobs[i].work);
		}
		ck_assert_int_eq(tern_loop_run(loop), 0);
		for (unsigned i = 0; i < SITTERS; i++)
			ck_assert_uint_eq(jobs[i].dones, 1);
	}
	ck_assert_uint_eq(standing, scaled(200) * SITTERS / 2);
	ck_assert_uint_le(stats_of(pool).threads_peak, THREADS + LENT);
	run_to_the_end(loop, pool);
}

static const struct test tests[] = {
	{"another item runs meanwhile, beyond threads_max", WITH_STATS(another_runs_meanwhile)},
	{"what a loop has batched is taken too", what_the_loop_has_batched_is_taken},
	{"a submit sees that all stand still", WITH_STATS(a_submit_sees_that_all_stand_still)},
	{"no slot is lent with blocking_max TERN_NONE", WITH_STATS(none_are_lent)},
	{"no more than blocking_max are lent", WITH_STATS(one_is_lent)},
	{"any number with blocking_max TERN_FOREVER", WITH_STATS(any_number_is_lent)},
	{"sections nest", nested},
	{"the end never waits", the_end_does_not_wait},
	{"the surplus thread sleeps after its item though others wait",
	 WITH_STATS(the_surplus_sleeps)},
	{"the surplus thread leaves after its item though others wait",
	 WITH_STATS(the_surplus_leaves)},
	{"the surplus thread has slept, and leaves though others wait",
	 WITH_STATS(the_surplus_has_slept_and_leaves)},
	{"a put pool finishes while its thread is inside", put_meanwhile},
	{"elsewhere than on a worker it does nothing", elsewhere_it_does_nothing},
	{"in hooks it does nothing", WITH_STATS(in_hooks_it_does_nothing)},
	{"fatal: an end without begin", an_end_without_begin},
	{"fatal: a run that returns inside a section", a_begin_without_end},
	{"fatal: a run without done that returns inside a section", a_begin_without_end_or_done},
	{"never more threads than may be, in a storm of sections", WITH_STATS(a_storm)},
};

int main(int argc, char **argv)
{
	return run_tests("blocking", tests, COUNT(tests), argc, argv);
}
