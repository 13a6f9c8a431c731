/* SPDX-License-Identifier: MIT */
/*
 * A port is where one loop's submissions to one pool wait to be handed over together: an outbox
 * that the loop pushes to and that whoever holds the pool's lock takes.
 *
 * The loop pushes, then reads `awake` (H1, H2). A worker that is about to sleep or to leave, and
 * one whose start has failed, counts itself out of `awake`, then looks at the outboxes (S1, S2).
 * All four are sequentially consistent: either the loop finds nobody awake, and hands over at once,
 * or a worker that was awake finds what was pushed before it sleeps. So an item in an outbox is
 * never forgotten; at most it waits for the next worker to finish, for the end of the loop's turn,
 * or until so many have come together that they are worth a lock and a wake.
 *
 * Ports belong to their pool and a loop that has one holds the pool's memory: a loop may look at a
 * port whose pool is over. A loop lets go of such ports when it makes a new one, and of all when it
 * is destroyed; the port then waits for another loop.
 */
#include <stdlib.h>
#include <string.h>

#include "../lib/base/fatal.h"
#include "pool.h"

#define PUSHED_MAX 512 /* however short they are, a long callback may be submitting them */

static struct tern__port *port_of_rider(struct tern__rider *rider)
{
	return tern_container_of(rider, struct tern__port, rider);
}

static void flush(struct tern__rider *rider, enum tern__flush why)
{
	static const enum tern__haste hastes[] = {
		[TERN__FLUSH_FULL] = TERN__HASTE_WITHIN, [TERN__FLUSH_LOOKING] = TERN__HASTE_WITHIN,
		[TERN__FLUSH_TURN] = TERN__HASTE_TURN,	 [TERN__FLUSH_SLEEPING] = TERN__HASTE_SLEEP,
		[TERN__FLUSH_NOW] = TERN__HASTE_NOW,
	};
	struct tern__port *port = port_of_rider(rider);
	struct tern_pool *p = port->pool;
	struct tern__summons summons;

	if (why == TERN__FLUSH_LOOKING && !tern__policy_is_much(p, port->pushed))
		return;
	/*
	 * It does not do to find outbox and queue empty: a worker may be between the two with what
	 * we pushed, and sees one item where there are many.
	 */
	if (!rider->unsettled && (why < TERN__FLUSH_SLEEPING || !tern__load(&p->waiting)))
		return;
	/* a searcher sees the outbox; or sleeps, and looks at it before */
	if (why < TERN__FLUSH_SLEEPING && tern__load(&p->searching) &&
	    !tern__policy_is_much(p, port->pushed))
		return;
	port->pushed = 0;
	do {
		tern__pool_lock(p);
		tern__queue_collect(p);
		summons = tern__policy_summon(p, hastes[why]);
		/* a start may fail: then somebody must look again */
		rider->unsettled = !tern__policy_is_settled(p) || summons.start;
		tern__pool_unlock(p);
		tern__thread_summon(p, summons);
	} while (summons.worker);
}

/*
 * A thread with several loops has several outboxes for one pool: what it pushed to another one is
 * brought in first, so that its items stay in order.
 */
__attribute__((noinline)) static void keep_order(struct tern__port *port)
{
	static __thread struct tern__port *latest; /* only compared: it may be gone */

	if (latest == port)
		return;
	latest = port;
	tern__pool_lock(port->pool);
	tern__queue_collect(port->pool);
	tern__pool_unlock(port->pool);
}

void tern__port_push(struct tern__port *port, struct tern_node *last, struct tern_node *first,
		     size_t n, bool urgent)
{
	struct tern_pool *p = port->pool;

	if (tern__load(&tern__loops_share_threads))
		keep_order(port);
	tern__mpsc_push_chain(&port->outbox, last, first); /* H1 */
	port->rider.unsettled = true;
	port->pushed += (uint32_t)n;
	if (!tern__load_seq(&p->awake) /* H2 */ || urgent || port->pushed >= PUSHED_MAX ||
	    tern__policy_is_much(p, port->pushed))
		flush(&port->rider, TERN__FLUSH_FULL);
	/*
	 * not within a turn of the loop: it may have prepared already, or be left alone after this
	 */
	if (port->rider.unsettled && port->loop->listening)
		tern__gate_leave_readable(port->loop);
}

static uint32_t busy(struct tern__rider *rider)
{
	struct tern__port *port = port_of_rider(rider);
	struct tern_pool *p = port->pool;
	uint32_t waiting = tern__load(&p->waiting) + port->pushed;

	return tern__load(&p->awake) + tern__policy_is_much(p, waiting);
}

static uint32_t backlog(struct tern__rider *rider)
{
	return tern__policy_backlog(port_of_rider(rider)->pool);
}

static bool is_at_home(const struct tern_work *w, const void *loop)
{
	return w->node.home == loop;
}

static const void *find_item(struct tern__rider *rider)
{
	struct tern__port *port = port_of_rider(rider);
	struct tern_pool *p = port->pool;
	const void *found = NULL;

	for (struct tern_node *n = port->loop->ready; n && !found; n = n->next)
		found = tern__work_of_delivery(n);
	tern__pool_lock(p);
	tern__queue_collect(p);
	if (!found)
		found = tern__queue_find(p, is_at_home, port->loop);
	for (struct tern__worker *w = p->workers; w && !found; w = w->next)
		if (w->current_home == port->loop)
			found = tern__load(&w->current);
	tern__pool_unlock(p);
	return found;
}

static void detach(struct tern__rider *rider, struct tern_loop *l)
{
	struct tern__port *port = port_of_rider(rider);
	struct tern_pool *p = port->pool;
	struct tern__summons summons;

	if (tern__pool_is_parents(p)) {
		tern__fork_detach(p, port);
		return;
	}
	tern__pool_lock(p);
	/* no item of the loop is out, but items without home may lie in the outbox */
	tern__queue_collect(p);
	summons = tern__policy_summon(p, TERN__HASTE_NOW);
	port->loop = NULL; /* from here on another loop may use the port */
	tern__pool_unlock(p);
	tern__thread_summon(p, summons);
	tern__pool_drop(p);
}

static const struct tern__rider_ops rider_ops = {flush, busy, backlog, find_item, detach};

/* Ports of pools that have ended hold nothing but memory. */
static void drop_dead_ports(struct tern_loop *l)
{
	struct tern__rider *next;

	for (struct tern__rider *r = l->riders; r; r = next) {
		next = r->next;
		if (r->ops != &rider_ops || !tern__load_acquire(&port_of_rider(r)->pool->over))
			continue;
		tern__loop_detach(l, r);
		detach(r, l);
	}
}

/* A port that no loop uses, now this loop's; NULL: there is none. */
static struct tern__port *reuse(struct tern_pool *p, struct tern_loop *l)
{
	struct tern__port *port;

	tern__pool_lock(p);
	for (port = p->ports; port && port->loop; port = port->next)
		;
	if (port)
		port->loop = l;
	tern__pool_unlock(p);
	return port;
}

static struct tern__port *create(struct tern_pool *p, struct tern_loop *l)
{
	struct tern__port *port;

	if (posix_memalign((void **)&port, __alignof__(*port), sizeof(*port)))
		return NULL;
	memset(port, 0, sizeof(*port));
	port->rider.ops = &rider_ops;
	port->pool = p;
	port->loop = l;
	tern__pool_lock(p);
	port->next = p->ports;
	tern__store_release(&p->ports, port); /* lookers walk the list without the lock */
	tern__pool_unlock(p);
	return port;
}

struct tern__port *tern__port_of(struct tern_loop *l, struct tern_pool *p)
{
	struct tern__port *port;

	for (struct tern__rider *r = l->riders; r; r = r->next)
		if (r->ops == &rider_ops && port_of_rider(r)->pool == p)
			return port_of_rider(r);
	drop_dead_ports(l);
	port = reuse(p, l);
	if (!port)
		port = create(p, l);
	if (!port)
		return NULL;
	tern__pool_hold(p);
	tern__loop_attach(l, &port->rider);
	return port;
}
