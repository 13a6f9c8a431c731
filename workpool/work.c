/* SPDX-License-Identifier: MIT */
/*
 * An item's life: submitted, started by a worker or cancelled, sent home, given back.
 *
 * An item lies in an outbox or a queue until the state leaves QUEUED, which happens under its
 * pool's lock: either a worker starts it or one cancel wins it. An item of no pool changes state by
 * compare-and-swap, between its loop and a cancel.
 */
#include <errno.h>

#include "../lib/base/fatal.h"
#include "pool.h"
#include "traced.h"

void tern_work_init(struct tern_work *w, tern_work_fn *run, tern_work_fn *done)
{
	*w = (struct tern_work){.run = run, .done = done};
}

struct tern_loop *tern_work_home(const struct tern_work *w)
{
	return w->node.home;
}

static void deliver(struct tern_node *node)
{
	struct tern_work *w = tern_container_of(node, struct tern_work, node);

	tern__loop_completed(node->home);
	tern__store(&w->state, TERN__IDLE);
	tern__work_done(w);
}

const struct tern_work *tern__work_of_delivery(const struct tern_node *node)
{
	return node->deliver == deliver ? tern_container_of(node, const struct tern_work, node)
					: NULL;
}

/* Of an item that was submitted to no pool: run and done, here and now. */
static void deliver_inline(struct tern_node *node)
{
	struct tern_work *w = tern_container_of(node, struct tern_work, node);
	uint8_t queued = TERN__QUEUED;

	tern__loop_completed(node->home);
	if (!w->done) {
		tern__store(&w->state, TERN__IDLE);
		tern__work_run(NULL, w->run, w);
		TERN__PROBE3(done, NULL, w, 0);
		return;
	}
	if (tern__cas_seq(&w->state, &queued, TERN__STARTED)) {
		tern__work_run(NULL, w->run, w);
		w->status = 0;
	} else {
		tern__take_over(&w->state); /* from cancel */
		w->status = -ECANCELED;
	}
	TERN__PROBE3(done, NULL, w, w->status);
	tern__store(&w->state, TERN__IDLE);
	tern__work_done(w);
}

/*
 * What marks the items of this process, and not of its parent. With so few bits those of the 16th
 * forefather look like ours.
 */
static inline uint8_t born(uint32_t generation)
{
	return (uint8_t)(generation * TERN__BORN);
}

/* Checks an item and makes it QUEUED, with nothing shared yet. */
static inline void enter(struct tern_pool *p, struct tern_loop *home, struct tern_work *w,
			 const char *call)
{
	uint32_t generation = tern__fork_generation();

	if (!w->run)
		tern__fatal(call, "work %p has no run function", (void *)w);
	if (tern__load(&w->state) != TERN__IDLE)
		tern__fatal(call, "work %p is submitted already, or was not initialised",
			    (void *)w);
	if (w->priority > TERN_LOW)
		tern__fatal(call, "work %p has priority %u", (void *)w, w->priority);
	if (!home && (w->done || !p))
		tern__fatal(call, "work %p has no home to complete on", (void *)w);
	if (home && __builtin_expect(home->made_in != generation, false) && (w->done || !p))
		tern__loop_lost(home, call);
	w->status = 0;
	w->where = (w->where & TERN__LANED) | w->priority | born(generation);
	tern__store(&w->canceled, 0);
	if (!(w->where & TERN__LANED)) {
		w->owner = p;
	} else {
		if (tern__lane_of(w)->pool != p)
			tern__fatal(call, "work %p has a lane of another pool", (void *)w);
		tern__lane_hold(tern__lane_of(w));
	}
	w->node.home = w->done || !p ? home : NULL;
	w->node.deliver = p ? deliver : deliver_inline;
	tern__store_release(&w->state, TERN__QUEUED);
}

/*
 * After the last put a pool takes only what its own running items add: their thread is still there
 * to carry it out.
 */
static bool is_refused(const struct tern_pool *p)
{
	struct tern__worker *self;

	if (!tern__load(&p->closing))
		return false;
	self = tern__self();
	return !self || self->pool != p;
}

static void refuse(struct tern_pool *p, struct tern_work *w, const char *call)
{
	tern__fatal(call, "work %p: pool %p has been put", (void *)w, (void *)p);
}

/* From a thread that batches nothing: straight into the queue. items are QUEUED. */
static void queue_now(struct tern_pool *p, struct tern_work *const items[], size_t n,
		      const char *call)
{
	struct tern__summons summons;
	uint64_t now = tern__now_ns();
	bool called;

	tern__pool_lock(p);
	if (is_refused(p)) {
		tern__pool_unlock(p);
		refuse(p, items[0], call);
	}
	tern__queue_collect(p); /* what this thread submitted before may lie in an outbox */
	for (size_t i = 0; i < n; i++) {
		/* without home nobody could retry a failed start: from now on keep a thread */
		if (!items[i]->node.home && !p->threads_min)
			p->threads_min = 1;
		tern__queue_append(p, items[i], now);
	}
	summons = tern__policy_summon(p, TERN__HASTE_NOW);
	called = summons.worker || summons.start;
	/* who comes may come before we call, and what it runs may end the pool */
	if (called)
		tern__pool_hold(p);
	tern__pool_unlock(p);
	tern__thread_summon(p, summons);
	if (called)
		tern__pool_drop(p);
}

/* The loop's own thread batches, once the loop has shown that it will hand over what it batches. */
static struct tern__port *port_for(struct tern_pool *p, struct tern_loop *home, bool mine)
{
	return mine && home->prepares ? tern__port_of(home, p) : NULL;
}

static void submit_inline(struct tern_loop *home, struct tern_work *w, bool mine)
{
	tern__loop_submitted(home, 1, mine);
	tern__loop_give(home, &w->node, mine);
}

/* With what else the port's loop submits in this turn; without one, now. */
static inline void hand_in(struct tern_pool *p, struct tern__port *port, struct tern_work *w,
			   const char *call)
{
	if (!port) {
		queue_now(p, &w, 1, call);
		return;
	}
	if (is_refused(p))
		refuse(p, w, call);
	tern__mpsc_tell(&port->outbox);
	tern__trail_join(&port->trail, &w->node);
	tern__port_push(port, &w->node, &w->node, 1, w->priority == TERN_HIGH);
}

void tern__work_submit(struct tern_pool *p, struct tern_loop *home, struct tern_work *w,
		       const char *call)
{
	bool mine = home && tern__loop_is_mine(home);
	struct tern__port *port;

	enter(p, home, w, call);
	tern__work_enters(p, w);
	if (!p) {
		submit_inline(home, w, mine);
		return;
	}
	if (tern__pool_is_parents(p)) {
		tern__fork_bring_back(p, home, w, mine);
		return;
	}
	if (w->done)
		tern__loop_submitted(home, 1, mine);
	port = port_for(p, home, mine && w->done);
	hand_in(p, port, w, call);
}

void tern__work_submit_along(struct tern_pool *p, struct tern_loop *by, struct tern_work *w,
			     const char *call)
{
	struct tern__port *port = by ? port_for(p, by, tern__loop_is_mine(by)) : NULL;

	enter(p, NULL, w, call);
	tern__work_enters(p, w);
	tern__room_enter(p, 1);
	hand_in(p, port, w, call);
}

void tern_pool_submit(struct tern_pool *p, struct tern_loop *home, struct tern_work *w)
{
	if (p)
		tern__room_enter(p, 1);
	tern__work_submit(p, home, w, "tern_pool_submit");
}

void tern_pool_submit_many(struct tern_pool *p, struct tern_loop *home,
			   struct tern_work *const work[], size_t n)
{
	static const char call[] = "tern_pool_submit_many";
	bool mine = home && tern__loop_is_mine(home), urgent = false;
	struct tern__port *port;
	size_t homed = 0;

	if (!n)
		return;
	for (size_t i = 0; i < n; i++) {
		enter(p, home, work[i], call);
		tern__work_enters(p, work[i]);
		homed += work[i]->done != NULL;
	}
	if (!p) {
		for (size_t i = 0; i < n; i++)
			submit_inline(home, work[i], mine);
		return;
	}
	if (tern__pool_is_parents(p)) {
		for (size_t i = 0; i < n; i++)
			tern__fork_bring_back(p, home, work[i], mine);
		return;
	}
	tern__room_enter(p, n);
	if (homed)
		tern__loop_submitted(home, homed, mine);
	port = port_for(p, home, mine && homed == n);
	if (!port) {
		queue_now(p, work, n, call);
		return;
	}
	if (is_refused(p))
		refuse(p, work[0], call);
	tern__mpsc_tell(&port->outbox);
	for (size_t i = 0; i < n; i++) {
		urgent |= work[i]->priority == TERN_HIGH;
		tern__trail_join(&port->trail, &work[i]->node);
		work[i]->node.next = i ? &work[i - 1]->node : NULL;
	}
	tern__port_push(port, &work[n - 1]->node, &work[0]->node, n, urgent);
}

/*
 * Who cancels may hold no reference: the pool can end while cancel finds out that it came too late.
 * While the guard is read-locked no pool is freed; so an item that is QUEUED then has a pool, and
 * we take a hold of it: unless the item has been run meanwhile and the pool has come to its end.
 */
static pthread_rwlock_t guard = PTHREAD_RWLOCK_INITIALIZER;

void tern__work_guard(void)
{
	pthread_rwlock_wrlock(&guard);
	pthread_rwlock_unlock(&guard);
}

void tern__work_guard_reset(void)
{
	guard = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
}

static struct tern_pool *hold_pool_of_queued(struct tern_work *w)
{
	struct tern_pool *p = NULL;

	pthread_rwlock_rdlock(&guard);
	if (tern__load_acquire(&w->state) == TERN__QUEUED) {
		p = tern__lane_of(w) ? tern__lane_of(w)->pool : w->owner;
		if (!tern__pool_hold_living(p))
			p = NULL;
	}
	pthread_rwlock_unlock(&guard);
	return p;
}

/* It may be running; only one with done is still here then. */
static void ask_to_stop(struct tern_work *w)
{
	if (w->done)
		tern__store(&w->canceled, 1);
}

bool tern_work_canceled(void)
{
	const struct tern__worker *self = tern__self();
	const struct tern_work *w = self ? self->current : NULL; /* none in a hook */

	/* an item without done may be gone */
	return w && self->current_home && tern__load(&w->canceled);
}

bool tern_work_cancel(struct tern_work *w)
{
	uint8_t queued = TERN__QUEUED;
	struct tern_loop *home = w->node.home;
	struct tern_post *waiters = NULL;
	struct tern_lane *lane = NULL;
	struct tern_pool *p;
	bool won, over;

	if ((tern__load(&w->where) ^ born(tern__fork_generation())) / TERN__BORN)
		return false; /* the parent's: its pool may be gone */
	if (!w->owner) {      /* its loop delivers it in any case */
		tern__hand_over(&w->state);
		return w->done && tern__cas_seq(&w->state, &queued, TERN__STARTED);
	}
	p = hold_pool_of_queued(w);
	if (!p) {
		ask_to_stop(w);
		return false;
	}
	tern__pool_lock(p);
	tern__queue_collect(p);
	won = tern__load(&w->state) == TERN__QUEUED;
	if (won) {
		lane = tern__lane_of(w);
		tern__queue_unlink(p, w);
		tern__store_release(&w->state, w->done ? TERN__STARTED : TERN__IDLE);
		TERN__COUNT(p, canceled);
		TERN__COUNT_LANE(lane, canceled);
		if (p->queue_max != TERN_FOREVER)
			waiters = tern__room_leave(p);
	}
	over = tern__pool_is_over(p);
	tern__pool_unlock(p);
	if (won)
		TERN__PROBE3(done, p, w, -ECANCELED);
	tern__room_tell(waiters);
	/* before the item comes home, where its lane and pool may be given back */
	if (lane)
		tern__lane_drop(lane);
	if (!won)
		ask_to_stop(w);
	if (won && w->done) {
		w->status = -ECANCELED;
		tern__loop_give(home, &w->node, tern__loop_is_mine(home));
	}
	if (over)
		tern__pool_end(p);
	tern__pool_drop(p);
	return won;
}
