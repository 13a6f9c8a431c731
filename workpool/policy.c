/* SPDX-License-Identifier: MIT */
/*
 * Who is woken or started when, who looks and who leaves: every number in one place.
 *
 * Waking costs more than many items. The one reason to do it is an item that waits longer than a
 * wake costs while somebody sleeps. Whether it will is told by how long items ran lately, times how
 * many wait: so many short items are left to the one who is awake, and long ones are not. Whether
 * it did is told by its age. These look:
 *
 *  - a loop at the end of each turn and before it sleeps. What it leaves to the workers who are
 *    awake it trusts them with for a millisecond, then it looks again (`unsettled`), because the
 *    next item may be a long one. For a few items that costs more than another wake;
 *  - a worker that takes an item and sees others waiting;
 *  - a submitter from another thread at once (TERN__HASTE_NOW), because it will not look again.
 *
 * At most as many as there are CPUs are called at once. Whoever leaves waiting items to one who is
 * on the way or searching says so (`owed`): the next to take an item calls the next worker before
 * it runs it. So N long items reach N threads in N short steps.
 */
#include "pool.h"

#define RESTART_NS    (10 * TERN__MS) /* after a failed start, others are not even tried */
#define TAKES_A_LOOK  16  /* so many items taken, and a worker looks once who is needed */
#define SHARED_NS     250 /* shorter items run no faster on two threads than on one */
#define TRUST_NS      (500 * TERN__US) /* ... so they are left to one; a loop looks again after 1 ms */
#define FEW	      32 /* so many waiting are not worth a second look, but a second wake */
#define BRISK_WAKES   3
#define LOOKS_A_CLOCK 8 /* a clock read costs as much as that many looks */

void tern__policy_unstack(struct tern_pool *p, struct tern__worker *w)
{
	if (w->above)
		w->above->below = w->below;
	else
		p->idle_top = w->below;
	if (w->below)
		w->below->above = w->above;
	w->idle = false;
	p->idle--;
}

struct tern__worker *tern__policy_claim(struct tern_pool *p)
{
	struct tern__worker *w = p->idle_top;

	if (!w)
		return NULL;
	tern__policy_unstack(p, w);
	p->arriving++;
	tern__add_seq(&p->awake, 1);
	TERN__COUNT(p, wakes);
	return w;
}

void tern__policy_count_start(struct tern_pool *p)
{
	p->threads++;
	p->arriving++;
	tern__add_seq(&p->awake, 1);
	if (p->threads > p->threads_peak)
		p->threads_peak = p->threads;
}

/* Threads that count against threads_max: neither asleep nor lent. */
static uint32_t in_service(const struct tern_pool *p)
{
	return p->threads - p->idle - p->lent;
}

bool tern__policy_is_crowded(const struct tern_pool *p)
{
	return in_service(p) > p->threads_max;
}

bool tern__policy_is_deserted(const struct tern_pool *p)
{
	return p->waiting && p->threads == p->lent;
}

static bool may_start(const struct tern_pool *p)
{
	return p->threads == p->lent || !p->start_after_ns || tern__now_ns() >= p->start_after_ns;
}

bool tern__policy_is_much(const struct tern_pool *p, uint32_t items)
{
	uint64_t run_ns = tern__load(&p->run_ns);

	return run_ns >= SHARED_NS && items * run_ns > tern__load(&p->awake) * tern__wake_ns();
}

/* Whether the oldest item has waited for longer than it should. */
static bool is_late(const struct tern_pool *p)
{
	uint64_t limit = tern__load(&p->run_ns) < SHARED_NS ? TRUST_NS : tern__wake_ns();

	return tern__now_ns() - tern__queue_oldest_ns(p) > limit;
}

bool tern__policy_is_too_old(const struct tern_pool *p, const struct tern_work *w)
{
	const struct tern_lane *lane = tern__lane_of(w);
	uint64_t limit = lane && lane->wait_ns != TERN__WAIT_POOL ? lane->wait_ns : p->wait_ns;

	/* one that has no done could not be told */
	return limit != UINT64_MAX && w->done && tern__now_ns() - w->since_ns > limit;
}

uint32_t tern__policy_backlog(const struct tern_pool *p)
{
	uint32_t most = p->cpus < p->threads_max ? p->cpus : p->threads_max;

	return tern__load(&p->awake) < most ? 0 : tern__load(&p->waiting);
}

/* Whether what comes next should come about as soon as somebody who sleeps could answer. */
static bool is_brisk(const struct tern_pool *p)
{
	return p->apart_ns < BRISK_WAKES * tern__wake_ns();
}

/* How many the waiting items are worth calling at once, for one who asks in that haste. */
static uint32_t wanted(const struct tern_pool *p, enum tern__haste haste)
{
	uint32_t all = p->waiting < p->cpus ? p->waiting : p->cpus;

	if (tern__policy_is_much(p, p->waiting) || is_late(p))
		return all;
	/*
	 * A few items cost less than the wake of either side: the first to come up takes them. Even
	 * for one it pays to call two, because one of them may come up on the CPU that the loop is
	 * leaving, which is awake, and the other is not missed. But not where items come now and
	 * then: there the second finds nothing, and goes to sleep again.
	 */
	if (haste == TERN__HASTE_SLEEP && p->waiting < FEW && is_brisk(p))
		return all < 2 ? 2 : all;
	return haste == TERN__HASTE_NOW || !tern__load(&p->awake);
}

/*
 * To start a thread takes a loop's time, so within a turn, and at its end, it is left to those who
 * are there, and to the loop when it sleeps. But there may be none; and some loops never sleep, so
 * at the end of a turn nothing is left that has grown old.
 */
static bool can_be_left(const struct tern_pool *p, enum tern__haste haste)
{
	if (haste > TERN__HASTE_TURN || p->threads == p->lent)
		return false;
	return haste < TERN__HASTE_TURN || !is_late(p);
}

struct tern__summons tern__policy_summon(struct tern_pool *p, enum tern__haste haste)
{
	struct tern__summons none = {.start = false};
	uint32_t n;

	if (!p->waiting) {
		p->owed = false;
		return none;
	}
	n = wanted(p, haste);
	if (!n)
		return none;
	p->owed = p->waiting > 1;
	if (p->arriving + tern__load(&p->searching) >= n || in_service(p) >= p->threads_max)
		return none;
	if (p->idle_top)
		return (struct tern__summons){.worker = tern__policy_claim(p)};
	if (can_be_left(p, haste) || !may_start(p))
		return none;
	tern__policy_count_start(p);
	return (struct tern__summons){.start = true};
}

struct tern__summons tern__policy_taken(struct tern__worker *w)
{
	struct tern_pool *p = w->pool;

	w->taken++;
	p->owed = p->owed && p->waiting;
	if (!p->waiting || in_service(p) >= p->threads_max)
		return (struct tern__summons){.start = false};
	if (p->owed || w->taken % TAKES_A_LOOK == 0 ||
	    (p->idle_top && tern__policy_is_much(p, p->waiting)))
		return tern__policy_summon(p, p->owed ? TERN__HASTE_NOW : TERN__HASTE_TAKEN);
	return (struct tern__summons){.start = false};
}

bool tern__policy_is_settled(const struct tern_pool *p)
{
	uint32_t coming = p->arriving + tern__load(&p->searching);

	return p->waiting <= coming || (p->owed && coming) || in_service(p) >= p->threads_max;
}

struct tern__summons tern__policy_start_failed(struct tern_pool *p)
{
	p->threads--;
	p->arriving--;
	p->start_after_ns = tern__now_ns() + RESTART_NS;
	TERN__COUNT(p, threads_failed);
	/* as with a worker that goes to sleep: count down, then look; see port.c */
	tern__sub_seq(&p->awake, 1);
	tern__queue_collect(p);
	/* one who sleeps may do instead; not the next attempt to start one */
	return p->idle_top ? tern__policy_summon(p, TERN__HASTE_NOW)
			   : (struct tern__summons){.start = false};
}

bool tern__policy_search(struct tern__worker *w)
{
	struct tern_pool *p = w->pool;
	uint64_t deadline = w->gap.since_ns + w->gap.look_ns, now = w->gap.since_ns;
	bool found = false;

	/* only one, and only with a CPU to spare for it */
	if (w->surplus || !w->gap.look_ns || p->cpus < 2 || tern__load(&p->awake) > p->cpus)
		return false;
	if (tern__load(&p->searching) || tern__xchg_seq(&p->searching, 1))
		return false;
	do {
		tern__gap_breathe(&w->gap, now);
		for (int i = 0; i < LOOKS_A_CLOCK && !found; i++) {
			tern__pause();
			found = tern__queue_looks_filled(p);
		}
	} while (!found && (now = tern__now_ns()) < deadline);
	/*
	 * Whoever left an item to us, because we were searching, did so under the lock, and we take
	 * the lock next, to take it or to sleep.
	 */
	tern__store_release(&p->searching, 0);
	if (found) {
		TERN__COUNT_OWN(w, searches_paid);
		return true;
	}
	TERN__COUNT_OWN(w, searches_failed);
	return false;
}

bool tern__policy_is_surplus(const struct tern_pool *p)
{
	return p->threads - p->leaving > p->threads_min;
}

uint64_t tern__policy_idle_ns(const struct tern_pool *p)
{
	return tern__policy_is_surplus(p) ? p->idle_ns : UINT64_MAX;
}
