/* SPDX-License-Identifier: MIT */
/*
 * Bringing home a part of what comes to a loop, by whoever blocks for just that: a queue whose user
 * waits. What belongs to others stays in the loop, in its order. A part is told by where its nodes
 * lie: in the memory that its owner got in one piece.
 */
#include <poll.h>

#include "loop.h"

static bool is_in(const struct tern_node *node, const void *begin, const void *end)
{
	return (const char *)node >= (const char *)begin && (const char *)node < (const char *)end;
}

uint32_t tern__part_count(struct tern_loop *l, const void *begin, const void *end)
{
	uint32_t n = 0;

	tern__gate_collect(l);
	for (const struct tern_node *node = l->ready; node; node = node->next)
		n += is_in(node, begin, end);
	return n;
}

bool tern__part_run(struct tern_loop *l, const void *begin, const void *end)
{
	struct tern_node **link = &l->ready, *node;

	while (*link && !is_in(*link, begin, end))
		link = &(*link)->next;
	node = *link;
	if (!node)
		return false;
	*link = node->next;
	if (!node->next)
		l->ready_tail = link;
	l->ready_count--;
	l->depth++;
	node->deliver(node);
	tern__loop_check_fork(l, "tern_loop_dispatch");
	l->depth--;
	return true;
}

void tern__part_await(struct tern_loop *l, struct tern__source *source, int64_t ns)
{
	const struct timespec limit = {ns / 1000000000, ns % 1000000000};
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	bool listening = l->listening;
	uint32_t had = l->ready_count;

	tern__loop_hand_over(l, NULL);
	if (l->ready_count != had)
		return;	      /* something was over at once */
	l->maybe_rung = true; /* whatever made it readable: what it told of is in our hands */
	tern__gate_drain(l);
	if (!tern__gate_open(l, 1) && !(source && source->ops->ready(source)))
		ppoll(&p, 1, ns < 0 ? NULL : &limit, NULL);
	if (!listening)
		tern__gate_close(l);
	else if (l->ready || !tern__mpsc_seems_empty(&l->inbox) || tern__sources_ready(l))
		tern__gate_leave_readable(l); /* others', which we do not deliver */
}
