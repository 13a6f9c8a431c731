/* SPDX-License-Identifier: MIT */
/*
 * A stack that many push to and one takes whole; taken, it is turned round, so that what comes out
 * is in order of arrival. (The intrusive stack of R. K. Treiber, 1986; taking all at once leaves
 * out its ABA problem.)
 *
 *	who may		push	empty	take
 *	anyone		x	x
 *	the taker	x	x	x	one at a time: a loop's thread for its inbox,
 *						whoever holds the pool's lock for an outbox
 *
 * Each node lies on a line of another core's, and its address stands in the node before it, so that
 * to take n nodes would mean to wait for n lines one after the other. A pusher therefore leaves a
 * trail: in prev, the node that it pushed a few pushes before, for the taker to fetch ahead. That
 * node may have been taken long ago and may even be gone: its address is used for nothing else.
 *
 * push is sequentially consistent: the pusher goes on to look at a flag of the taker (armed, awake)
 * and the taker sets that flag before it looks at the stack. One of them sees the other.
 */
#ifndef TERN__MPSC_H
#define TERN__MPSC_H

#include <tern/base.h>

#include "atomic.h"
#include "tsan.h"

struct tern__mpsc {
	struct tern_node *top;
};

#define TERN__TRAIL 4

/* The nodes that one pusher pushed last. */
struct tern__trail {
	struct tern_node *last[TERN__TRAIL];
	uint32_t pushed;
};

/* Before a push: the node joins the pusher's trail. Without a trail prev is NULL. */
static inline void tern__trail_join(struct tern__trail *trail, struct tern_node *node)
{
	uint32_t i = trail->pushed++ % TERN__TRAIL;

	node->prev = trail->last[i];
	trail->last[i] = node;
}

/*
 * Before a push: see tsan.h. Not part of it, because a call in the middle, even one that is never
 * made, costs some pushers ten instructions more than here.
 */
static inline void tern__mpsc_tell(struct tern__mpsc *s)
{
	tern__hand_over(&s->top);
}

/* Pushes the chain last -> ... -> first, linked by next, whose newest node is last. */
static inline void tern__mpsc_push_chain(struct tern__mpsc *s, struct tern_node *last,
					 struct tern_node *first)
{
	struct tern_node *top = tern__load(&s->top);

	do
		first->next = top;
	while (!tern__cas_weak_seq(&s->top, &top, last));
}

static inline void tern__mpsc_push(struct tern__mpsc *s, struct tern_node *node)
{
	tern__mpsc_push_chain(s, node, node);
}

/* A hint, without order: good for polling and for leaving early where somebody else looks again. */
static inline bool tern__mpsc_seems_empty(const struct tern__mpsc *s)
{
	return !tern__load(&s->top);
}

/* The look that pairs with push. */
static inline bool tern__mpsc_empty(const struct tern__mpsc *s)
{
	return !tern__load_seq(&s->top);
}

/*
 * Takes all: returns the oldest, linked by next to the newest, which goes to *newest; their number
 * is added to *count. NULL when there was nothing.
 */
static inline struct tern_node *tern__mpsc_take(struct tern__mpsc *s, struct tern_node **newest,
						uint32_t *count)
{
	struct tern_node *node = tern__xchg_seq(&s->top, NULL), *oldest = NULL;
	uint32_t n = 0;

	tern__take_over(&s->top);
	*newest = node;
	while (node) {
		struct tern_node *next = node->next;

		__builtin_prefetch(node->prev);
		node->next = oldest;
		oldest = node;
		node = next;
		n++;
	}
	*count += n;
	return oldest;
}

#endif
