/* SPDX-License-Identifier: MIT */
/*
 * What waits in a pool, in order of arrival: a doubly linked list under the pool's lock, so that a
 * cancelled item leaves it at once. The links are node.next and node.prev of the items.
 */
#include "pool.h"

static struct tern_work *work_of(struct tern_node *node)
{
	return node ? tern_container_of(node, struct tern_work, node) : NULL;
}

void tern__queue_append(struct tern_pool *p, struct tern_work *w, uint64_t now_ns)
{
	w->since_ns = now_ns;
	if (now_ns != p->came_ns) {
		p->apart_ns = now_ns - p->came_ns;
		p->came_ns = now_ns;
	}
	w->node.next = NULL;
	w->node.prev = p->tail ? &p->tail->node : NULL;
	if (p->tail)
		p->tail->node.next = &w->node;
	else
		p->head = w;
	p->tail = w;
	tern__bump(&p->waiting, 1u);
}

void tern__queue_unlink(struct tern_pool *p, struct tern_work *w)
{
	struct tern_work *next = work_of(w->node.next);

	if (w->node.prev)
		w->node.prev->next = w->node.next;
	else
		p->head = next;
	if (next)
		next->node.prev = w->node.prev;
	else
		p->tail = work_of(w->node.prev);
	tern__bump(&p->waiting, -1u);
}

void tern__queue_collect(struct tern_pool *p)
{
	uint64_t now = 0;

	for (struct tern__port *port = p->ports; port; port = port->next) {
		struct tern_node *newest, *node;
		uint32_t n = 0;

		if (tern__mpsc_empty(&port->outbox)) /* S2, see port.c */
			continue;
		now = now ? now : tern__now_ns();
		node = tern__mpsc_take(&port->outbox, &newest, &n);
		while (node) {
			struct tern_node *next = node->next;

			tern__queue_append(p, work_of(node), now);
			node = next;
		}
	}
}

bool tern__queue_looks_filled(const struct tern_pool *p)
{
	if (tern__load(&p->waiting))
		return true;
	for (struct tern__port *port = tern__load_acquire(&p->ports); port; port = port->next)
		if (!tern__mpsc_seems_empty(&port->outbox))
			return true;
	return false;
}
