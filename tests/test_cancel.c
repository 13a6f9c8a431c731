/* SPDX-License-Identifier: MIT */
/* Taking items back: who wins, and that done still comes exactly once. */
#include "harness.h"

/* A pool whose only thread is stuck until let go. */
struct scene {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct latch arrived, go;
	struct job stuck;
};

static void scene_open(struct scene *s)
{
	s->loop = loop_new();
	s->pool = pool_new(1, 1);
	latch_init(&s->arrived, 1);
	latch_init(&s->go, 1);
	job_init(&s->stuck);
	s->stuck.arrives = &s->arrived;
	s->stuck.waits = &s->go;
	tern_loop_prepare(s->loop);
	tern_pool_submit(s->pool, s->loop, &s->stuck.work);
	latch_wait(&s->arrived);
}

static void scene_close(struct scene *s)
{
	latch_arrive(&s->go);
	ck_assert_int_eq(tern_loop_run(s->loop), 0);
	ck_assert_uint_eq(s->stuck.dones, 1);
	ck_assert_int_eq(s->stuck.status, 0);
	tern_loop_destroy(s->loop);
	tern_pool_destroy(s->pool);
}

static bool is_done(void *job)
{
	return ((struct job *)job)->dones;
}

static void at_once_while_all_are_stuck(void)
{
	struct scene s;
	struct job job;

	scene_open(&s);
	job_init(&job);
	tern_pool_submit(s.pool, s.loop, &job.work);
	ck_assert(tern_work_cancel(&job.work));
	ck_assert_uint_eq(job.dones, 0);
	ck_assert(!tern_work_cancel(&job.work));
	loop_until(s.loop, is_done, &job);
	ck_assert_int_eq(job.status, -ECANCELED);
	ck_assert_uint_eq(s.stuck.dones, 0);
	scene_close(&s);
}

static void in_the_outbox_and_in_the_queue(void)
{
	enum {
		N = 100
	};
	struct scene s;
	struct job jobs[N];

	scene_open(&s);
	for (int i = 0; i < N; i++) {
		job_init(&jobs[i]);
		tern_pool_submit(s.pool, s.loop, &jobs[i].work);
		if (i == 20)
			tern_loop_flush(s.loop);
	}
	/* first, last and in between */
	for (int i = 0; i < N; i++)
		if (i % 3 == 0)
			ck_assert(tern_work_cancel(&jobs[i].work));
	ck_assert_uint_eq(stats_of(s.pool).queued, N - N / 3 - 1);
	scene_close(&s);
	for (int i = 0; i < N; i++) {
		ck_assert_uint_eq(jobs[i].dones, 1);
		ck_assert_int_eq(jobs[i].status, i % 3 ? 0 : -ECANCELED);
	}
}

static void after_run_it_still_completes_once(void)
{
	struct scene s;

	scene_open(&s);
	ck_assert(!tern_work_cancel(&s.stuck.work));
	latch_arrive(&s.go);
	tern_pool_destroy(s.pool);
	/* run is over, done has not been entered */
	ck_assert(!tern_work_cancel(&s.stuck.work));
	ck_assert_int_eq(tern_loop_run(s.loop), 0);
	ck_assert_uint_eq(s.stuck.dones, 1);
	ck_assert_int_eq(s.stuck.status, 0);
	tern_loop_destroy(s.loop);
}

static void what_was_not_submitted(void)
{
	struct job job;

	job_init(&job);
	ck_assert(!tern_work_cancel(&job.work));
	ck_assert_uint_eq(job.runs + job.dones, 0);
}

static void never_run(struct tern_work *work)
{
	ck_abort_msg("run of a cancelled item");
}

static void without_done_it_is_ours_at_return(void)
{
	struct scene s;

	scene_open(&s);
	for (int i = 0; i < 100; i++) {
		struct tern_work *work = malloc(sizeof(*work));

		tern_work_init(work, never_run, NULL);
		tern_pool_submit(s.pool, i % 2 ? s.loop : NULL, work);
		ck_assert(tern_work_cancel(work));
		/* so it can be submitted again, or go */
		if (i % 3 == 0) {
			tern_pool_submit(s.pool, NULL, work);
			ck_assert(tern_work_cancel(work));
		}
		memset(work, 0xa5, sizeof(*work));
		free(work);
	}
	scene_close(&s);
}

static void without_pool(void)
{
	struct tern_loop *loop = loop_new();
	struct job first, second;

	job_init(&first);
	job_init(&second);
	tern_pool_submit(NULL, loop, &first.work);
	tern_pool_submit(NULL, loop, &second.work);
	ck_assert(tern_work_cancel(&first.work));
	ck_assert(!tern_work_cancel(&first.work));
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(first.status, -ECANCELED);
	ck_assert_int_eq(second.status, 0);
	ck_assert_uint_eq(first.dones, 1);
	ck_assert_uint_eq(second.dones, 1);
	tern_loop_destroy(loop);
}

static void after_put(void)
{
	struct scene s;
	struct job job;

	scene_open(&s);
	job_init(&job);
	tern_pool_get(s.pool);
	tern_pool_submit(s.pool, s.loop, &job.work);
	tern_pool_put(s.pool);
	tern_pool_put(s.pool);
	ck_assert(tern_work_cancel(&job.work));
	latch_arrive(&s.go);
	ck_assert_int_eq(tern_loop_run(s.loop), 0);
	ck_assert_int_eq(job.status, -ECANCELED);
	ck_assert_uint_eq(job.dones, 1);
	tern_loop_destroy(s.loop);
}

struct victim {
	struct tern_work work;
	struct job *target;
	bool won;
};

static void cancel_target(struct tern_work *work)
{
	struct victim *victim = tern_container_of(work, struct victim, work);

	victim->won = tern_work_cancel(&victim->target->work);
}

static void from_run(void)
{
	struct scene s;
	struct victim victim;
	struct job job;

	scene_open(&s);
	job_init(&job);
	victim.target = &job;
	tern_work_init(&victim.work, cancel_target, ignore_done);
	tern_pool_submit(s.pool, s.loop, &victim.work);
	tern_pool_submit(s.pool, s.loop, &job.work);
	scene_close(&s);
	ck_assert(victim.won);
	ck_assert_int_eq(job.status, -ECANCELED);
	ck_assert_uint_eq(job.dones, 1);
}

struct again {
	struct scene *scene;
	struct tern_work work;
	unsigned left;
};

static void submit_and_cancel_again(struct tern_work *work)
{
	struct again *again = tern_container_of(work, struct again, work);

	ck_assert_int_eq(work->status, -ECANCELED);
	if (!--again->left)
		return;
	tern_pool_submit(again->scene->pool, again->scene->loop, work);
	ck_assert(tern_work_cancel(work));
}

static bool is_through(void *again)
{
	return !((struct again *)again)->left;
}

static void submitted_again_in_done(void)
{
	struct scene s;
	struct again again = {.scene = &s, .left = 1000};

	scene_open(&s);
	tern_work_init(&again.work, never_run, submit_and_cancel_again);
	tern_pool_submit(s.pool, s.loop, &again.work);
	ck_assert(tern_work_cancel(&again.work));
	loop_until(s.loop, is_through, &again);
	scene_close(&s);
}

/* Threads race each other and the workers for every item. */
#define RACERS 4
#define ITEMS  64

struct race {
	struct tern_loop *loop;
	pthread_barrier_t line;
	struct job jobs[ITEMS];
	unsigned wins[ITEMS];
	unsigned rounds;
};

static void *race_to_cancel(void *arg)
{
	struct race *race = arg;

	for (unsigned round = 0; round < race->rounds; round++) {
		pthread_barrier_wait(&race->line);
		for (int i = 0; i < ITEMS; i++)
			if (tern_work_cancel(&race->jobs[i].work))
				atomic_bump(&race->wins[i]);
		pthread_barrier_wait(&race->line);
	}
	return NULL;
}

static void check_and_reset(struct race *race)
{
	for (int i = 0; i < ITEMS; i++) {
		struct job *job = &race->jobs[i];

		ck_assert_uint_eq(job->dones, 1);
		ck_assert_uint_eq(job->runs + race->wins[i], 1);
		ck_assert_int_eq(job->status, job->runs ? 0 : -ECANCELED);
		race->wins[i] = 0;
		job_init(job);
	}
}

static void races_run(void)
{
	struct race *race = calloc(1, sizeof(*race));
	struct tern_pool *pool = pool_new(1, 2);
	pthread_t threads[RACERS];

	race->loop = loop_new();
	race->rounds = scaled(500);
	pthread_barrier_init(&race->line, NULL, RACERS + 1);
	for (int i = 0; i < ITEMS; i++)
		job_init(&race->jobs[i]);
	tern_loop_prepare(race->loop);
	for (int i = 0; i < RACERS; i++)
		threads[i] = thread_new(race_to_cancel, race);
	for (unsigned round = 0; round < race->rounds; round++) {
		for (int i = 0; i < ITEMS; i++)
			tern_pool_submit(pool, race->loop, &race->jobs[i].work);
		pthread_barrier_wait(&race->line);
		/* done may not be entered while they still cancel */
		pthread_barrier_wait(&race->line);
		ck_assert_int_eq(tern_loop_run(race->loop), 0);
		check_and_reset(race);
	}
	for (int i = 0; i < RACERS; i++)
		thread_join(threads[i]);
	tern_loop_destroy(race->loop);
	tern_pool_destroy(pool);
	free(race);
}

static unsigned hooked;

static void ask_in_hook(void *user)
{
	ck_assert(!tern_work_canceled());
	atomic_bump(&hooked);
}

/* A worker that has run an item, on its own thread and on the next one in its place. */
static void ask_in(bool start, bool stop)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .threads_min = TERN_NONE,
					    .threads_max = 1,
					    .idle_ms_max = TERN_NONE,
					    .thread_start = start ? ask_in_hook : NULL,
					    .thread_stop = stop ? ask_in_hook : NULL};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool;

	hooked = 0;
	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	for (int i = 0; i < 3; i++) {
		struct job job;

		while (stats_of(pool).threads)
			sched_yield();
		job_init(&job);
		tern_pool_submit(pool, loop, &job.work);
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	tern_pool_destroy(pool);
	ck_assert_uint_ge(atomic_get(&hooked), 3);
	tern_loop_destroy(loop);
}

static void asked_in_a_hook(void)
{
	ask_in(true, false);
	ask_in(false, true);
}

static const struct test tests[] = {
	{"at once while all workers are stuck", at_once_while_all_are_stuck},
	{"in the outbox and in the queue", WITH_STATS(in_the_outbox_and_in_the_queue)},
	{"cancel after run still completes once", after_run_it_still_completes_once},
	{"what was not submitted cannot be cancelled", what_was_not_submitted},
	{"without done it is the caller's at return", without_done_it_is_ours_at_return},
	{"without pool", without_pool},
	{"after the last put", after_put},
	{"from run of another item", from_run},
	{"submitted and cancelled again in done", submitted_again_in_done},
	{"cancel races run from many threads", races_run},
	{"nothing is cancelled in a hook", WITH_STATS(asked_in_a_hook)},
};

int main(int argc, char **argv)
{
	return run_tests("cancel", tests, COUNT(tests), argc, argv);
}
