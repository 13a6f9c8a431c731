/* SPDX-License-Identifier: MIT */
/*
 * The gate: how other threads reach a loop that may be asleep in a poll of its descriptor.
 *
 * A producer pushes to the inbox, then looks at `armed` (P1, P2). If it is set and the producer is
 * the one who clears it, it writes the descriptor. The loop, before it may sleep, sets `armed`,
 * then looks at the inbox (L1, L2). All four are sequentially consistent: either the producer finds
 * `armed` set or the loop finds the inbox filled.
 *
 * Open is the resting state. A loop that prepares closes the gate only while it is certain to look
 * again itself: inside dispatch and inside prepare's own looking, both of which end by opening it.
 * A nested event loop opens it within a dispatch too; that costs a write, nothing else.
 *
 * `armed` counts: so many completions must come before the loop is woken, one but in the cases of
 * coalesce.c. Each takes one away, and who takes the last one writes. What must be heard at once
 * takes all. A completion that the loop has found by itself (L2) may be counted too: then the loop
 * is woken early. None is counted before it is pushed, so when so many have come since L2 somebody
 * has written; until then the loop's own time limit is what brings it back.
 *
 * A producer looks at `armed` whatever the inbox held: were it only the one who found the inbox
 * empty, everybody would wait for one that lost its CPU between push and look.
 *
 * Every clearing of `armed` by a producer is followed by exactly one write of the descriptor. The
 * loop counts them in `due`, so that it reads the descriptor when, and only when, a write has come
 * or is about to: a read too few would leave it readable for ever, a read too many costs a call.
 * What sources (source.c) have written is in no count. It is read when one of them came, or when a
 * wake brought nothing. It may be taken for a producer's write that is still to come, which then
 * wakes the loop once in vain.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../base/fatal.h"
#include "loop.h"

static void write_one(struct tern_loop *loop)
{
	const uint64_t one = 1;

	/* cannot block: nobody reads later than after 2^64 - 2 writes */
	while (write(loop->fd, &one, sizeof(one)) < 0)
		if (errno != EINTR)
			tern__fatal("eventfd", "write for loop %p: %s", (void *)loop,
				    strerror(errno));
}

static void wake(struct tern_loop *loop)
{
	tern__store(&loop->rung_ns, tern__now_ns());
	write_one(loop);
}

void tern__loop_ring(struct tern_loop *loop)
{
	if (tern__load_seq(&loop->armed) && tern__xchg_seq(&loop->armed, 0)) /* P2 */
		wake(loop);
}

void tern__loop_push(struct tern_loop *loop, struct tern_node *node)
{
	tern__mpsc_tell(&loop->inbox);
	tern__mpsc_push(&loop->inbox, node); /* P1 */
	tern__loop_ring(loop);
}

void tern__loop_bring(struct tern_loop *loop, struct tern_node *node)
{
	uint32_t awaited;

	tern__mpsc_tell(&loop->inbox);
	tern__mpsc_push(&loop->inbox, node);	/* P1 */
	awaited = tern__load_seq(&loop->armed); /* P2 */
	while (awaited && !tern__cas_weak_seq(&loop->armed, &awaited, awaited - 1))
		;
	if (awaited == 1)
		wake(loop);
}

void tern__loop_push_own(struct tern_loop *loop, struct tern_node *node)
{
	node->next = NULL;
	*loop->ready_tail = node;
	loop->ready_tail = &node->next;
	/* the event loop may be about to poll without another prepare */
	if (!loop->ready_count++ && loop->listening)
		tern__gate_leave_readable(loop);
}

void tern__loop_give(struct tern_loop *loop, struct tern_node *node, bool mine)
{
	if (mine) {
		tern__loop_push_own(loop, node);
		return;
	}
	node->prev = NULL;
	tern__loop_pin(loop);
	tern__loop_push(loop, node);
	tern__loop_unpin(loop);
}

void tern__gate_close(struct tern_loop *loop)
{
	if (!loop->listening)
		return;
	loop->listening = false;
	if (!tern__xchg_seq(&loop->armed, 0))
		loop->due++;
}

bool tern__gate_open(struct tern_loop *loop, uint32_t awaited)
{
	if (!tern__xchg_seq(&loop->armed, awaited) && loop->listening) /* L1 */
		loop->due++;
	/* all clearings that were written are counted by now: the rest was of sources */
	if ((int64_t)loop->due < 0)
		loop->due = 0;
	loop->listening = true;
	return !tern__mpsc_empty(&loop->inbox); /* L2 */
}

void tern__gate_collect(struct tern_loop *loop)
{
	struct tern_node *newest, *oldest;

	if (tern__mpsc_seems_empty(&loop->inbox))
		return;
	oldest = tern__mpsc_take(&loop->inbox, &newest, &loop->ready_count);
	*loop->ready_tail = oldest;
	loop->ready_tail = &newest->next;
}

void tern__gate_drain(struct tern_loop *loop)
{
	uint64_t n;

	if (!loop->due && !loop->maybe_rung)
		return;
	loop->maybe_rung = false;
	/* EAGAIN: the producer has not come to its write yet; the next dispatch reads it */
	if (read(loop->fd, &n, sizeof(n)) == sizeof(n))
		loop->due -= n;
}

void tern__gate_leave_readable(struct tern_loop *loop)
{
	if (loop->due)
		return; /* it is, or is about to be */
	write_one(loop);
	loop->due++;
}
