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
