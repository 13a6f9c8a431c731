/* SPDX-License-Identifier: MIT */
/*
 * What a pool and its lanes tell of themselves: counts, and how long items wait and run.
 *
 * See tern_stats(3).
 */
#ifndef TERN_STATS_H
#define TERN_STATS_H

#include <tern/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_HISTOGRAM_BUCKETS 128

/*
 * How long something took: a count for each range of times, four ranges to each power of two.
 * Where only some items are timed, each stands for others too.
 */
struct tern_histogram {
	uint64_t count;	     /* items that it stands for */
	uint64_t measured;   /* items that were timed */
	uint64_t sum_ns;     /* of all that it stands for */
	uint64_t longest_ns; /* of those that were timed */
	/*
	 * How many took less than the bucket's limit and not less than the limit before: 16, 32, 48
	 * and 64 ns, then (5 + i % 4) << (i / 4 + 3) ns for bucket i; the last one has no limit.
	 */
	uint64_t buckets[TERN_HISTOGRAM_BUCKETS];
};

/*
 * [any] A time in ns that the share q of the items did not exceed, 0.99 of them, say: the limit of
 * the bucket that decides, hence up to a quarter too long, but at most longest_ns. Less than 0, or
 * not a number, is taken for 0, more than 1 for 1. 0 where nothing was timed.
 */
uint64_t tern_histogram_quantile(const struct tern_histogram *histogram, double q);

/*
 * What a pool is doing. The counts are of one moment in the call, but `running`, which is about so;
 * searches and histograms are read just after it. Where only some items are timed, histograms are
 * estimates. Counts that grow start at 0.
 */
struct tern_pool_stats {
	size_t size;		  /* set it to sizeof(struct tern_pool_stats) before the call */
	uint32_t threads;	  /* alive or being started */
	uint32_t idle;		  /* of these, asleep */
	uint32_t threads_peak;	  /* most at once so far */
	uint32_t queued;	  /* items no worker has started yet; without those still with a
				     loop */
	uint64_t started;	  /* items taken by workers so far */
	uint64_t canceled;	  /* items cancelled so far */
	uint64_t timed_out;	  /* items not run because they had waited too long, so far */
	uint64_t threads_created; /* threads started so far */
	uint64_t threads_exited;
	uint64_t threads_failed;    /* threads that could not be started so far */
	uint64_t wakes;		    /* sleeping workers woken so far */
	uint32_t running;	    /* threads that are in an item, about */
	uint32_t sample;	    /* at present one of so many items is timed: 1 or 16 */
	uint64_t searches_paid;	    /* how often a worker looked for work before it slept: found, */
	uint64_t searches_failed;   /* ... and in vain */
	struct tern_histogram wait; /* items that ran: from the pool's queue to run */
	struct tern_histogram run;  /* the same items, in run */
};

/*
 * [any] Fills *stats up to stats->size; what this library does not know is zeroed. Returns 0;
 * -EINVAL when stats->size is less than a size_t; -ENOTSUP from a library built without statistics
 * (meson option stats); -ECHILD in a child for a pool of its parent's, see tern_fork(7). Takes the
 * pool's lock: not for every item.
 */
int tern_pool_stats(struct tern_pool *pool, struct tern_pool_stats *stats);

/* The same of a lane, and of its items alone. */
struct tern_lane_stats {
	size_t size;	  /* set it to sizeof(struct tern_lane_stats) before the call */
	uint32_t queued;  /* items no worker has started yet, held back or not; without those
			     still with a loop */
	uint32_t running; /* taken by workers, and not over */
	uint64_t started; /* the rest as in tern_pool_stats */
	uint64_t canceled;
	uint64_t timed_out;
	struct tern_histogram wait;
	struct tern_histogram run;
};

/* [any] Does what tern_pool_stats does, for a lane, with the same errors. */
int tern_lane_stats(struct tern_lane *lane, struct tern_lane_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
