/* SPDX-License-Identifier: MIT */
/* The mover on a pool: cancels in each state, and the ends of operation, mover, pool and process.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watched_mover.h"

/* ---- cancels ---- */

/* One is at it, one has a place, two are in line; then all others are cancelled, from the end. */
static void cancel_not_begun(void)
{
	struct latch arrived, go;
	struct tern_vdm_op ops[5];
	struct tern_vdm *vdm;

	pool = pool_new(1, 1);
	areas(5 * (SMALL + 1));
	vdm = watched(1, 2, 5);
	latch_init(&arrived, 1);
	latch_init(&go, 1);
	seen.arrives = &arrived;
	seen.waits = &go;
	for (size_t i = 0; i < 5; i++) {
		prep(&ops[i], vdm, i * (SMALL + 1), SMALL + 1);
		tern_future_poll(&ops[i].future, NULL);
		if (!i)
			latch_wait(&arrived);
	}
	seen.arrives = NULL;
	for (size_t i = 3; i > 0; i--) {
		tern_future_cancel(&ops[i].future);
		ck_assert_int_eq(tern_future_poll(&ops[i].future, NULL), TERN_FUTURE_COMPLETE);
		ck_assert_int_eq(ops[i].future.result, -ECANCELED);
		ck_assert_uint_eq(ops[i].dest == to.at + i * (SMALL + 1), 1);
		memset(&ops[i], 0xff, sizeof(ops[i])); /* it is ours */
		prep(&ops[i], vdm, i * (SMALL + 1), 1);
		ck_assert_int_eq(ops[i].future.state, TERN_FUTURE_IDLE);
		tern_future_cancel(&ops[i].future);
	}
	latch_arrive(&go);
	ck_assert_int_eq(finish(&ops[0]), 0);
	ck_assert_int_eq(finish(&ops[4]), 0);
	ck_assert(is_copied(0, SMALL + 1));
	ck_assert(is_copied(4 * (SMALL + 1), SMALL + 1));
	for (size_t i = SMALL + 1; i < 4 * (SMALL + 1); i++)
		ck_assert(!to.at[i]);
	ck_assert_uint_eq(seen.calls, 2);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	areas_end();
}

static void cancel_running(void)
{
	struct latch arrived, go;
	struct tern_vdm_op op;
	struct tern_vdm *vdm;

	pool = pool_new(1, 1);
	areas(MIB);
	vdm = watched(1, 0, 0);
	latch_init(&arrived, 1);
	latch_init(&go, 1);
	seen.arrives = &arrived;
	seen.waits = &go;
	prep(&op, vdm, 0, MIB);
	tern_future_poll(&op.future, NULL);
	latch_wait(&arrived);
	tern_future_cancel(&op.future);
	/* not before it lets go of the memory */
	ck_assert_int_eq(tern_future_poll(&op.future, NULL), TERN_FUTURE_RUNNING);
	tern_future_cancel(&op.future);
	latch_arrive(&go);
	ck_assert_int_eq(finish(&op), -ECANCELED);
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert(is_copied(0, 256 * KIB));
	for (size_t i = 256 * KIB; i < MIB; i++)
		ck_assert(!to.at[i]);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	areas_end();
}

static void cancel_too_late(void)
{
	struct latch arrived, go;
	struct tern_vdm_op op;
	struct tern_vdm *vdm;

	pool = pool_new(1, 1);
	areas(SMALL + 1);
	vdm = watched(1, 0, 0);
	latch_init(&arrived, 1);
	latch_init(&go, 1);
	seen.arrives = &arrived;
	seen.waits = &go;
	prep(&op, vdm, 0, SMALL + 1);
	tern_future_poll(&op.future, NULL);
	latch_wait(&arrived);
	tern_future_cancel(&op.future);
	latch_arrive(&go);
	ck_assert_int_eq(finish(&op), 0); /* all was taken when somebody asked */
	ck_assert(is_copied(0, SMALL + 1));
	tern_future_cancel(&op.future);
	ck_assert_int_eq(finish(&op), 0);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	areas_end();
}

/* ---- its end ---- */

/* What is over and was not polled since can be polled when the mover is gone. */
static void destroy_waits(void)
{
	static struct tern_vdm_op ops[64];
	struct tern_vdm *vdm;

	pool = pool_new(1, 2);
	areas(64 * (SMALL + 1));
	vdm = watched(2, 2, 0);
	for (size_t i = 0; i < 64; i++) {
		prep(&ops[i], vdm, i * (SMALL + 1), SMALL + 1);
		if (i < 63) /* one is never started */
			tern_future_poll(&ops[i].future, NULL);
	}
	tern_vdm_pool_destroy(vdm);
	ck_assert_uint_eq(seen.calls, 63);
	ck_assert(is_copied(0, 63 * (SMALL + 1)));
	for (size_t i = 0; i < 63; i++) {
		ck_assert_int_eq(tern_future_poll(&ops[i].future, NULL), TERN_FUTURE_COMPLETE);
		ck_assert_int_eq(ops[i].future.result, 0);
	}
	tern_pool_destroy(pool);
	areas_end();
}

/* They lie with the loop, whose turn does not end before the mover does. */
static void destroy_in_a_turn_fn(struct tern_post *post)
{
	struct turn *t = tern_container_of(post, struct turn, post);

	for (unsigned i = 0; i < 12; i++) {
		prep(&t->ops[i], t->vdm, i * (SMALL + 1), SMALL + 1);
		turn_run(t, i);
	}
	tern_vdm_pool_destroy(t->vdm);
	ck_assert(is_copied(0, to.n));
}

static void destroy_in_a_turn(void)
{
	struct turn t = {.left = 12};

	pool = pool_new(1, 2);
	areas(12 * (SMALL + 1));
	t.loop = loop_new();
	t.vdm = watched(1, 2, 0);
	tern_post_init(&t.post, destroy_in_a_turn_fn);
	tern_loop_post(t.loop, &t.post);
	while (t.left)
		ck_assert_int_eq(tern_loop_run(t.loop), 0);
	tern_loop_destroy(t.loop);
	tern_pool_destroy(pool);
	areas_end();
}

static void destroy_on(struct tern_work *work)
{
	tern_vdm_pool_destroy(work->user);
}

static void destroy_on_its_thread(void)
{
	struct tern_work work;
	struct tern_loop *loop = loop_new();

	pool = pool_new(1, 1);
	tern_work_init(&work, destroy_on, ignore_done);
	work.user = mover_of(NULL);
	expect_fatal("tern_vdm_pool_destroy", work.user);
	tern_pool_submit(pool, loop, &work);
	tern_loop_run(loop);
}

static void put_before(void)
{
	struct tern_vdm_op op;
	struct tern_vdm *vdm;

	pool = pool_new(1, 1);
	areas(MIB);
	vdm = watched(1, 0, 0);
	tern_pool_put(pool); /* the mover has a reference */
	prep(&op, vdm, 0, MIB);
	ck_assert_int_eq(finish(&op), 0);
	tern_vdm_pool_destroy(vdm);
	areas_end();
}

static void no_kept_threads(void)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .threads_min = TERN_NONE,
					    .threads_max = 2,
					    .idle_ms_max = TERN_NONE};
	struct tern_vdm_op op;
	struct tern_vdm *vdm;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	areas(2 * MIB);
	vdm = watched(2, 0, 0);
	for (int i = 0; i < 100; i++) {
		prep(&op, vdm, 0, 2 * MIB);
		ck_assert_int_eq(finish(&op), 0);
	}
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	areas_end();
}

static void in_a_child(void)
{
	struct tern_vdm_op made, op;
	struct tern_vdm *vdm;
	pid_t child;
	int status;

	pool = pool_new(1, 1);
	areas(MIB);
	vdm = watched(1, 0, 0);
	prep(&op, vdm, 0, MIB);
	ck_assert_int_eq(finish(&op), 0);
	prep(&made, vdm, 0, MIB);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		struct tern_vdm *other = NULL;
		bool right;

		prep(&op, vdm, 0, MIB);
		right = op.future.result == -ECHILD;
		right = right && finish(&made) == -ECHILD;
		right = right && tern_vdm_pool_create(&other, pool, NULL) == -ECHILD && !other;
		tern_vdm_pool_destroy(vdm);
		tern_pool_put(pool);
		_exit(right ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(finish(&made), 0);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
	areas_end();
}

static const struct test tests[] = {
	{"a cancel of what has not begun is over at once", cancel_not_begun},
	{"a cancel of what is being moved is over when nothing moves any more", cancel_running},
	{"a cancel that comes too late changes nothing", cancel_too_late},
	{"destroy waits for what was started, and forgets the rest", destroy_waits},
	{"destroy does not wait for the turn of its own loop to end", destroy_in_a_turn},
	{"fatal: destroy on a thread of the pool", destroy_on_its_thread},
	{"a mover keeps its pool", put_before},
	{"a pool that keeps no threads moves memory too", no_kept_threads},
	{"in a child the parent's mover gives -ECHILD", in_a_child},
};

int main(int argc, char **argv)
{
	return run_tests("vdm's ends", tests, COUNT(tests), argc, argv);
}
