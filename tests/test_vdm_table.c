/* SPDX-License-Identifier: MIT */
/* What a mover of one's own may do, and is asked: one that is moved by hand. */
#include "movers.h"

static struct {
	int new_says, start_says; /* what these return */
	bool ends_in_start, ends_in_check, obeys;
	unsigned news, deletes, starts, checks, cancels;
	enum tern_notify says;
} hand;

static int op_new(struct tern_vdm *vdm, struct tern_vdm_op *op)
{
	hand.news++;
	op->data = &hand;
	return hand.new_says;
}

static void op_delete(struct tern_vdm *vdm, struct tern_vdm_op *op)
{
	ck_assert_ptr_eq(op->data, &hand);
	hand.deletes++;
}

static int op_start(struct tern_vdm *vdm, struct tern_vdm_op *op, struct tern_notifier *n)
{
	hand.starts++;
	if (hand.ends_in_start)
		tern_future_complete(&op->future, 5);
	return hand.start_says;
}

static enum tern_future_state op_check(struct tern_vdm *vdm, struct tern_vdm_op *op,
				       struct tern_notifier *n)
{
	hand.checks++;
	if (hand.says == TERN_NOTIFY_WAKER)
		tern_notifier_pass(n);
	op->future.result = 6;
	return hand.ends_in_check ? TERN_FUTURE_COMPLETE : TERN_FUTURE_RUNNING;
}

static bool op_cancel(struct tern_vdm *vdm, struct tern_vdm_op *op)
{
	hand.cancels++;
	return hand.obeys;
}

static struct tern_vdm by_hand = {
	.size = sizeof(by_hand),
	.name = "by hand",
	.operations = 1 << TERN_VDM_MEMSET,
	.op_new = op_new,
	.op_delete = op_delete,
	.op_start = op_start,
	.op_cancel = op_cancel,
};

static char memory[64];

static void prep(struct tern_vdm_op *op)
{
	tern_vdm_prep_memset(op, &by_hand, memory, 0, sizeof(memory), 0);
}

static void refused(void)
{
	struct tern_vdm_op op;

	hand.new_says = -ENOMEM;
	prep(&op);
	ck_assert_int_eq(finish(&op), -ENOMEM);
	ck_assert_uint_eq(hand.news, 1);
	ck_assert_uint_eq(hand.starts + hand.deletes, 0);
	tern_vdm_prep_memset(&op, &by_hand, memory, 0, 0, 0);
	tern_vdm_prep_memset(&op, &by_hand, NULL, 0, 1, 0);
	tern_vdm_prep_memset(&op, &by_hand, memory, 0, 1, TERN_VDM_MEM_DURABLE);
	tern_vdm_prep_flush(&op, &by_hand, memory, 1, 0);
	ck_assert_uint_eq(hand.news, 1); /* not asked for what is not sound */
}

static void ends_at_once(void)
{
	struct tern_vdm_op op;

	hand.ends_in_start = true;
	prep(&op);
	ck_assert_int_eq(tern_future_poll(&op.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(op.future.result, 5);
	ck_assert_uint_eq(hand.deletes, 1);
	hand.ends_in_start = false;
	hand.start_says = -EIO;
	prep(&op);
	ck_assert_int_eq(finish(&op), -EIO);
	ck_assert_uint_eq(hand.starts, 2);
	ck_assert_uint_eq(hand.deletes, 2);
}

static void full(void)
{
	struct tern_vdm_op op;
	struct tern_notifier said;
	struct bell bell;

	bell_init(&bell);
	hand.start_says = -EAGAIN;
	prep(&op);
	ck_assert_int_eq(poll_with(&op.future, &bell, &said), TERN_FUTURE_IDLE);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	ck_assert_uint_eq(hand.starts, 2); /* again, when there is somebody to wake */
	tern_future_wake(&op.future);
	ck_assert_uint_eq(bell.wakes, 1);
	hand.start_says = 0;
	ck_assert_int_eq(poll_with(&op.future, &bell, NULL), TERN_FUTURE_RUNNING);
	ck_assert_uint_eq(hand.starts, 3);
	ck_assert_int_eq(poll_with(&op.future, &bell, NULL), TERN_FUTURE_RUNNING);
	ck_assert_uint_eq(hand.starts, 3);
	tern_future_complete(&op.future, 7);
	ck_assert_uint_eq(bell.wakes, 2);
	ck_assert_uint_eq(hand.deletes, 0);
	ck_assert_int_eq(finish(&op), 7);
	ck_assert_uint_eq(hand.deletes, 1);
}

static void looked_after(void)
{
	struct tern_vdm_op op;
	struct tern_notifier said;
	struct bell bell;

	bell_init(&bell);
	by_hand.op_check = op_check;
	hand.says = TERN_NOTIFY_NONE;
	prep(&op);
	ck_assert_int_eq(poll_with(&op.future, &bell, &said), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(said.used, TERN_NOTIFY_NONE);
	hand.says = TERN_NOTIFY_WAKER;
	ck_assert_int_eq(poll_with(&op.future, &bell, &said), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	said = (struct tern_notifier){.waker = NULL};
	ck_assert_int_eq(tern_future_poll(&op.future, &said), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(said.used, TERN_NOTIFY_NONE); /* there is nobody to wake */
	hand.ends_in_check = true;
	ck_assert_int_eq(finish(&op), 6);
	ck_assert_uint_eq(hand.checks, 4);
	ck_assert_uint_eq(hand.deletes, 1);
	hand.ends_in_check = false;
	prep(&op); /* told of by the other way */
	ck_assert_int_eq(poll_with(&op.future, NULL, &said), TERN_FUTURE_RUNNING);
	tern_future_complete(&op.future, 8);
	ck_assert_int_eq(finish(&op), 8);
	ck_assert_uint_eq(hand.checks, 5);
	ck_assert_uint_eq(hand.deletes, 2);
}

static void canceled(void)
{
	struct tern_vdm_op op;

	prep(&op); /* never started: nobody is asked */
	tern_future_cancel(&op.future);
	ck_assert_int_eq(finish(&op), -ECANCELED);
	ck_assert_uint_eq(hand.cancels, 0);
	ck_assert_uint_eq(hand.deletes, 1);
	prep(&op); /* it comes to its end as it is */
	tern_future_poll(&op.future, NULL);
	tern_future_cancel(&op.future);
	ck_assert_uint_eq(hand.cancels, 1);
	ck_assert_int_eq(tern_future_poll(&op.future, NULL), TERN_FUTURE_RUNNING);
	tern_future_complete(&op.future, 9);
	ck_assert_int_eq(finish(&op), 9);
	ck_assert_uint_eq(hand.deletes, 2);
	hand.obeys = true;
	for (int again = 0; again < 2; again++) { /* started; then: tried in vain */
		hand.start_says = again ? -EAGAIN : 0;
		prep(&op);
		tern_future_poll(&op.future, NULL);
		tern_future_cancel(&op.future);
		ck_assert_int_eq(finish(&op), -ECANCELED);
	}
	ck_assert_uint_eq(hand.cancels, 3);
	ck_assert_uint_eq(hand.deletes, 4);
}

static void no_mover(void)
{
	static struct tern_vdm_op op;

	expect_fatal("tern_vdm_prep_flush", &op);
	tern_vdm_prep_flush(&op, NULL, memory, 1, 0);
}

static void small_table(void)
{
	static struct tern_vdm_op op;

	by_hand.size = 8;
	expect_fatal("tern_vdm_prep_memset", &op);
	prep(&op);
}

static const struct test tests[] = {
	{"op_new may refuse, and is asked only for what is sound", refused},
	{"op_start may end it, well or badly", ends_at_once},
	{"what finds the mover full is tried again when it is woken", full},
	{"op_check may end it, and says when to come again", looked_after},
	{"op_cancel is asked about what was started, and may end it", canceled},
	{"fatal: no mover", no_mover},
	{"fatal: a table of another size", small_table},
};

int main(int argc, char **argv)
{
	return run_tests("movers of one's own", tests, COUNT(tests), argc, argv);
}
