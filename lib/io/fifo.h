/* SPDX-License-Identifier: MIT */
/* A list of nodes by next and prev: first in, first out, and out of the middle. */
#ifndef TERN__FIFO_H
#define TERN__FIFO_H

#include <tern/base.h>

struct tern__fifo {
	struct tern_node *first, *last;
};

static inline void tern__fifo_push(struct tern__fifo *f, struct tern_node *node)
{
	node->next = NULL;
	node->prev = f->last;
	if (f->last)
		f->last->next = node;
	else
		f->first = node;
	f->last = node;
}

static inline void tern__fifo_push_front(struct tern__fifo *f, struct tern_node *node)
{
	node->prev = NULL;
	node->next = f->first;
	if (f->first)
		f->first->prev = node;
	else
		f->last = node;
	f->first = node;
}

static inline void tern__fifo_remove(struct tern__fifo *f, struct tern_node *node)
{
	if (node->prev)
		node->prev->next = node->next;
	else
		f->first = node->next;
	if (node->next)
		node->next->prev = node->prev;
	else
		f->last = node->prev;
}

static inline struct tern_node *tern__fifo_pop(struct tern__fifo *f)
{
	struct tern_node *node = f->first;

	if (node)
		tern__fifo_remove(f, node);
	return node;
}

#endif
