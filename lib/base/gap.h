/* SPDX-License-Identifier: MIT */
/*
 * Whether it pays to look for work before sleeping: decided by how long the wait was lately.
 *
 * To be put to sleep and woken costs tens of microseconds; to find work by looking, a fraction of
 * one, and a CPU meanwhile. So one looks for at most about what a wake costs, and only when the
 * moving average of recent gaps says that work should come in that time. A gap counts from running
 * out of work to work being there; one that was slept through, to the call that ended the sleep.
 *
 * Two who wait for each other can both be asleep and find the gaps too long only because the other
 * must be woken first. Such gaps are about the cost of a wake. So when the average is in that
 * range, one looks longer now and then, several times in a row: long enough for the other to wake,
 * often enough for the other to find its own gaps short. Where gaps are long for other reasons
 * nobody looks at all. Nor where others want the CPUs: see gap.c.
 */
#ifndef TERN__GAP_H
#define TERN__GAP_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"
#include "clock.h"
#include "options.h"
#include "wake.h"

#define TERN__SPIN_US_TOP 1000 /* the largest option spin_us_max */

#define TERN__GAP_MEASURED UINT64_MAX /* as a limit: what the wakes of this machine ask for */

#define TERN__GAP_ALONE_NS    (2 * TERN__US)   /* so long one looks without a thought for others */
#define TERN__GAP_WAKES	      2		       /* one looks for as long as so many wakes take ... */
#define TERN__GAP_REACH	      4		       /* ... where gaps are shorter than that by so much */
#define TERN__GAP_CAP_NS      (200 * TERN__US) /* one long pause must not end the looking for long */
#define TERN__GAP_WEIGHT      8		       /* the average moves by an eighth */
#define TERN__GAP_TRIAL_EVERY 512	       /* of so many waits ... */
#define TERN__GAP_TRIAL_RUN   16	       /* ... so many in a row are trials */

struct tern__gap {
	uint64_t limit_ns;   /* the longest look; 0: never look; or TERN__GAP_MEASURED */
	uint64_t average_ns; /* of recent gaps */
	uint64_t since_ns;   /* when work ran out; 0: there is work */
	uint64_t look_ns;    /* how long to look in this gap; 0: not at all */
	uint64_t window_since_ns, window_lost_ns; /* of long yields, see gap.c */
	uint32_t waits;	 /* gaps whose average lay in the range of trials */
	bool slept;	 /* in this gap */
	bool shares_cpu; /* somebody ran when it last yielded */
};

/* [any] Whether nobody is to look for now. */
bool tern__gap_rests(uint64_t now_ns);
/* The owner of g has yielded its CPU, and has it again. */
void tern__gap_yielded(struct tern__gap *g, uint64_t then_ns, uint64_t now_ns);

/* The limit that an option spin_us_max asks for. */
static inline uint64_t tern__gap_option(uint32_t spin_us_max)
{
	return spin_us_max ? tern__option(spin_us_max, 0) * TERN__US : TERN__GAP_MEASURED;
}

/*
 * Between two looks, now: whether to let others have this CPU, for the one to bring the work may be
 * waiting for it. Not at first: most work comes within a microsecond, from another CPU, and a
 * system call takes a part of that. But who found somebody waiting the last time looks in vain
 * until it gives way.
 */
static inline bool tern__gap_gives_way(const struct tern__gap *g, uint64_t now_ns)
{
	return now_ns > g->since_ns + (g->shares_cpu ? 0 : TERN__GAP_ALONE_NS);
}

static inline void tern__gap_breathe(struct tern__gap *g, uint64_t now_ns)
{
	if (!tern__gap_gives_way(g, now_ns))
		return;
	sched_yield();
	tern__gap_yielded(g, now_ns, tern__now_ns());
}

static inline uint64_t tern__gap_limit(const struct tern__gap *g)
{
	return g->limit_ns == TERN__GAP_MEASURED ? TERN__GAP_WAKES * tern__wake_ns() : g->limit_ns;
}

/* Work has run out: once a gap. Decides how long to look. */
static inline void tern__gap_begin(struct tern__gap *g, uint64_t now_ns)
{
	uint64_t limit_ns = tern__gap_limit(g);
	bool look = g->average_ns <= limit_ns / TERN__GAP_REACH;

	if (!look && g->average_ns <= limit_ns)
		look = ++g->waits % TERN__GAP_TRIAL_EVERY < TERN__GAP_TRIAL_RUN;
	g->since_ns = now_ns;
	g->slept = false;
	g->look_ns = look && !tern__gap_rests(now_ns) ? limit_ns : 0;
}

/* Work is there again. *called_ns: when somebody last called one who slept, about. */
static inline void tern__gap_end(struct tern__gap *g, uint64_t now_ns, const uint64_t *called_ns)
{
	uint64_t gap = now_ns - g->since_ns;

	if (g->slept) {
		uint64_t called = tern__load(called_ns);

		if (called > g->since_ns && called < now_ns) {
			gap = called - g->since_ns;
			tern__wake_note(now_ns - called);
		}
	}
	if (gap > TERN__GAP_CAP_NS)
		gap = TERN__GAP_CAP_NS;
	g->average_ns = (g->average_ns * (TERN__GAP_WEIGHT - 1) + gap) / TERN__GAP_WEIGHT;
	g->since_ns = 0;
}

#endif
