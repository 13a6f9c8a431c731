/* SPDX-License-Identifier: MIT */
/*
 * A pool in the child of a fork. Its threads are not there and its lock may be held for ever, so
 * nothing of it is used but memory, until tern_pool_after_fork makes it a new pool in the old
 * place. Calls look at the generation before they lock, and come here.
 *
 * Counts in which threads and items of the parent have a part count for nothing here: `holds`, the
 * `refs` of lanes and, of the pool's, those of lanes that were put and wait for their last item.
 * What keeps the memory is asked anew whenever somebody lets go, under a lock of the child's own:
 * the other refs, and loops of the parent's that have a port.
 *
 * Whether an item was out must be seen without the lock, at any point of what another thread did
 * under it. So an item shows in the next place before it leaves the last (tern__queue_pick), or
 * `moving` says that some are between two places.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/base/probe.h"
#include "pool.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_any(const struct tern_work *w, const void *arg)
{
	return true;
}

/* Whether an item waited, was held by a lane or was in run when the parent forked. */
static bool has_items(const struct tern_pool *p)
{
	if (p->waiting || p->moving || tern__queue_find(p, is_any, NULL))
		return true;
	for (const struct tern__port *port = p->ports; port; port = port->next)
		if (!tern__mpsc_empty(&port->outbox))
			return true;
	for (const struct tern__worker *w = p->workers; w; w = w->next)
		if (w->current)
			return true;
	return false;
}

static uint32_t count_put_lanes(const struct tern_pool *p)
{
	uint32_t n = 0;

	for (const struct tern_lane *lane = p->lanes; lane; lane = lane->next)
		n += lane->put;
	return n;
}

/* Loops that will let go of the pool one by one. */
static uint32_t count_riders(const struct tern_pool *p)
{
	uint32_t n = p->retry.attached;

	for (const struct tern__port *port = p->ports; port; port = port->next)
		n += port->loop != NULL;
	return n;
}

static void free_put_lanes(struct tern_pool *p)
{
	struct tern_lane **link = &p->lanes;

	while (*link) {
		struct tern_lane *lane = *link;

		if (!lane->put) {
			link = &lane->next;
			continue;
		}
		*link = lane->next;
		free(lane);
		p->refs--;
	}
}

/* [lock held] Whether somebody in this process can still name the pool. */
static bool is_claimed(const struct tern_pool *p)
{
	return tern__load(&p->refs) != count_put_lanes(p) || count_riders(p);
}

void tern__fork_put(struct tern_pool *p, struct tern_lane *lane)
{
	bool claimed;

	pthread_mutex_lock(&lock);
	if (lane)
		lane->put = true;
	else
		tern__sub_acq_rel(&p->refs, 1);
	claimed = is_claimed(p);
	pthread_mutex_unlock(&lock);
	if (!claimed)
		tern__pool_free(p);
}

void tern__fork_detach(struct tern_pool *p, struct tern__port *port)
{
	bool claimed;

	pthread_mutex_lock(&lock);
	if (port)
		port->loop = NULL;
	else
		p->retry.attached = false;
	claimed = is_claimed(p);
	pthread_mutex_unlock(&lock);
	if (!claimed)
		tern__pool_free(p);
}

void tern__fork_bring_back(const struct tern_pool *p, struct tern_loop *home, struct tern_work *w,
			   bool mine)
{
	TERN__PROBE3(done, p, w, -ECHILD);
	if (!w->done) {
		tern__store(&w->state, TERN__IDLE);
		return;
	}
	w->status = -ECHILD;
	tern__store(&w->state, TERN__STARTED); /* too late to cancel */
	tern__loop_submitted(home, 1, mine);
	tern__loop_give(home, &w->node, mine);
}

/* No item is out: what is left of the parent's threads, ends and calls goes. */
static void reset(struct tern_pool *p)
{
	free_put_lanes(p);
	for (struct tern_lane *lane = p->lanes; lane; lane = lane->next) {
		lane->refs = 1;
		lane->entered = 0;
		lane->held = (struct tern__queue){.picks = 0};
		memset(&lane->tally, 0, sizeof(lane->tally));
	}
	p->queue = (struct tern__queue){.picks = 0}; /* empty, but perhaps half-way so */
	for (struct tern__worker *w = p->workers; w; w = w->next)
		*w = (struct tern__worker){.pool = p,
					   .next = w->next,
					   .number = w->number,
					   .unused = true,
					   .gap.limit_ns = p->spin_ns};
	if (!p->retry.attached)
		tern__retry_init(p);
	p->awake = p->searching = p->arriving = p->threads = p->leaving = p->idle = 0;
	p->lent = 0;
	p->unstarted = 0;
	p->idle_top = NULL;
	p->room_waiters = NULL;
	p->start_after_ns = 0;
	p->closing = 0;
	p->watch.on = p->watch.parked = false;
	p->owed = p->over = p->destroying = p->joinable = false;
	tern__park_clear(&p->ended);
	p->holds = 1 + count_riders(p);
	p->started = 0;
	memset(&p->tally, 0, sizeof(p->tally));
	p->threads_peak = 0;
}

int tern_pool_after_fork(struct tern_pool *p)
{
	uint32_t generation = tern__load(&p->made_in);
	void (*gone)(void *user) = p->gone;
	int e;

	if (!tern__forked(generation))
		return 0;
	if (has_items(p))
		return -EBUSY;
	e = tern__pool_init_lock(p);
	if (e)
		return e;
	reset(p);
	tern__store(&p->made_in, tern__fork_generation());
	tern__pool_hold(p); /* it may have to end again */
	e = tern__pool_start(p);
	if (!e) {
		tern__pool_drop(p);
		return 0;
	}
	p->gone = gone;
	reset(p);
	tern__store(&p->made_in, generation);
	return e;
}

static void in_child(void)
{
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	tern__work_guard_reset();
	tern__thread_forget_self();
}

__attribute__((constructor)) static void watch(void)
{
	tern__fork_register(in_child);
}
