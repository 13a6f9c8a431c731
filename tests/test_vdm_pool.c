/* SPDX-License-Identifier: MIT */
/* The mover on a pool: its options, its ring and its limit, and who moves what where. */
#include <stdio.h>

#include "watched_mover.h"

/* ---- input ---- */

static void wrong_options(void)
{
	static const struct tern_vdm_pool_opts wrong[] = {
		{.size = sizeof(wrong[0]), .ring_size = 3},
		{.size = sizeof(wrong[0]), .ring_size = 1000},
		{.size = sizeof(wrong[0]), .ring_size = TERN_NONE},
		{.size = sizeof(wrong[0]), .ring_size = TERN_FOREVER},
		{.size = sizeof(wrong[0]), .operations_max = TERN_NONE},
		{.size = sizeof(wrong[0]), .threads = TERN_NONE},
		{.size = sizeof(wrong[0]), .threads = TERN_FOREVER},
		{.size = 3},
	};
	struct {
		struct tern_vdm_pool_opts opts;
		size_t more;
	} newer = {{.size = sizeof(newer)}, 1};
	struct tern_vdm *vdm = (struct tern_vdm *)&newer;

	pool = pool_new(1, 1);
	for (size_t i = 0; i < COUNT(wrong); i++)
		ck_assert_int_eq(tern_vdm_pool_create(&vdm, pool, &wrong[i]), -EINVAL);
	ck_assert_int_eq(tern_vdm_pool_create(&vdm, pool, &newer.opts), -E2BIG);
	ck_assert_int_eq(tern_vdm_pool_create(&vdm, NULL, NULL), -EINVAL);
	ck_assert_ptr_eq(vdm, (struct tern_vdm *)&newer);
	newer.more = 0;
	tern_vdm_pool_destroy(mover_of(&newer.opts));
	tern_vdm_pool_destroy(mover_of(NULL));
	tern_pool_destroy(pool);
}

/* ---- the limit and the ring ---- */

static void limit(void)
{
	struct tern_vdm *vdm;
	struct tern_vdm_op ops[4], more;

	pool = pool_new(1, 1);
	areas(SMALL + 1);
	for (size_t n = 8; n <= SMALL + 1; n += SMALL - 7) {
		vdm = watched(1, 1, 4);
		for (int i = 0; i < 4; i++)
			prep(&ops[i], vdm, 0, n);
		for (int round = 0; round < 3; round++) {
			prep(&more, vdm, 0, n);
			ck_assert_int_eq(more.future.state, TERN_FUTURE_COMPLETE);
			ck_assert_int_eq(finish(&more), -ENOMEM);
		}
		ck_assert_int_eq(finish(&ops[2]), 0);
		prep(&ops[2], vdm, 0, n);
		ck_assert_int_eq(ops[2].future.state, TERN_FUTURE_IDLE);
		prep(&more, vdm, 0, n);
		ck_assert_int_eq(more.future.result, -ENOMEM);
		tern_future_cancel(&ops[1].future);
		prep(&more, vdm, 0, n);
		ck_assert_int_eq(finish(&more), 0);
		prep(&more, vdm, 0, 0);
		ck_assert_int_eq(finish(&more), 0);
		tern_vdm_pool_destroy(vdm); /* with those that were never polled */
	}
	tern_pool_destroy(pool);
	areas_end();
}

static void many_made(void)
{
	static struct tern_vdm_op ops[16385];
	struct tern_vdm *vdm;

	pool = pool_new(1, 1);
	areas(SMALL + 1);
	vdm = watched(1, 1, 0);
	for (size_t i = 0; i < COUNT(ops); i++)
		prep(&ops[i], vdm, 0, SMALL + 1);
	for (size_t i = 0; i < COUNT(ops) - 1; i++)
		ck_assert_int_eq(ops[i].future.state, TERN_FUTURE_IDLE);
	ck_assert_int_eq(ops[COUNT(ops) - 1].future.result, -ENOMEM);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	areas_end();
}

static void full_ring(void)
{
	struct latch arrived, go;
	struct tern_vdm_op ops[4];
	struct bell bells[4];
	struct tern_notifier said;
	struct tern_vdm *vdm;

	pool = pool_new(1, 2);
	areas(4 * (SMALL + 1));
	vdm = watched(2, 1, 0);
	latch_init(&arrived, 4);
	latch_init(&go, 1);
	seen.arrives = &arrived;
	seen.waits = &go;
	for (size_t i = 0; i < 4; i++) {
		prep(&ops[i], vdm, i * (SMALL + 1), SMALL + 1);
		bell_init(&bells[i]);
		ck_assert_int_eq(poll_with(&ops[i].future, &bells[i], &said),
				 i ? TERN_FUTURE_IDLE : TERN_FUTURE_RUNNING);
		ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
		ck_assert(tern_future_has_property(&ops[i].future, TERN_FUTURE_ASYNC));
	}
	for (size_t i = 0; i < 4; i++) /* nobody wakes while the ring is full */
		ck_assert_uint_eq(atomic_get(&bells[i].wakes), 0);
	ck_assert_uint_le(calls(), 1);
	latch_arrive(&go);
	latch_wait(&arrived); /* each has its turn, polled or not */
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(finish(&ops[i]), 0);
	ck_assert_uint_eq(seen.inside_most, 1);
	ck_assert(is_copied(0, to.n));
	tern_vdm_pool_destroy(vdm);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(bells[i].holds, bells[i].wakes);
	tern_pool_destroy(pool);
	areas_end();
}

struct rung {
	struct tern_waker waker;
	unsigned times;
};

static void ring(struct tern_waker *waker)
{
	atomic_bump(&tern_container_of(waker, struct rung, waker)->times);
}

static bool is_rung(void *rung)
{
	return atomic_get(&((struct rung *)rung)->times);
}

/* The waker that was given while it stood in line is the one that is called. */
static void line_is_woken(void)
{
	struct tern_loop *loop = loop_new();
	struct latch go;
	struct tern_vdm_op first, second;
	struct rung bell = {.waker.wake = ring};
	struct tern_notifier n = {.waker = &bell.waker};
	struct tern_vdm *vdm;

	pool = pool_new(1, 1);
	areas(2 * (SMALL + 1));
	vdm = watched(1, 1, 0);
	latch_init(&go, 1);
	seen.waits = &go;
	prep(&first, vdm, 0, SMALL + 1);
	prep(&second, vdm, SMALL + 1, SMALL + 1);
	tern_future_poll(&first.future, NULL);
	ck_assert_int_eq(tern_future_poll(&second.future, &n), TERN_FUTURE_IDLE);
	latch_arrive(&go);
	loop_until(loop, is_rung, &bell);
	ck_assert_int_eq(tern_future_poll(&second.future, &n), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(finish(&first), 0);
	ck_assert(is_copied(0, to.n));
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	areas_end();
}

/* ---- who moves what ---- */

static void replaced(void)
{
	struct tern_vdm_op op;
	struct tern_vdm *vdm;

	pool = pool_new(2, 2);
	areas(4 * MIB);
	vdm = watched(2, 0, 0);
	for (size_t n = 100; n <= 4 * MIB; n += 4 * MIB - 100)
		for (uint64_t flags = 0; flags < 4; flags++) {
			unsigned before = calls();

			if (flags & ~vdm->capabilities)
				continue;
			tern_vdm_prep_memset(&op, vdm, to.at, 6, n, flags);
			ck_assert_int_eq(finish(&op), 0);
			ck_assert_uint_eq(to.at[0], 7);
			ck_assert_uint_eq(to.at[n - 1], 7);
			ck_assert_uint_gt(calls(), before);
			before = calls();
			tern_vdm_prep_memcpy(&op, vdm, to.at, from.at, n, flags);
			ck_assert_int_eq(finish(&op), 0);
			ck_assert(is_copied(0, n));
			ck_assert_uint_gt(calls(), before);
			before = calls();
			tern_vdm_prep_memmove(&op, vdm, to.at + 50, to.at, n - 50, flags);
			ck_assert_int_eq(finish(&op), 0);
			ck_assert_int_eq(memcmp(to.at + 50, from.at, n - 50), 0);
			ck_assert_uint_gt(calls(), before);
		}
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	areas_end();
}

/* Six in each of two turns, of which four are small enough together. */
static void six_more(struct tern_post *post)
{
	struct turn *t = tern_container_of(post, struct turn, post);
	unsigned first = 6 * t->turns, before = calls_here();

	for (unsigned i = first; i < first + 6; i++) {
		prep(&t->ops[i], t->vdm, i * SMALL, SMALL);
		turn_run(t, i);
	}
	ck_assert_uint_eq(calls_here() - before, TURN / SMALL);
	if (++t->turns < 2)
		tern_loop_post(t->loop, post);
}

static void small_ones_inline(void)
{
	struct turn t = {.left = 12};

	pool = pool_new(1, 1);
	areas(12 * SMALL);
	t.loop = loop_new();
	t.vdm = watched(1, 0, 0);
	tern_post_init(&t.post, six_more);
	tern_loop_post(t.loop, &t.post);
	while (t.left)
		ck_assert_int_eq(tern_loop_run(t.loop), 0);
	ck_assert_uint_eq(seen.calls, 12);
	ck_assert_uint_eq(seen.elsewhere, 4);
	ck_assert(is_copied(0, to.n));
	tern_vdm_pool_destroy(t.vdm);
	tern_loop_destroy(t.loop);
	tern_pool_destroy(pool);
	areas_end();
}

/* Each of its pieces waits for another one, on another thread. */
static void split(void)
{
	struct tern_vdm_op op;
	struct latch two;
	struct tern_vdm *vdm;

	pool = pool_new(2, 2);
	areas(2 * MIB);
	vdm = watched(2, 0, 0);
	latch_init(&two, 2);
	seen.waits = &two;
	prep(&op, vdm, 0, 2 * MIB);
	tern_future_poll(&op.future, NULL);
	while (calls() < 2)
		sched_yield();
	latch_arrive(&two);
	latch_arrive(&two);
	ck_assert_int_eq(finish(&op), 0);
	ck_assert(is_copied(0, to.n));
	ck_assert_uint_eq(seen.inside_most, 2);
	ck_assert_uint_eq(seen.calls, 8);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	areas_end();
}

static void not_all_threads(void)
{
	struct tern_vdm_op ops[8];
	struct tern_vdm *vdm;

	pool = pool_new(4, 4);
	areas(8 * 4 * MIB);
	vdm = watched(2, 0, 0);
	for (size_t i = 0; i < 8; i++) {
		prep(&ops[i], vdm, i * 4 * MIB, 4 * MIB);
		tern_future_poll(&ops[i].future, NULL);
	}
	for (size_t i = 0; i < 8; i++)
		ck_assert_int_eq(finish(&ops[i]), 0);
	ck_assert(is_copied(0, to.n));
	ck_assert_uint_le(seen.inside_most, 2);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	areas_end();
}

/* The other thread of the pool is taken all the time, and this one as soon as it is free. */
static void helper_too_late(void)
{
	struct latch here, open, go;
	struct job stuck[2];
	struct tern_loop *loop = loop_new();
	struct tern_vdm_op op;
	struct tern_vdm *vdm;

	pool = pool_new(2, 2);
	areas(8 * MIB);
	vdm = watched(2, 0, 0);
	latch_init(&here, 1);
	latch_init(&open, 1);
	latch_init(&go, 1);
	for (int i = 0; i < 2; i++) {
		job_init(&stuck[i]);
		stuck[i].waits = &go;
	}
	stuck[0].arrives = &here;
	tern_pool_submit(pool, loop, &stuck[0].work);
	latch_wait(&here);
	seen.waits = &open;
	prep(&op, vdm, 0, 8 * MIB);
	tern_future_poll(&op.future, NULL);
	while (calls() < 1)
		sched_yield();
	stuck[1].work.priority = TERN_HIGH; /* before the helper */
	tern_pool_submit(pool, loop, &stuck[1].work);
	latch_arrive(&open);
	ck_assert_int_eq(finish(&op), 0);
	ck_assert(is_copied(0, to.n));
	ck_assert_uint_eq(seen.inside_most, 1);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	areas_end();
}

static const struct test tests[] = {
	{"wrong options are -EINVAL or -E2BIG", wrong_options},
	{"past the limit is -ENOMEM, until one is complete or cancelled", limit},
	{"thousands may be made before the first is polled", many_made},
	{"what finds the ring full waits idle, and has its turn", full_ring},
	{"what stood in line wakes when it is over", line_is_woken},
	{"functions in place of the mover's own are used, flags or not", replaced},
	{"small ones are moved by the poller, so much a turn", small_ones_inline},
	{"large ones are split over threads", split},
	{"no more threads are taken than was said", not_all_threads},
	{"nobody waits for a helper that does not come", helper_too_late},
};

int main(int argc, char **argv)
{
	return run_tests("vdm on a pool", tests, COUNT(tests), argc, argv);
}
