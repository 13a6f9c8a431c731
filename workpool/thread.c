/* SPDX-License-Identifier: MIT */
/*
 * One worker thread's life: it takes items one by one, sends each home as soon as it has run, looks
 * a little when nothing is left, sleeps, and leaves when it has idled long enough.
 *
 * A sleeping worker lies on the idle stack. Who takes it off has claimed it, and wakes it. A worker
 * that wakes up by itself takes the lock and looks: off the stack means claimed, and it must go on;
 * only one that is still on the stack may leave.
 *
 * A worker counts itself out of `awake` before it looks at the outboxes a last time and sleeps or
 * leaves: see port.c for who relies on that.
 */
#include <errno.h>

#include "pool.h"
#include "traced.h"

static __thread struct tern__worker *self;

struct tern__worker *tern__self(void)
{
	return self;
}

void tern__thread_forget_self(void)
{
	self = NULL;
}

static struct tern_work *take(struct tern__worker *w)
{
	struct tern_pool *p = w->pool;
	struct tern_post *waiters = NULL;
	struct tern__summons summons = {.start = false};
	struct tern_work *work;

	if (!tern__queue_looks_filled(p))
		return NULL;
	tern__pool_lock(p);
	if (!p->waiting)
		tern__queue_collect(p);
	w->surplus = tern__policy_is_crowded(p);
	work = w->surplus ? NULL : tern__queue_pick(p, &w->current);
	if (work) {
		tern__store_release(&work->state, TERN__STARTED);
		w->current_home = work->node.home;
		w->lane = tern__lane_of(work);
		w->timing.since_ns = work->since_ns;
		w->too_old =
			(w->lane || p->wait_ns != UINT64_MAX) && tern__policy_is_too_old(p, work);
		p->started++;
		TERN__COUNT_LANE(w->lane, started);
		if (w->too_old) {
			TERN__COUNT(p, timed_out);
			TERN__COUNT_LANE(w->lane, timed_out);
		}
		if (p->queue_max != TERN_FOREVER)
			waiters = tern__room_leave(p);
		summons = tern__policy_taken(w);
	}
	tern__pool_unlock(p);
	tern__thread_summon(p, summons);
	tern__room_tell(waiters);
	return work;
}

/* Exchanges the pin: the worker keeps it while it runs items of one home, see loop.h. */
static void pin(struct tern__worker *w, struct tern_loop *home)
{
	if (w->pinned == home)
		return;
	if (w->pinned)
		tern__loop_unpin(w->pinned);
	if (home)
		tern__loop_pin(home);
	w->pinned = home;
}

/*
 * False: fork was called in there, and this is the only thread of a child. There is no worker, and
 * its pool may be gone: the thread just ends.
 */
static inline bool call(struct tern__worker *w, tern_work_fn *fn, struct tern_work *work)
{
	uint32_t generation = tern__fork_generation();
	struct tern__timing *t = &w->timing;
	bool times = tern__timing_is_due(w);
	uint64_t start;

	if (times) {
		t->clock_ns = tern__now_ns();
		t->wait_ns = t->clock_ns - t->since_ns;
	}
	start = t->clock_ns;
	tern__doing_start(&w->doing, start, times);
	tern__work_run(w->pool, fn, work);
	if (tern__forked(generation))
		return false;
	if (times) {
		t->clock_ns = tern__now_ns();
		t->run_ns = t->clock_ns - start;
		tern__timing_note(w);
		tern__stats_timed(w);
	}
	tern__doing_stop(&w->doing);
	if (w->blocking)
		tern__blocking_unended(w);
	return true;
}

/* Before the item goes home, where its lane and pool may be given back. */
static void leave_lane(struct tern__worker *w)
{
	struct tern_pool *p = w->pool;

	if (!w->lane)
		return;
	tern__pool_lock(p);
	tern__stats_lane_over(w);
	w->lane->over_ns = w->timing.clock_ns; /* last read for one of the last few items */
	tern__lane_leave(w->lane);
	tern__pool_unlock(p);
	tern__lane_drop(w->lane);
}

/* False: see call. */
static bool run(struct tern__worker *w, struct tern_work *work)
{
	struct tern_loop *home = work->node.home;
	tern_work_fn *fn = work->run;
	bool has_done = work->done;
	int status;

	/* before run, while the item is certainly out: its home cannot be gone */
	pin(w, home);
	tern__doing_say(&w->doing, work);
	/* without done it is the caller's again: not touched after this line */
	if (!has_done)
		tern__store_release(&work->state, TERN__IDLE);
	if (!w->too_old && !call(w, fn, work))
		return false;
	status = w->too_old ? -ETIMEDOUT : 0;
	if (has_done)
		work->status = status;
	TERN__PROBE3(done, w->pool, work, status);
	leave_lane(w);
	tern__store(&w->current, NULL);
	if (!has_done)
		return true;
	tern__trail_join(&w->trail, &work->node);
	tern__loop_bring(home, &work->node);
	return true;
}

/* With the lock held, counted out of `awake`: sleeps until claimed. False: idled long enough. */
static bool sleep_on_stack(struct tern_pool *p, struct tern__worker *w)
{
	w->idle = true;
	w->gap.slept = true;
	w->above = NULL;
	w->below = p->idle_top;
	if (w->below)
		w->below->above = w;
	p->idle_top = w;
	p->idle++;
	while (w->idle) {
		uint64_t ns = tern__policy_idle_ns(p);
		bool woken;

		tern__park_clear(&w->park);
		tern__pool_unlock(p);
		woken = tern__park_wait(&w->park, ns);
		tern__pool_lock(p);
		/* woken and not claimed: a late wake of one who claimed it before */
		if (!w->idle || woken || !tern__policy_is_surplus(p))
			continue;
		tern__policy_unstack(p, w);
		if (!p->waiting || tern__policy_is_crowded(p))
			return false;
		tern__add_seq(&p->awake, 1);
		return true;
	}
	p->arriving--;
	return true;
}

/* Nothing to do, or not for this one: sleeps until there is. False: the thread is to leave. */
static bool settle(struct tern__worker *w)
{
	struct tern_pool *p = w->pool;
	bool stay, rouse;

	pin(w, NULL);
	tern__pool_lock(p);
	tern__sub_seq(&p->awake, 1); /* S1, see port.c */
	tern__queue_collect(p);
	if (p->waiting && !tern__policy_is_crowded(p)) {
		tern__add_seq(&p->awake, 1);
		stay = true;
	} else if (p->closing) {
		stay = false;
	} else {
		stay = (p->idle_ns || !tern__policy_is_surplus(p)) && sleep_on_stack(p, w);
	}
	p->leaving += !stay;
	rouse = stay && tern__watch_unpark(p);
	tern__pool_unlock(p);
	if (rouse)
		tern__park_wake(&p->watch.park);
	return stay;
}

/* False: see call. */
static bool work_until_told_to_leave(struct tern__worker *w)
{
	for (;;) {
		struct tern_work *work = take(w);

		if (work) {
			if (w->gap.since_ns)
				tern__gap_end(&w->gap, tern__now_ns(), &w->park.woken_ns);
			if (!run(w, work))
				return false;
			continue;
		}
		if (!w->gap.since_ns)
			tern__gap_begin(&w->gap, tern__now_ns());
		if (!tern__policy_search(w) && !settle(w))
			return true;
	}
}

/*
 * The thread no longer serves: others take over what may have come, and the last one ends the pool.
 */
static void leave(struct tern__worker *w)
{
	struct tern_pool *p = w->pool;
	struct tern__summons summons;
	pthread_t before = 0;
	bool join, end;

	tern__pool_lock(p);
	p->threads--;
	p->leaving--;
	w->unused = true;
	TERN__COUNT(p, threads_exited);
	tern__queue_collect(p);
	summons = tern__policy_summon(p, TERN__HASTE_NOW);
	end = tern__pool_is_over(p);
	join = p->joinable;
	if (join)
		before = p->left;
	p->left = pthread_self();
	p->joinable = true;
	tern__pool_unlock(p);

	tern__thread_summon(p, summons);
	/* it is past all this: a matter of microseconds */
	if (join)
		pthread_join(before, NULL);
	if (end)
		tern__pool_end(p);
	tern__pool_drop(p);
}

/* False: see call. */
static bool call_hook(const struct tern_pool *p, void (*hook)(void *user))
{
	uint32_t generation = tern__fork_generation();

	if (hook)
		hook(p->user);
	return !tern__forked(generation);
}

void tern__thread_serve(struct tern__worker *w)
{
	struct tern_pool *p = w->pool;
	struct tern__summons summons = {.start = false};
	bool rouse;

	self = w;
	tern__pool_lock(p);
	p->arriving--;
	TERN__COUNT(p, threads_created);
	/* the next one sets out before this one's hook and first item; one item is for ourselves */
	if (p->waiting > 1)
		summons = tern__policy_summon(p, TERN__HASTE_NOW);
	rouse = tern__watch_unpark(p);
	tern__pool_unlock(p);
	if (rouse)
		tern__park_wake(&p->watch.park);
	tern__thread_summon(p, summons);

	tern__thread_starts(w);
	if (!call_hook(p, p->thread_start) || !work_until_told_to_leave(w) ||
	    !call_hook(p, p->thread_stop))
		return;
	tern__thread_stops(w);
	self = NULL;
	leave(w);
}
