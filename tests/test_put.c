/* SPDX-License-Identifier: MIT */
/* The pool's end: put and destroy from everywhere, with work pending, running and completing. */
#include "harness.h"

#define N 50

/* A pool that is put somewhere while items wait, run and complete; accounts at the end. */
struct ending {
	struct tern_pool *pool;
	struct tern_loop *loop;
	struct tern_work put_here;
	struct job jobs[N];
	struct latch met;
	unsigned started, stopped, gone;
	bool put_in_start, put_in_stop;
};

static void start_hook(void *user)
{
	struct ending *e = user;

	if (atomic_bump(&e->started) == 2 && e->put_in_start)
		tern_pool_put(e->pool);
}

static void stop_hook(void *user)
{
	struct ending *e = user;

	if (atomic_bump(&e->stopped) == 1 && e->put_in_stop)
		tern_pool_put(e->pool);
}

static void gone_hook(void *user)
{
	struct ending *e = user;

	ck_assert_uint_eq(atomic_get(&e->started), atomic_get(&e->stopped));
	ck_assert_uint_eq(atomic_bump(&e->gone), 1);
}

static bool is_over(void *user)
{
	struct ending *e = user;

	return atomic_get(&e->gone) && !tern_loop_alive(e->loop);
}

static void ending_open(struct ending *e, uint32_t min, uint32_t max)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = min,
		.threads_max = max,
		.idle_ms_max = min == TERN_NONE ? TERN_NONE : 1,
		.thread_start = start_hook,
		.thread_stop = stop_hook,
		.gone = gone_hook,
		.user = e,
	};

	e->loop = loop_new();
	tern_loop_prepare(e->loop);
	for (size_t i = 0; i < COUNT(e->jobs); i++)
		job_init(&e->jobs[i]);
	ck_assert_int_eq(tern_pool_create(&e->pool, &opts), 0);
}

/* In one call: what runs of them may put the pool. */
static void submit_jobs(struct ending *e)
{
	struct tern_work *list[N];

	for (size_t i = 0; i < N; i++)
		list[i] = &e->jobs[i].work;
	tern_pool_submit_many(e->pool, e->loop, list, N);
}

/* The first two jobs wait for each other, so that there must be two threads. */
static void two_must_meet(struct ending *e)
{
	latch_init(&e->met, 2);
	for (size_t i = 0; i < 2; i++)
		e->jobs[i].arrives = e->jobs[i].waits = &e->met;
}

static void ending_close(struct ending *e)
{
	loop_until(e->loop, is_over, e);
	for (size_t i = 0; i < N; i++)
		ck_assert_uint_eq(e->jobs[i].dones, 1);
	ck_assert_uint_eq(e->gone, 1);
	tern_loop_destroy(e->loop);
}

static void put_user(struct tern_work *work)
{
	tern_pool_put(((struct ending *)work->user)->pool);
}

static void put_with_work_pending(void)
{
	for (uint32_t max = 1; max < 5; max++) {
		struct ending e = {0};

		ending_open(&e, 1, max);
		submit_jobs(&e);
		tern_pool_put(e.pool);
		ending_close(&e);
	}
}

static void put_from_a_callback(tern_work_fn *run, tern_work_fn *done)
{
	for (unsigned round = 0; round < scaled(200); round++) {
		struct ending e = {0};

		ending_open(&e, round % 2 ? TERN_NONE : 1, 1 + round % 4);
		submit_jobs(&e);
		tern_work_init(&e.put_here, run, done);
		e.put_here.user = &e;
		tern_pool_submit(e.pool, e.loop, &e.put_here);
		ending_close(&e);
	}
}

static void put_from_done(void)
{
	put_from_a_callback(run_nothing, put_user);
}

static void put_from_run(void)
{
	put_from_a_callback(put_user, ignore_done);
}

static void *put_pool(void *pool)
{
	tern_pool_put(pool);
	return NULL;
}

static void put_from_another_thread(void)
{
	for (unsigned round = 0; round < scaled(200); round++) {
		struct ending e = {0};
		pthread_t thread;

		ending_open(&e, 1 + round % 3, 3);
		submit_jobs(&e);
		thread = thread_new(put_pool, e.pool);
		ending_close(&e);
		thread_join(thread);
	}
}

static void put_from_a_hook(bool start)
{
	for (unsigned round = 0; round < scaled(200); round++) {
		struct ending e = {.put_in_start = start, .put_in_stop = !start};

		ending_open(&e, 1, 2);
		two_must_meet(&e);
		submit_jobs(&e);
		ending_close(&e);
	}
}

static void put_from_start_hook(void)
{
	put_from_a_hook(true);
}

static void put_from_stop_hook(void)
{
	put_from_a_hook(false);
}

static void put_without_a_thread(void)
{
	struct ending e = {0};

	ending_open(&e, TERN_NONE, 2);
	submit_jobs(&e);
	ck_assert_int_eq(tern_loop_run(e.loop), 0);
	loop_until(e.loop, is_deserted, e.pool);
	tern_pool_put(e.pool);
	ck_assert_uint_eq(e.gone, 1);
	ending_close(&e);
}

/* Items that go on submitting items after the put. */
struct continued {
	struct tern_work work;
	struct ending *ending;
	struct tern_work next[20];
	unsigned n;
};

static void submit_next(struct tern_work *work)
{
	struct continued *c = work->user;

	if (c->n == COUNT(c->next))
		return;
	work = &c->next[c->n++];
	tern_work_init(work, submit_next, c->n % 2 ? ignore_done : NULL);
	work->user = c;
	tern_pool_submit(c->ending->pool, c->ending->loop, work);
}

static void put_and_go_on(struct tern_work *work)
{
	struct continued *c = work->user;

	tern_pool_put(c->ending->pool);
	submit_next(work);
}

static void continuations_after_put(void)
{
	for (unsigned round = 0; round < scaled(200); round++) {
		struct ending e = {0};
		struct continued c = {.ending = &e};

		ending_open(&e, 1, 1 + round % 3);
		submit_jobs(&e);
		tern_work_init(&c.work, put_and_go_on, ignore_done);
		c.work.user = &c;
		tern_pool_submit(e.pool, e.loop, &c.work);
		ending_close(&e);
		ck_assert_uint_eq(c.n, COUNT(c.next));
	}
}

/* A worker may run a loop of its own; what it submits there is from a running item, too. */
static void run_a_loop(struct tern_work *work)
{
	struct ending *e = work->user;
	struct tern_loop *own = loop_new();
	struct job job;

	tern_loop_prepare(own);
	tern_pool_put(e->pool);
	job_init(&job);
	tern_pool_submit(e->pool, own, &job.work);
	ck_assert_int_eq(tern_loop_run(own), 0);
	ck_assert_uint_eq(job.dones, 1);
	ck_assert(pthread_equal(job.done_on, pthread_self()));
	tern_loop_destroy(own);
}

static void a_worker_with_a_loop_after_put(void)
{
	struct ending e = {0};

	ending_open(&e, 1, 2);
	submit_jobs(&e);
	tern_work_init(&e.put_here, run_a_loop, ignore_done);
	e.put_here.user = &e;
	tern_pool_submit(e.pool, e.loop, &e.put_here);
	ending_close(&e);
}

static void destroy_with_work_pending(void)
{
	for (unsigned round = 0; round < scaled(200); round++) {
		struct ending e = {0};

		ending_open(&e, round % 3 ? 1 + round % 3 : TERN_NONE, 3);
		submit_jobs(&e);
		if (round % 2)
			tern_loop_prepare(e.loop);
		tern_pool_destroy(e.pool);
		/* all has run, every thread is gone, completions are on their way */
		for (size_t i = 0; i < N; i++)
			ck_assert_uint_eq(e.jobs[i].runs, 1);
		ck_assert_uint_eq(e.gone, 1);
		ending_close(&e);
	}
}

static void destroy_in_done(struct tern_work *work)
{
	tern_pool_destroy(((struct ending *)work->user)->pool);
}

static void destroy_from_done(void)
{
	put_from_a_callback(run_nothing, destroy_in_done);
}

/* Only the last put ends it. */
static void references_are_counted(void)
{
	struct ending e = {0};
	struct job job;

	ending_open(&e, 1, 1);
	ck_assert_ptr_eq(tern_pool_get(e.pool), e.pool);
	ck_assert_ptr_eq(tern_pool_get(e.pool), e.pool);
	tern_pool_put(e.pool);
	tern_pool_put(e.pool);
	job_init(&job);
	tern_pool_submit(e.pool, e.loop, &job.work);
	ck_assert_int_eq(tern_loop_run(e.loop), 0);
	ck_assert_uint_eq(atomic_get(&e.gone), 0);
	submit_jobs(&e);
	tern_pool_put(e.pool);
	ending_close(&e);
}

/* The memory of a pool may be anyone's at once; a loop that used it lives on. */
static void a_loop_outlives_many_pools(void)
{
	struct tern_loop *loop = loop_new();

	tern_loop_prepare(loop);
	for (unsigned round = 0; round < scaled(500); round++) {
		struct tern_pool *pool = pool_new(1 + round % 2, 2);
		struct job jobs[3];

		for (size_t i = 0; i < COUNT(jobs); i++) {
			job_init(&jobs[i]);
			tern_pool_submit(pool, loop, &jobs[i].work);
		}
		if (round % 2)
			tern_pool_put(pool);
		else
			tern_pool_destroy(pool);
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	tern_loop_destroy(loop);
}

static void a_pool_outlives_many_loops(void)
{
	struct tern_pool *pool = pool_new(1, 2);

	for (unsigned round = 0; round < scaled(500); round++) {
		struct tern_loop *loop = loop_new();
		struct job jobs[3];

		for (size_t i = 0; i < COUNT(jobs); i++) {
			job_init(&jobs[i]);
			tern_pool_submit(pool, loop, &jobs[i].work);
		}
		ck_assert_int_eq(tern_loop_run(loop), 0);
		tern_loop_destroy(loop);
	}
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"put with work pending", put_with_work_pending},
	{"put from done", put_from_done},
	{"put from run", put_from_run},
	{"put from another thread", put_from_another_thread},
	{"put from the start hook", put_from_start_hook},
	{"put from the stop hook", put_from_stop_hook},
	{"put without a thread", WITH_STATS(put_without_a_thread)},
	{"running items may go on submitting after the put", continuations_after_put},
	{"and so may one that runs a loop of its own", a_worker_with_a_loop_after_put},
	{"destroy with work pending", destroy_with_work_pending},
	{"destroy from done", destroy_from_done},
	{"references are counted", references_are_counted},
	{"a loop outlives many pools", a_loop_outlives_many_pools},
	{"a pool outlives many loops", a_pool_outlives_many_loops},
};

int main(int argc, char **argv)
{
	return run_tests("put", tests, COUNT(tests), argc, argv);
}
