/* SPDX-License-Identifier: MIT */
/*
 * How many completions a loop that goes to sleep waits for.
 *
 * To wake it for one costs a worker a system call and a CPU two switches, together more than a
 * short item. Where a CPU is idle, or would be, that is the price of being told at once. But while
 * the threads are all busy and items wait for them, it only slows everybody down, and nothing that
 * waits is served sooner. Then the loop lets completions come together, as network cards do with
 * packets (interrupt coalescing, moderated by the rate seen lately):
 *
 *  - as many as came lately in coalesce_us_max;
 *  - at most a quarter of what waits: so the threads do not run dry before the loop has submitted
 *    what follows, and the delay is small beside the wait that items have behind them.
 *
 * That is a guess, for a long item may be next. So meanwhile the loop does not sleep for longer
 * than a millisecond. And posts, cancelled items and whatever else the event loop polls wake it at
 * once.
 */
#include "loop.h"

#define SHARE 4 /* of what waits, and of what is out */

void tern__coalesce_note(struct tern_loop *l, uint32_t ran, uint64_t ns)
{
	uint64_t came = ran * l->coalesce_ns / (ns ? ns : 1);

	l->came_lately = came < UINT32_MAX ? (uint32_t)came : UINT32_MAX;
}

uint32_t tern__coalesce_awaited(struct tern_loop *l)
{
	uint64_t most = 0, out = tern__loop_outstanding(l);

	if (l->came_lately < 2)
		return 1;
	for (struct tern__rider *r = l->riders; r; r = r->next) {
		uint32_t waiting = r->ops->backlog(r);

		if (waiting > most)
			most = waiting;
	}
	if (most > out)
		most = out;
	most /= SHARE;
	if (most > l->came_lately)
		most = l->came_lately;
	return most > 1 ? (uint32_t)most : 1;
}
