/* SPDX-License-Identifier: MIT */
/*
 * Whether it pays to look for work before sleeping: decided by how long the wait was lately.
 *
 * To be put to sleep and woken costs tens of microseconds; to find work by looking, a fraction of
 * one, and a CPU meanwhile. So one looks for at most what a wake costs, and only when the moving
 * average of recent gaps says that work should come in that time. A gap counts from running out of
 * work to work being there: one that was slept through is shortened by what the wake cost.
 *
 * Two who wait for each other can both be asleep and find the gaps too long only because the other
 * must be woken first. Such gaps are about the cost of a wake. So when the average is in that
 * range, one looks longer now and then, several times in a row: long enough for the other to wake,
 * often enough for the other to find its own gaps short. Where gaps are long for other reasons
 * nobody looks at all.
 */
#ifndef TERN__GAP_H
#define TERN__GAP_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

#define TERN__WAKE_NS (20 * TERN__US) /* what a wake costs the one who waits for it */

#define TERN__GAP_CAP_NS      (200 * TERN__US) /* one long pause must not end the looking for long */
#define TERN__GAP_WEIGHT      8		       /* the average moves by an eighth */
#define TERN__GAP_TRIAL_REACH 4		       /* a trial looks so much longer */
#define TERN__GAP_TRIAL_EVERY 512	       /* of so many waits ... */
#define TERN__GAP_TRIAL_RUN   16	       /* ... so many in a row are trials */

struct tern__gap {
	uint64_t limit_ns;   /* the longest look; 0: never look */
	uint64_t average_ns; /* of recent gaps */
	uint64_t since_ns;   /* when work ran out; 0: there is work */
	uint64_t look_ns;    /* how long to look in this gap; 0: not at all */
	uint32_t waits;	     /* gaps whose average lay in the range of trials */
	bool slept;	     /* in this gap */
};

/* Work has run out: once a gap. Decides how long to look. */
static inline void tern__gap_begin(struct tern__gap *g, uint64_t now_ns)
{
	g->since_ns = now_ns;
	g->slept = false;
	g->look_ns = g->limit_ns;
	if (g->average_ns <= g->limit_ns)
		return;
	g->look_ns = 0;
	if (g->average_ns <= g->limit_ns * TERN__GAP_TRIAL_REACH &&
	    ++g->waits % TERN__GAP_TRIAL_EVERY < TERN__GAP_TRIAL_RUN)
		g->look_ns = g->limit_ns * TERN__GAP_TRIAL_REACH;
}

/* Work is there again. */
static inline void tern__gap_end(struct tern__gap *g, uint64_t now_ns)
{
	uint64_t gap = now_ns - g->since_ns;

	if (g->slept)
		gap = gap > TERN__WAKE_NS ? gap - TERN__WAKE_NS : 0;
	if (gap > TERN__GAP_CAP_NS)
		gap = TERN__GAP_CAP_NS;
	g->average_ns = (g->average_ns * (TERN__GAP_WEIGHT - 1) + gap) / TERN__GAP_WEIGHT;
	g->since_ns = 0;
}

#endif
