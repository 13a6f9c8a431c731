/* SPDX-License-Identifier: MIT */
/*
 * What is counted for tern_pool_stats and tern_lane_stats, and where: with the pool's lock held, in
 * the pool or the lane; else by each worker for itself, on lines of its own that others only read.
 * A library without statistics has none of it but what decisions rest on (struct tern__timing), a
 * byte in place of a pool's and a lane's, and two counts that cost nothing (started, threads_peak).
 */
#ifndef TERN__TALLY_H
#define TERN__TALLY_H

#include <stdbool.h>
#include <tern/stats.h>

#include "../lib/base/atomic.h"

/* How a worker times its items; its own thread's. See policy.c. */
struct tern__timing {
	uint32_t skip;	 /* the next so many items are not timed ... */
	uint32_t left;	 /* ... and after them so many are left of the 16 of which one is chosen */
	uint32_t dice;	 /* its upper four bits are the place of that one */
	uint32_t rate;	 /* of these 16 one of so many is timed for the statistics: 1 or 16 */
	bool chosen;	 /* the item at hand is that one */
	bool guides;	 /* it is timed to decide by */
	uint32_t weight; /* so many items it stands for in the statistics; 0: in none */
	uint64_t since_ns; /* it came to the pool */
	uint64_t clock_ns; /* when the worker last looked */
	uint64_t wait_ns, run_ns;
};

#ifdef TERN_STATS
#define TERN__STATS true

/* A worker's own. */
struct tern__tally {
	uint64_t searches_paid, searches_failed;
	struct tern_histogram wait, run;
};

/* A pool's; lock. */
struct tern__pool_tally {
	uint64_t canceled, timed_out, threads_created, threads_exited, threads_failed, wakes;
};

/* A lane's; lock. */
struct tern__lane_tally {
	uint64_t came, started, canceled, timed_out, over;
	struct tern_histogram wait, run;
};

/* [lock held] One more, of the pool; of the lane, if it is one. */
#define TERN__COUNT(pool, field)      ((void)(pool)->tally.field++)
#define TERN__COUNT_LANE(lane, field) ((lane) ? (void)(lane)->tally.field++ : (void)0)
/* [that worker] One more, of the worker. */
#define TERN__COUNT_OWN(worker, field) tern__bump(&(worker)->tally.field, 1u)
#else
#define TERN__STATS false

struct tern__pool_tally {
	char none[1];
};

struct tern__lane_tally {
	char none[1];
};

#define TERN__COUNT(pool, field)       ((void)(pool))
#define TERN__COUNT_LANE(lane, field)  ((void)(lane))
#define TERN__COUNT_OWN(worker, field) ((void)(worker))
#endif

#endif
