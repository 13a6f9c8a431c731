/* SPDX-License-Identifier: MIT */
/*
 * What waits in a pool: for each priority a doubly linked list in order of arrival, under the
 * pool's lock, so that a cancelled item leaves it at once. The links are node.next and node.prev of
 * the items; `where` says in which list an item is, whatever becomes of its public `priority`.
 *
 * The most urgent goes first, but for some picks of every 16, by which the others move on too.
 */
#include "pool.h"

static const uint8_t urgency[TERN__RANKS] = {TERN_HIGH, TERN_NORMAL, TERN_LOW};

/* Whose turn it is, if such an item waits: three times NORMAL and once LOW. */
static const uint8_t turns[16] = {
	[3] = TERN_NORMAL + 1,
	[7] = TERN_NORMAL + 1,
	[11] = TERN_NORMAL + 1,
	[15] = TERN_LOW + 1,
};

static struct tern_work *work_of(struct tern_node *node)
{
	return node ? tern_container_of(node, struct tern_work, node) : NULL;
}

static void append(struct tern__queue *queue, struct tern_work *w)
{
	struct tern__list *list = &queue->lists[w->where & TERN__RANK];

	w->node.next = NULL;
	w->node.prev = list->tail ? &list->tail->node : NULL;
	if (list->tail)
		list->tail->node.next = &w->node;
	else
		list->head = w;
	list->tail = w;
	queue->counts[w->where & TERN__RANK]++;
}

static void unlink_from(struct tern__queue *queue, struct tern_work *w)
{
	struct tern__list *list = &queue->lists[w->where & TERN__RANK];
	struct tern_work *next = work_of(w->node.next);

	if (w->node.prev)
		w->node.prev->next = w->node.next;
	else
		list->head = next;
	if (next)
		next->node.prev = w->node.prev;
	else
		list->tail = work_of(w->node.prev);
	queue->counts[w->where & TERN__RANK]--;
}

static struct tern_work *pick(struct tern__queue *queue)
{
	uint8_t turn = turns[queue->picks++ % 16];
	struct tern_work *w = turn ? queue->lists[turn - 1].head : NULL;

	for (size_t i = 0; i < TERN__RANKS && !w; i++)
		w = queue->lists[urgency[i]].head;
	if (w)
		unlink_from(queue, w);
	return w;
}

void tern__queue_append(struct tern_pool *p, struct tern_work *w, uint64_t now_ns)
{
	struct tern_lane *lane = tern__lane_of(w);

	w->since_ns = now_ns;
	/* another thread may have read its clock later and come first */
	if (now_ns > p->came_ns) {
		p->apart_ns = now_ns - p->came_ns;
		p->came_ns = now_ns;
	}
	TERN__COUNT_LANE(lane, came);
	if (lane && lane->entered >= lane->running_max) {
		tern__store(&w->where, w->where | TERN__HELD);
		append(&lane->held, w);
		return;
	}
	if (lane)
		lane->entered++;
	append(&p->queue, w);
	tern__bump(&p->waiting, 1u);
}

void tern__queue_admit(struct tern_pool *p, struct tern_lane *lane)
{
	struct tern_work *w;

	tern__store(&p->moving, true);
	w = pick(&lane->held);
	if (w) {
		lane->entered++;
		tern__store(&w->where, w->where & ~TERN__HELD);
		append(&p->queue, w);
		tern__bump(&p->waiting, 1u);
	}
	tern__store_release(&p->moving, false);
}

void tern__queue_unlink(struct tern_pool *p, struct tern_work *w)
{
	if (w->where & TERN__HELD) {
		unlink_from(&tern__lane_of(w)->held, w);
		return;
	}
	unlink_from(&p->queue, w);
	tern__bump(&p->waiting, -1u);
	if (tern__lane_of(w))
		tern__lane_leave(tern__lane_of(w));
}

struct tern_work *tern__queue_pick(struct tern_pool *p, struct tern_work **current)
{
	struct tern_work *w = pick(&p->queue);

	if (!w)
		return NULL;
	tern__store(current, w);
	tern__store_release(&p->waiting, p->waiting - 1); /* only now, see fork.c */
	return w;
}

uint64_t tern__queue_oldest_ns(const struct tern_pool *p)
{
	uint64_t oldest = UINT64_MAX;

	for (size_t i = 0; i < TERN__RANKS; i++) {
		const struct tern_work *w = p->queue.lists[i].head;
		const struct tern_lane *lane = w ? tern__lane_of(w) : NULL;
		uint64_t since_ns = w ? w->since_ns : UINT64_MAX;

		if (lane && lane->over_ns > since_ns)
			since_ns = lane->over_ns;
		if (since_ns < oldest)
			oldest = since_ns;
	}
	return oldest;
}

static struct tern_work *find(const struct tern__queue *queue,
			      bool (*is)(const struct tern_work *item, const void *arg),
			      const void *arg)
{
	for (size_t i = 0; i < TERN__RANKS; i++)
		for (struct tern_work *w = queue->lists[i].head; w; w = work_of(w->node.next))
			if (is(w, arg))
				return w;
	return NULL;
}

struct tern_work *tern__queue_find(const struct tern_pool *p,
				   bool (*is)(const struct tern_work *item, const void *arg),
				   const void *arg)
{
	struct tern_work *found = find(&p->queue, is, arg);

	for (struct tern_lane *lane = p->lanes; lane && !found; lane = lane->next)
		found = find(&lane->held, is, arg);
	return found;
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
		tern__store(&p->moving, true);
		node = tern__mpsc_take(&port->outbox, &newest, &n);
		while (node) {
			struct tern_node *next = node->next;

			tern__queue_append(p, work_of(node), now);
			node = next;
		}
		tern__store_release(&p->moving, false);
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
