/* SPDX-License-Identifier: MIT */
/* Completions of a pool that is all busy come together; whatever else there is comes at once. */
#include <semaphore.h>

#include "harness.h"

#define ITEMS	 64
#define TOGETHER 16 /* a quarter of what waits */
#define FEW	 7

/* One thread, and items that each wait until the test lets one go. */
struct busy {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct tern_work items[ITEMS];
	sem_t go;
	bool first_lets_all_go;
	unsigned dones;
};

static void wait_to_go(struct tern_work *work)
{
	struct busy *busy = work->user;

	sem_wait(&busy->go);
}

static void let_go(struct busy *busy, unsigned n)
{
	while (n--)
		sem_post(&busy->go);
}

static void count_done(struct tern_work *work)
{
	struct busy *busy = work->user;

	if (!busy->dones++ && busy->first_lets_all_go)
		let_go(busy, ITEMS);
}

static int64_t start(struct busy *busy, const struct tern_loop_opts *opts, unsigned items)
{
	sem_init(&busy->go, 0, 0);
	busy->first_lets_all_go = false;
	busy->dones = 0;
	busy->pool = pool_new(1, 1);
	ck_assert_int_eq(tern_loop_create(&busy->loop, opts), 0);
	tern_loop_prepare(busy->loop);
	for (unsigned i = 0; i < items; i++) {
		tern_work_init(&busy->items[i], wait_to_go, count_done);
		busy->items[i].user = busy;
		tern_pool_submit(busy->pool, busy->loop, &busy->items[i]);
	}
	return tern_loop_prepare(busy->loop);
}

static void end(struct busy *busy, unsigned items)
{
	ck_assert_int_eq(tern_loop_run(busy->loop), 0);
	ck_assert_uint_eq(busy->dones, items);
	tern_loop_destroy(busy->loop);
	tern_pool_destroy(busy->pool);
	sem_destroy(&busy->go);
}

static void finish(struct busy *busy, unsigned items)
{
	let_go(busy, items);
	end(busy, items);
}

static void they_come_together(void)
{
	struct busy busy;
	int64_t ns = start(&busy, NULL, ITEMS);

	/* a guess, so the loop comes round by itself */
	ck_assert_int_gt(ns, 0);
	ck_assert_int_le(ns, 1000000);
	let_go(&busy, 1);
	ck_assert(!is_readable(busy.loop, 20));
	let_go(&busy, TOGETHER - 1);
	ck_assert(is_readable(busy.loop, -1));
	ck_assert_int_ge(tern_loop_dispatch(busy.loop, 0), TOGETHER - 1);
	finish(&busy, ITEMS);
}

static void switched_off(void)
{
	const struct tern_loop_opts opts = {.size = sizeof(opts), .coalesce_us_max = TERN_NONE};
	struct busy busy;

	ck_assert_int_eq(start(&busy, &opts, ITEMS), -1);
	let_go(&busy, 1);
	ck_assert(is_readable(busy.loop, -1));
	finish(&busy, ITEMS);
}

static void few_are_told_one_by_one(void)
{
	struct busy busy;

	ck_assert_int_eq(start(&busy, NULL, FEW), -1);
	let_go(&busy, 1);
	ck_assert(is_readable(busy.loop, -1));
	finish(&busy, FEW);
}

static void slow_ones_are_told_one_by_one(void)
{
	struct busy busy;

	start(&busy, NULL, ITEMS);
	ck_assert(!is_readable(busy.loop, 2));
	let_go(&busy, 1);
	while (!tern_loop_dispatch(busy.loop, 0))
		;
	ck_assert_int_eq(tern_loop_prepare(busy.loop), -1);
	let_go(&busy, 1);
	ck_assert(is_readable(busy.loop, -1));
	finish(&busy, ITEMS);
}

static void ignore_post(struct tern_post *post)
{
}

static void posts_and_cancels_come_at_once(void)
{
	struct tern_post post;
	struct busy busy;

	start(&busy, NULL, ITEMS);
	tern_post_init(&post, ignore_post);
	tern_loop_post(busy.loop, &post);
	ck_assert(is_readable(busy.loop, 0));
	tern_loop_dispatch(busy.loop, 0);

	tern_loop_prepare(busy.loop);
	ck_assert(tern_work_cancel(&busy.items[ITEMS - 1]));
	ck_assert(is_readable(busy.loop, 0));
	finish(&busy, ITEMS);
}

/* After a dispatch the program may poll without another prepare: then the next one is told. */
static void a_dispatch_ends_it(void)
{
	struct busy busy;

	start(&busy, NULL, ITEMS);
	ck_assert_int_eq(tern_loop_dispatch(busy.loop, 0), 0);
	let_go(&busy, 1);
	ck_assert(is_readable(busy.loop, -1));
	finish(&busy, ITEMS);
}

/* The next item takes for ever, unless the loop is told of the first. */
static void nobody_waits_for_a_long_successor(void)
{
	struct busy busy;

	start(&busy, NULL, ITEMS);
	busy.first_lets_all_go = true;
	let_go(&busy, 1);
	end(&busy, ITEMS);
}

static const struct test tests[] = {
	{"they come together", they_come_together},
	{"switched off", switched_off},
	{"few are told one by one", few_are_told_one_by_one},
	{"slow ones are told one by one", slow_ones_are_told_one_by_one},
	{"posts and cancels come at once", posts_and_cancels_come_at_once},
	{"a dispatch ends it", a_dispatch_ends_it},
	{"nobody waits for a long successor", nobody_waits_for_a_long_successor},
};

int main(int argc, char **argv)
{
	return run_tests("coalesce", tests, COUNT(tests), argc, argv);
}
