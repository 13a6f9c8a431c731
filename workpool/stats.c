/* SPDX-License-Identifier: MIT */
/*
 * What a pool and its lanes tell of themselves; see tally.h for where it is counted.
 *
 * A worker's histograms are added up without the lock: workers come in front of the list and stay
 * as long as the pool, so nothing that was counted is ever lost again.
 */
#include <errno.h>

#include "../lib/base/histogram.h"
#include "../lib/base/options.h"
#include "pool.h"

#ifdef TERN_STATS
void tern__stats_timed(struct tern__worker *w)
{
	const struct tern__timing *t = &w->timing;

	if (!t->weight)
		return;
	tern__histogram_add(&w->tally.wait, t->wait_ns, t->weight);
	tern__histogram_add(&w->tally.run, t->run_ns, t->weight);
}

void tern__stats_lane_over(struct tern__worker *w)
{
	const struct tern__timing *t = &w->timing;

	TERN__COUNT_LANE(w->lane, over);
	if (!t->weight || w->too_old)
		return;
	tern__histogram_add(&w->lane->tally.wait, t->wait_ns, t->weight);
	tern__histogram_add(&w->lane->tally.run, t->run_ns, t->weight);
}

static uint32_t queued_in(const struct tern_lane *lane)
{
	const struct tern__lane_tally *t = &lane->tally;

	return (uint32_t)(t->came - t->canceled - t->started);
}

static uint32_t running_in(const struct tern_lane *lane)
{
	return (uint32_t)(lane->tally.started - lane->tally.over);
}

/* Of its items those that are not in the pool's queue either. */
static uint32_t held_in(const struct tern_lane *lane)
{
	return queued_in(lane) - (lane->entered - running_in(lane));
}

/* Who has taken an item says so under the lock; who is over with it does not wait for that. */
static uint32_t running_in_pool(const struct tern_pool *p)
{
	uint32_t running = 0;

	for (const struct tern__worker *w = p->workers; w; w = w->next)
		running += tern__load(&w->current) != NULL;
	return running;
}

/* Returns the newest worker. */
static struct tern__worker *read_counts(struct tern_pool *p, struct tern_pool_stats *now)
{
	struct tern__worker *newest;

	tern__pool_lock(p);
	*now = (struct tern_pool_stats){
		.started = p->started,
		.canceled = p->tally.canceled,
		.timed_out = p->tally.timed_out,
		.threads_created = p->tally.threads_created,
		.threads_exited = p->tally.threads_exited,
		.threads_failed = p->tally.threads_failed,
		.wakes = p->tally.wakes,
	};
	now->threads = p->threads;
	now->idle = p->idle;
	now->threads_peak = p->threads_peak;
	now->running = running_in_pool(p);
	now->sample = tern__timing_rate(p);
	now->queued = p->waiting;
	for (const struct tern_lane *lane = p->lanes; lane; lane = lane->next)
		now->queued += held_in(lane);
	newest = p->workers;
	tern__pool_unlock(p);
	return newest;
}

int tern_pool_stats(struct tern_pool *p, struct tern_pool_stats *stats)
{
	struct tern_pool_stats now;

	if (tern__pool_is_parents(p))
		return -ECHILD;
	for (struct tern__worker *w = read_counts(p, &now); w; w = w->next) {
		now.searches_paid += tern__load(&w->tally.searches_paid);
		now.searches_failed += tern__load(&w->tally.searches_failed);
		tern__histogram_merge(&now.wait, &w->tally.wait);
		tern__histogram_merge(&now.run, &w->tally.run);
	}
	return tern__options_write(stats, &now, sizeof(now));
}

int tern_lane_stats(struct tern_lane *lane, struct tern_lane_stats *stats)
{
	struct tern_lane_stats now = {.size = sizeof(now)};

	if (tern__pool_is_parents(lane->pool))
		return -ECHILD;
	tern__pool_lock(lane->pool);
	now.queued = queued_in(lane);
	now.running = running_in(lane);
	now.started = lane->tally.started;
	now.canceled = lane->tally.canceled;
	now.timed_out = lane->tally.timed_out;
	tern__histogram_merge(&now.wait, &lane->tally.wait);
	tern__histogram_merge(&now.run, &lane->tally.run);
	tern__pool_unlock(lane->pool);
	return tern__options_write(stats, &now, sizeof(now));
}
#else
int tern_pool_stats(struct tern_pool *p, struct tern_pool_stats *stats)
{
	return -ENOTSUP;
}

int tern_lane_stats(struct tern_lane *lane, struct tern_lane_stats *stats)
{
	return -ENOTSUP;
}
#endif
