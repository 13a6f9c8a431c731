/* SPDX-License-Identifier: MIT */
/* Many loops on one pool, many pools on one loop, and what is promised of memory. */
#include "harness.h"

#define LOOPS 6
#define POOLS 9

struct chain {
	struct tern_work work;
	struct tern_loop *loop;
	struct tern_pool *pool;
	pthread_t home;
	unsigned left;
};

static void run_elsewhere(struct tern_work *work)
{
	struct chain *chain = tern_container_of(work, struct chain, work);

	ck_assert(!pthread_equal(pthread_self(), chain->home));
}

static void go_on_at_home(struct tern_work *work)
{
	struct chain *chain = tern_container_of(work, struct chain, work);

	ck_assert(pthread_equal(pthread_self(), chain->home));
	ck_assert_ptr_eq(tern_work_home(work), chain->loop);
	if (--chain->left)
		tern_pool_submit(chain->pool, chain->loop, work);
}

static void chain_start(struct chain *chain, struct tern_loop *loop, struct tern_pool *pool,
			unsigned length)
{
	*chain = (struct chain){.loop = loop, .pool = pool, .home = pthread_self(), .left = length};
	tern_work_init(&chain->work, run_elsewhere, go_on_at_home);
	tern_pool_submit(pool, loop, &chain->work);
}

static void *run_one_of_many(void *arg)
{
	struct tern_pool *pool = arg;

	for (int round = 0; round < 5; round++) {
		struct tern_loop *loop = loop_new();
		struct chain chains[7];

		for (size_t i = 0; i < COUNT(chains); i++)
			chain_start(&chains[i], loop, pool, scaled(300));
		ck_assert_int_eq(tern_loop_run(loop), 0);
		for (size_t i = 0; i < COUNT(chains); i++)
			ck_assert_uint_eq(chains[i].left, 0);
		tern_loop_destroy(loop);
	}
	return NULL;
}

static void many_loops_one_pool(void)
{
	struct tern_pool *pool = pool_new(1, 3);
	pthread_t threads[LOOPS];

	for (int i = 0; i < LOOPS; i++)
		threads[i] = thread_new(run_one_of_many, pool);
	for (int i = 0; i < LOOPS; i++)
		thread_join(threads[i]);
	ck_assert_uint_eq(stats_of(pool).started, LOOPS * 5 * 7 * (uint64_t)scaled(300));
	tern_pool_destroy(pool);
}

static void one_loop_many_pools(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pools[POOLS];
	struct chain chains[POOLS];

	for (int i = 0; i < POOLS; i++) {
		pools[i] = pool_new(i % 2 ? TERN_NONE : 1, 2);
		chain_start(&chains[i], loop, pools[i], 500);
	}
	ck_assert_int_eq(tern_loop_run(loop), 0);
	for (int i = 0; i < POOLS; i++) {
		ck_assert_uint_eq(chains[i].left, 0);
		ck_assert_uint_eq(stats_of(pools[i]).started, 500);
		tern_pool_destroy(pools[i]);
	}
	tern_loop_destroy(loop);
}

/* All loops of one thread, run in turns. */
static void many_loops_in_one_thread(void)
{
	struct tern_pool *pool = pool_new(1, 3);
	struct tern_loop *loops[LOOPS];
	struct chain chains[LOOPS];
	bool alive = true;

	for (int i = 0; i < LOOPS; i++) {
		loops[i] = loop_new();
		tern_loop_prepare(loops[i]);
		chain_start(&chains[i], loops[i], pool, 500);
	}
	while (alive) {
		alive = false;
		for (int i = 0; i < LOOPS; i++) {
			tern_loop_prepare(loops[i]);
			tern_loop_dispatch(loops[i], 1);
			alive |= tern_loop_alive(loops[i]);
		}
	}
	for (int i = 0; i < LOOPS; i++) {
		ck_assert_uint_eq(chains[i].left, 0);
		tern_loop_destroy(loops[i]);
	}
	tern_pool_destroy(pool);
}

/* An item that goes from loop to loop, each in a thread of its own. */
struct relay {
	struct tern_work work;
	struct tern_pool *pool;
	struct tern_loop *loops[LOOPS];
	pthread_t threads[LOOPS];
	unsigned left;
};

static void pass_on(struct tern_work *work)
{
	struct relay *relay = tern_container_of(work, struct relay, work);

	ck_assert_ptr_eq(tern_work_home(work), relay->loops[relay->left % LOOPS]);
	if (!--relay->left) {
		for (int i = 0; i < LOOPS; i++)
			tern_loop_release(relay->loops[i]);
		return;
	}
	tern_pool_submit(relay->left % 3 ? relay->pool : NULL, relay->loops[relay->left % LOOPS],
			 work);
}

static void *run_held_loop(void *loop)
{
	ck_assert_int_eq(tern_loop_run(loop), 0);
	return NULL;
}

static void an_item_changes_loops(void)
{
	struct relay relay = {.pool = pool_new(1, 2), .left = scaled(6000) + 1};

	for (int i = 0; i < LOOPS; i++) {
		relay.loops[i] = loop_new();
		tern_loop_hold(relay.loops[i]);
	}
	tern_work_init(&relay.work, run_nothing, pass_on);
	tern_pool_submit(relay.pool, relay.loops[relay.left % LOOPS], &relay.work);
	for (int i = 0; i < LOOPS; i++)
		relay.threads[i] = thread_new(run_held_loop, relay.loops[i]);
	for (int i = 0; i < LOOPS; i++)
		thread_join(relay.threads[i]);
	for (int i = 0; i < LOOPS; i++)
		tern_loop_destroy(relay.loops[i]);
	ck_assert_uint_eq(relay.left, 0);
	tern_pool_destroy(relay.pool);
}

/* Items that note the order they start in; the first one waits until the others are there. */
struct start {
	struct tern_work work;
	struct latch *waits;
	unsigned *starts, nth;
};

static void note_start(struct tern_work *work)
{
	struct start *start = tern_container_of(work, struct start, work);

	start->nth = atomic_bump(start->starts);
	if (start->waits)
		latch_wait(start->waits);
}

static void order_over_two_loops(void)
{
	struct tern_loop *loops[2] = {loop_new(), loop_new()};
	struct tern_pool *pool = pool_new(1, 1);
	struct start start[9];
	struct latch latch;
	unsigned starts = 0;

	latch_init(&latch, 1);
	for (unsigned i = 0; i < 2; i++)
		tern_loop_prepare(loops[i]);
	for (unsigned i = 0; i < COUNT(start); i++) {
		start[i] = (struct start){.starts = &starts, .waits = i ? NULL : &latch};
		tern_work_init(&start[i].work, note_start, run_nothing);
		tern_pool_submit(pool, loops[i % 3 == 2], &start[i].work);
	}
	latch_arrive(&latch);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(tern_loop_run(loops[i]), 0);
	for (unsigned i = 0; i < COUNT(start); i++)
		ck_assert_uint_eq(start[i].nth, i + 1);
	for (unsigned i = 0; i < 2; i++)
		tern_loop_destroy(loops[i]);
	tern_pool_destroy(pool);
}

static void a_loop_may_go_while_its_worker_is_busy_for_another(void)
{
	struct tern_loop *gone = loop_new(), *stays = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct latch arrived, go;
	struct job first, second;

	latch_init(&arrived, 1);
	latch_init(&go, 1);
	job_init(&first);
	job_init(&second);
	second.arrives = &arrived;
	second.waits = &go;
	tern_pool_submit(pool, gone, &first.work);
	tern_pool_submit(pool, stays, &second.work);
	ck_assert_int_eq(tern_loop_run(gone), 0);
	latch_wait(&arrived);
	tern_loop_destroy(gone);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(stays), 0);
	ck_assert_uint_eq(first.dones + second.dones, 2);
	tern_pool_destroy(pool);
	tern_loop_destroy(stays);
}

static const struct test tests[] = {
	{"many loops, one pool", WITH_STATS(many_loops_one_pool)},
	{"one loop, many pools", WITH_STATS(one_loop_many_pools)},
	{"many loops in one thread", many_loops_in_one_thread},
	{"an item changes loops", an_item_changes_loops},
	{"items of a thread with two loops start in order", order_over_two_loops},
	{"a loop may go while its worker is busy for another",
	 a_loop_may_go_while_its_worker_is_busy_for_another},
};

int main(int argc, char **argv)
{
	return run_tests("many", tests, COUNT(tests), argc, argv);
}
