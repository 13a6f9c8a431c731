/* SPDX-License-Identifier: MIT */
/* Who comes for what was submitted, when the loop is away and threads are busy, new or leaving. */
#include "harness.h"

#define MAX 4

static void arrive(struct tern_work *work)
{
	latch_arrive(work->user);
}

/* The loop's thread waits in place for its item to run: nobody but a worker can look again. */
static void the_loop_waits_in_place(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);

	tern_loop_prepare(loop);
	for (unsigned i = 0; i < scaled(20000); i++) {
		struct tern_work work;
		struct latch ran;

		latch_init(&ran, 1);
		tern_work_init(&work, arrive, ignore_done);
		work.user = &ran;
		tern_pool_submit(pool, loop, &work);
		latch_wait(&ran);
		/* another moment each time: the worker is awake, looking, or going to sleep */
		for (volatile unsigned k = 0; k < i % 3000; k++)
			;
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void count_run(struct tern_work *work)
{
	atomic_bump(work->user);
}

/* Long items would be handed over whoever is awake, so many tiny ones go before. */
static void one_who_sleeps_is_called_for_a_tiny_item(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_work work[256];
	unsigned ran = 0, before;

	tern_loop_prepare(loop);
	for (unsigned i = 0; i < scaled(50) * COUNT(work); i++) {
		struct tern_work *w = &work[i % COUNT(work)];

		tern_work_init(w, count_run, ignore_done);
		w->user = &ran;
		tern_pool_submit(pool, loop, w);
		if (w == &work[COUNT(work) - 1])
			ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	before = ran;
	while (!stats_of(pool).idle)
		sched_yield();
	tern_pool_submit(pool, loop, &work[0]);
	while (atomic_get(&ran) == before)
		sched_yield();
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

/* The first says that it runs, and goes on when the second has run. */
static void first_needs_second(struct job *first, struct latch *arrived, struct job *second,
			       struct latch *ran)
{
	latch_init(arrived, 1);
	latch_init(ran, 1);
	job_init(first);
	job_init(second);
	first->arrives = arrived;
	first->waits = ran;
	second->arrives = ran;
}

/* The only awake worker is stuck until the second item, which lies with the loop, has run. */
static void the_pool_ends_with_an_item_in_the_outbox(void)
{
	for (unsigned i = 0; i < scaled(200); i++) {
		struct tern_loop *loop = loop_new();
		struct tern_pool *pool = pool_new(1, 2);
		struct latch arrived, ran;
		struct job first, second;

		first_needs_second(&first, &arrived, &second, &ran);
		tern_loop_prepare(loop);
		tern_pool_submit(pool, loop, &first.work);
		latch_wait(&arrived);
		tern_pool_submit(pool, loop, &second.work);
		tern_pool_destroy(pool);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert_uint_eq(first.dones + second.dones, 2);
		tern_loop_destroy(loop);
	}
}

/* In a long callback nobody else would hand them over, while a worker is awake: it is stuck. */
struct callback {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct latch go;
	struct job first;
};

static void begin_callback(struct callback *c)
{
	struct latch arrived;

	c->loop = loop_new();
	c->pool = pool_new(1, 1);
	latch_init(&arrived, 1);
	latch_init(&c->go, 1);
	job_init(&c->first);
	c->first.arrives = &arrived;
	c->first.waits = &c->go;
	tern_loop_prepare(c->loop);
	tern_pool_submit(c->pool, c->loop, &c->first.work);
	latch_wait(&arrived);
	tern_loop_flush(c->loop);
}

static void end_callback(struct callback *c)
{
	latch_arrive(&c->go);
	ck_assert_int_eq(tern_loop_run(c->loop), 0);
	tern_loop_destroy(c->loop);
	tern_pool_destroy(c->pool);
}

static void so_many_are_not_left_with_the_loop(void)
{
	enum {
		MOST = 512
	};
	struct tern_work items[MOST];
	struct callback c;

	begin_callback(&c);
	for (size_t i = 0; i < MOST; i++) {
		tern_work_init(&items[i], run_nothing, ignore_done);
		if (i == MOST - 1)
			ck_assert_uint_eq(stats_of(c.pool).queued, 0);
		tern_pool_submit(c.pool, c.loop, &items[i]);
	}
	ck_assert_uint_eq(stats_of(c.pool).queued, MOST);
	end_callback(&c);
}

static void an_urgent_item_is_not_left_with_the_loop(void)
{
	struct tern_work items[4], *list[] = {&items[2], &items[3]};
	struct callback c;

	begin_callback(&c);
	for (size_t i = 0; i < COUNT(items); i++) {
		tern_work_init(&items[i], run_nothing, ignore_done);
		items[i].priority = i % 2 ? TERN_HIGH : TERN_NORMAL;
	}
	tern_pool_submit(c.pool, c.loop, &items[0]);
	ck_assert_uint_eq(stats_of(c.pool).queued, 0);
	tern_pool_submit(c.pool, c.loop, &items[1]);
	ck_assert_uint_eq(stats_of(c.pool).queued, 2);
	tern_pool_submit_many(c.pool, c.loop, list, 2);
	ck_assert_uint_eq(stats_of(c.pool).queued, 4);
	end_callback(&c);
}

/* Many tiny items teach the pool to leave them to one thread; then come some that need others. */
static void items_that_need_each_other_after_tiny_ones(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, MAX);

	for (unsigned round = 0; round < scaled(100); round++) {
		struct tern_work tiny[500];
		struct latch met;
		struct job jobs[MAX];

		for (size_t i = 0; i < COUNT(tiny); i++) {
			tern_work_init(&tiny[i], run_nothing, ignore_done);
			tern_pool_submit(pool, loop, &tiny[i]);
		}
		if (round % 2)
			ck_assert_int_eq(tern_loop_run(loop), 0);
		latch_init(&met, COUNT(jobs));
		for (size_t i = 0; i < COUNT(jobs); i++) {
			job_init(&jobs[i]);
			jobs[i].arrives = jobs[i].waits = &met;
			tern_pool_submit(pool, loop, &jobs[i].work);
		}
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

/* Hooks that wait for each other. */
struct hooked {
	struct latch met;
	unsigned waits, stopped;
};

static void start_and_meet(void *user)
{
	struct hooked *hooked = user;

	if (!atomic_get(&hooked->waits))
		return;
	latch_arrive(&hooked->met);
	latch_wait(&hooked->met);
}

static void stop_and_wait(void *user)
{
	struct hooked *hooked = user;

	if (!atomic_get(&hooked->waits))
		return;
	atomic_bump(&hooked->stopped);
	latch_wait(&hooked->met);
}

/* A new thread sends for the next one before its own hook, which may take long. */
static void a_new_thread_starts_the_next_before_its_hook(void)
{
	struct hooked hooked = {.waits = 0};
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = TERN_NONE,
		.threads_max = MAX,
		.idle_ms_max = TERN_NONE,
		.thread_start = start_and_meet,
		.user = &hooked,
	};
	struct tern_loop *loop = loop_new(), *unbound = loop_new();
	struct tern_work *list[MAX];
	struct tern_pool *pool;
	struct job jobs[MAX];

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	loop_until(loop, is_deserted, pool);
	latch_init(&hooked.met, MAX);
	atomic_bump(&hooked.waits);
	for (size_t i = 0; i < MAX; i++) {
		job_init(&jobs[i]);
		list[i] = &jobs[i].work;
	}
	/* as from a foreign thread, in one call: no loop comes round to help */
	tern_pool_submit_many(pool, unbound, list, MAX);
	latch_wait(&hooked.met);
	ck_assert_int_eq(tern_loop_run(unbound), 0);
	for (size_t i = 0; i < MAX; i++)
		ck_assert_uint_eq(jobs[i].dones, 1);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	tern_loop_destroy(unbound);
}

struct kept {
	struct tern_pool *pool;
	struct hooked hooked;
	struct latch all;
};

/* A thread that found nothing may leave before all have met, and make room for another. */
static void meet_then_let_hooks_wait(struct tern_work *work)
{
	struct kept *kept = work->user;

	latch_arrive(&kept->all);
	latch_wait(&kept->all);
	atomic_bump(&kept->hooked.waits);
}

static bool surplus_is_stopping(void *arg)
{
	struct kept *kept = arg;

	return atomic_get(&kept->hooked.stopped) >= MAX - 2 && stats_of(kept->pool).idle == 2;
}

/* While those that leave are still in their hook, they are no reason for more to leave. */
static void leaving_threads_are_not_kept_ones(void)
{
	for (unsigned round = 0; round < scaled(100); round++) {
		struct kept kept = {.hooked.waits = 0};
		const struct tern_pool_opts opts = {
			.size = sizeof(opts),
			.threads_min = 2,
			.threads_max = MAX,
			.idle_ms_max = TERN_NONE,
			.thread_stop = stop_and_wait,
			.user = &kept.hooked,
		};
		struct tern_loop *loop = loop_new();
		struct tern_work items[MAX];

		latch_init(&kept.hooked.met, 1);
		latch_init(&kept.all, MAX);
		ck_assert_int_eq(tern_pool_create(&kept.pool, &opts), 0);
		for (size_t i = 0; i < MAX; i++) {
			tern_work_init(&items[i], meet_then_let_hooks_wait, ignore_done);
			items[i].user = &kept;
			tern_pool_submit(kept.pool, loop, &items[i]);
		}
		ck_assert_int_eq(tern_loop_run(loop), 0);
		loop_until(loop, surplus_is_stopping, &kept);
		ck_assert_uint_eq(atomic_get(&kept.hooked.stopped), MAX - 2);
		latch_arrive(&kept.hooked.met);
		tern_pool_destroy(kept.pool);
		tern_loop_destroy(loop);
	}
}

/* Something to run in each turn: a loop that has it never sleeps. */
struct restless {
	struct tern_post post;
	struct tern_loop *loop;
	const struct job *until_done;
};

static void come_round(struct tern_post *post)
{
	struct restless *restless = tern_container_of(post, struct restless, post);

	if (!restless->until_done->dones)
		tern_loop_post(restless->loop, post);
}

/* The only thread is busy until the second item has run, and a loop may never come to sleep. */
static void a_loop_that_never_sleeps_starts_threads_too(void)
{
	struct tern_pool *pool = pool_new(1, MAX);
	struct restless restless = {.loop = loop_new()};
	struct latch arrived, ran;
	struct job first, second;

	first_needs_second(&first, &arrived, &second, &ran);
	restless.until_done = &second;
	tern_post_init(&restless.post, come_round);
	tern_loop_prepare(restless.loop);
	tern_pool_submit(pool, restless.loop, &first.work);
	latch_wait(&arrived);
	tern_loop_post(restless.loop, &restless.post);
	tern_pool_submit(pool, restless.loop, &second.work);
	ck_assert_int_eq(tern_loop_run(restless.loop), 0);
	ck_assert_uint_eq(first.dones + second.dones, 2);
	tern_loop_destroy(restless.loop);
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"the loop waits in place for its item", the_loop_waits_in_place},
	{"one who sleeps is called for a tiny item",
	 WITH_STATS(one_who_sleeps_is_called_for_a_tiny_item)},
	{"the pool ends with an item in the outbox", the_pool_ends_with_an_item_in_the_outbox},
	{"so many are not left with the loop", WITH_STATS(so_many_are_not_left_with_the_loop)},
	{"an urgent item is not left with the loop",
	 WITH_STATS(an_urgent_item_is_not_left_with_the_loop)},
	{"items that need each other after tiny ones", items_that_need_each_other_after_tiny_ones},
	{"a new thread starts the next before its hook",
	 WITH_STATS(a_new_thread_starts_the_next_before_its_hook)},
	{"leaving threads are not kept ones", WITH_STATS(leaving_threads_are_not_kept_ones)},
	{"a loop that never sleeps starts threads too",
	 a_loop_that_never_sleeps_starts_threads_too},
};

int main(int argc, char **argv)
{
	return run_tests("handover", tests, COUNT(tests), argc, argv);
}
