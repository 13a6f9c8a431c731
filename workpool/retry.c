/* SPDX-License-Identifier: MIT */
/*
 * A pool that keeps no threads can be left with items and without a thread, when the system refuses
 * one. Then a loop tries again, by a timer of its own: after 10 ms, then twice as long each time,
 * up to a second. That keeps the loop alive, whether or not an item of its own still waits. For
 * items without home alone nobody tries.
 *
 * One loop tries for a pool at a time. If that loop is destroyed meanwhile (its item was cancelled)
 * another takes over. It may be asked as late as that, and then by another thread than its own.
 */
#include "pool.h"

#define DELAY_MIN_NS (10 * TERN__MS)
#define DELAY_MAX_NS (1000 * TERN__MS)

static struct tern_pool *pool_of_rider(struct tern__rider *rider)
{
	return tern_container_of(rider, struct tern_pool, retry.rider);
}

/*
 * [loop, lock held] Off the loop, all at once: as soon as the lock is given up another loop may be
 * asked to try. What is left to do is to drop the hold.
 */
static void let_go(struct tern_pool *p, struct tern_loop *home)
{
	tern__loop_detach(home, &p->retry.rider);
	p->retry.attached = false;
	p->retry.home = NULL;
}

static void arm(struct tern_pool *p, struct tern_loop *home, uint64_t delay_ns)
{
	p->retry.delay_ns = delay_ns;
	/* who never prepares is not told when the timer is due: it polls on until then */
	p->retry.rider.unsettled = !home->prepares;
	home->timers_own++;
	tern__timer_arm(home, &p->retry.timer, delay_ns);
}

static void on_post(struct tern_post *post)
{
	struct tern_pool *p = tern_container_of(post, struct tern_pool, retry.post);
	struct tern_loop *home = p->retry.home;
	bool needed;

	tern__pool_lock(p);
	needed = tern__policy_is_deserted(p);
	if (needed) {
		p->retry.attached = true;
		tern__loop_attach(home, &p->retry.rider);
	} else {
		p->retry.home = NULL;
	}
	tern__pool_unlock(p);
	if (needed)
		arm(p, home, DELAY_MIN_NS);
	else
		tern__pool_drop(p);
}

static void on_timer(struct tern_timer *timer)
{
	struct tern_pool *p = tern_container_of(timer, struct tern_pool, retry.timer);
	struct tern_loop *home = p->retry.home;
	uint64_t delay_ns = p->retry.delay_ns * 2;
	struct tern__summons summons = {.start = false};
	bool needed, over = false;

	home->timers_own--;
	tern__pool_lock(p);
	needed = tern__policy_is_deserted(p);
	if (needed) {
		tern__policy_count_start(p);
		tern__pool_unlock(p);
		needed = tern__thread_start(p) != 0;
		tern__pool_lock(p);
	}
	if (needed) {
		summons = tern__policy_start_failed(p);
		needed = tern__policy_is_deserted(p);
		over = tern__pool_is_over(p);
	}
	if (!needed)
		let_go(p, home);
	tern__pool_unlock(p);
	if (summons.worker)
		tern__park_wake(&summons.worker->park);
	if (over)
		tern__pool_end(p);
	if (needed)
		arm(p, home, delay_ns < DELAY_MAX_NS ? delay_ns : DELAY_MAX_NS);
	else
		tern__pool_drop(p);
}

static void rider_flush(struct tern__rider *rider, enum tern__flush why)
{
}

static uint32_t rider_busy(struct tern__rider *rider)
{
	return 0;
}

static uint32_t rider_backlog(struct tern__rider *rider)
{
	return 0;
}

static const void *rider_find_item(struct tern__rider *rider)
{
	return NULL;
}

/* The loop goes: another one takes over. */
static void rider_detach(struct tern__rider *rider, struct tern_loop *home)
{
	struct tern_pool *p = pool_of_rider(rider);
	struct tern_loop *next = NULL;

	home->timers_own--;
	/* no root: the heap is given up, see lib/loop/fork.c */
	if (p->retry.timer.loop && home->timers.root)
		tern__timers_remove(&home->timers, &p->retry.timer);
	p->retry.timer.loop = NULL;
	if (tern__pool_is_parents(p)) {
		tern__fork_detach(p, NULL);
		return;
	}
	tern__pool_lock(p);
	p->retry.attached = false;
	p->retry.home = NULL;
	if (tern__policy_is_deserted(p))
		next = tern__retry_begin(p, home);
	tern__pool_unlock(p);
	if (next)
		tern__retry_post(p, next);
	tern__pool_drop(p);
}

static const struct tern__rider_ops rider_ops = {rider_flush, rider_busy, rider_backlog,
						 rider_find_item, rider_detach};

void tern__retry_init(struct tern_pool *p)
{
	p->retry.home = NULL;
	p->retry.rider.ops = &rider_ops;
	tern_post_init(&p->retry.post, on_post);
	tern_timer_init(&p->retry.timer, on_timer);
}

/* A loop with an item out is one that runs, or soon will. */
static bool has_other_home(const struct tern_work *w, const void *but)
{
	return w->node.home && w->node.home != but;
}

struct tern_loop *tern__retry_begin(struct tern_pool *p, const struct tern_loop *but)
{
	struct tern_work *w = p->retry.home ? NULL : tern__queue_find(p, has_other_home, but);

	if (!w)
		return NULL;
	p->retry.home = w->node.home;
	tern__pool_hold(p);
	tern__loop_pin(w->node.home);
	return w->node.home;
}

void tern__retry_post(struct tern_pool *p, struct tern_loop *home)
{
	tern_loop_post(home, &p->retry.post);
	tern__loop_unpin(home);
}
