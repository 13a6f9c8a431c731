/* SPDX-License-Identifier: MIT */
/*
 * A binary min-heap (J. W. J. Williams, 1964) in the shape of a complete tree, linked by pointers
 * instead of laid out in an array, so that no array must grow. Node number n, counting from 1 by
 * rows, is found from the root by the bits of n below its highest: 0 left, 1 right.
 */
#include "timer.h"

/* The link that points, or would point, to node number n; *parent is the node that holds it. */
static struct tern_timer **link_of(struct tern__timers *heap, uint64_t n,
				   struct tern_timer **parent)
{
	struct tern_timer **link = &heap->root;

	*parent = NULL;
	for (int bit = 62 - __builtin_clzll(n); bit >= 0; bit--) {
		*parent = *link;
		link = &(*link)->child[(n >> bit) & 1];
	}
	return link;
}

/* The link that points to a timer in the heap. */
static struct tern_timer **link_to(struct tern__timers *heap, struct tern_timer *timer)
{
	return timer->parent ? &timer->parent->child[timer->parent->child[1] == timer]
			     : &heap->root;
}

static void adopt(struct tern_timer *parent, struct tern_timer *child)
{
	if (child)
		child->parent = parent;
}

/* Parent and child change places. */
static void swap_with_parent(struct tern__timers *heap, struct tern_timer *child)
{
	struct tern_timer *parent = child->parent, **up = link_to(heap, parent);
	int side = parent->child[1] == child;
	struct tern_timer *other = parent->child[!side], *left = child->child[0],
			  *right = child->child[1];

	*up = child;
	child->parent = parent->parent;
	child->child[side] = parent;
	child->child[!side] = other;
	adopt(child, other);
	parent->parent = child;
	parent->child[0] = left;
	parent->child[1] = right;
	adopt(parent, left);
	adopt(parent, right);
}

static void sift_up(struct tern__timers *heap, struct tern_timer *timer)
{
	while (timer->parent && timer->deadline_ns < timer->parent->deadline_ns)
		swap_with_parent(heap, timer);
}

static void sift_down(struct tern__timers *heap, struct tern_timer *timer)
{
	for (;;) {
		struct tern_timer *least = timer->child[0], *right = timer->child[1];

		if (right && right->deadline_ns < least->deadline_ns)
			least = right;
		if (!least || least->deadline_ns >= timer->deadline_ns)
			return;
		swap_with_parent(heap, least);
	}
}

void tern__timers_insert(struct tern__timers *heap, struct tern_timer *timer)
{
	struct tern_timer **link = link_of(heap, ++heap->count, &timer->parent);

	timer->child[0] = timer->child[1] = NULL;
	*link = timer;
	sift_up(heap, timer);
}

void tern__timers_remove(struct tern__timers *heap, struct tern_timer *timer)
{
	struct tern_timer *parent, **link = link_of(heap, heap->count--, &parent);
	struct tern_timer *last = *link;

	*link = NULL;
	if (last == timer)
		return;
	/* the last node takes the place of the one that goes, then finds its own */
	*link_to(heap, timer) = last;
	last->parent = timer->parent;
	for (int side = 0; side < 2; side++) {
		last->child[side] = timer->child[side];
		adopt(last, last->child[side]);
	}
	sift_up(heap, last);
	sift_down(heap, last);
}
