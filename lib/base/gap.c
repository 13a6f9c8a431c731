/* SPDX-License-Identifier: MIT */
/*
 * What yields tell of others who want the CPUs: whether one of them runs here, so that whoever
 * looks is to give way at once; and whether they are so many that nobody is to look at all.
 *
 * Who yields to somebody who computes is without a CPU for a slice of time, milliseconds; and so is
 * who has used up its own by looking. One who sleeps is let in soon after it is called, because it
 * has used so little. So when the yields of one thread cost it much of its time, all of the process
 * rest from looking: they share those CPUs. A single long yield shows nothing, for a virtual
 * machine may have been stopped meanwhile.
 */
#include "gap.h"

#define SWITCH_NS (TERN__US)	   /* a yield that takes as long has let somebody run */
#define LONG_NS	  (500 * TERN__US) /* no yield among threads that look takes as long */
#define WINDOW_NS (100 * TERN__MS) /* so long after the first long one, others are counted */
#define SURE_NS	  (8 * TERN__MS)   /* once that is over, ... */
#define PART	  4		   /* ... such a part of the time spent in long yields is much */
#define REST_NS	  (500 * TERN__MS)

/* A time that only compares: all accesses are relaxed, and of two who set it either may. */
static TERN__LINE uint64_t rest_until_ns;

bool tern__gap_rests(uint64_t now_ns)
{
	return now_ns < tern__load(&rest_until_ns);
}

void tern__gap_yielded(struct tern__gap *g, uint64_t then_ns, uint64_t now_ns)
{
	uint64_t took_ns = now_ns - then_ns, window_ns = now_ns - g->window_since_ns;

	g->shares_cpu = took_ns >= SWITCH_NS;
	if (took_ns < LONG_NS)
		return;
	if (window_ns > WINDOW_NS) {
		g->window_since_ns = now_ns;
		g->window_lost_ns = 0;
		return;
	}
	g->window_lost_ns += took_ns;
	if (window_ns >= SURE_NS && g->window_lost_ns >= window_ns / PART)
		tern__store(&rest_until_ns, now_ns + REST_NS);
}
