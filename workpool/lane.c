/* SPDX-License-Identifier: MIT */
/*
 * Lanes: a kind of work with a cap of its own, so that slow work can never take every thread.
 *
 * An item of a lane waits with the lane while as many of its items as the cap allows have entered:
 * are in the pool's queue, or running. When one of these is over the next enters. What a lane holds
 * back is not `waiting`: nobody needs to come for it before somebody has finished.
 *
 * All of it is under the pool's lock. Only `refs` is not: the user's one, and one for each item
 * from submit until it is over. Whoever drops the last one frees the lane and puts its pool.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/base/options.h"
#include "pool.h"

int tern_lane_create(struct tern_lane **ret, struct tern_pool *p, const struct tern_lane_opts *opts)
{
	struct tern_lane_opts o;
	struct tern_lane *lane;
	int e = tern__options_read(&o, sizeof(o), opts);

	if (e)
		return e;
	if (o.running_max >= TERN_NONE || o.wait_ms_max == TERN_NONE)
		return -EINVAL;
	if (tern__pool_is_parents(p))
		return -ECHILD;
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return -ENOMEM;
	lane->pool = tern_pool_get(p);
	lane->running_max = tern__option(o.running_max, 1);
	lane->wait_ns = o.wait_ms_max == TERN_FOREVER ? UINT64_MAX : o.wait_ms_max * TERN__MS;
	lane->refs = 1;
	if (o.name)
		strncpy(lane->name, o.name, sizeof(lane->name) - 1);
	tern__pool_lock(p);
	lane->next = p->lanes;
	tern__store_release(&p->lanes, lane); /* as with workers: a forked child reads it */
	tern__pool_unlock(p);
	*ret = lane;
	return 0;
}

void tern__lane_leave(struct tern_lane *lane)
{
	lane->entered--;
	tern__queue_admit(lane->pool, lane);
}

void tern__lane_hold(struct tern_lane *lane)
{
	tern__add(&lane->refs, 1);
}

void tern__lane_drop(struct tern_lane *lane)
{
	struct tern_pool *p = lane->pool;
	struct tern_lane **link;

	tern__hand_over(&lane->refs);
	if (tern__sub_acq_rel(&lane->refs, 1) != 1)
		return;
	tern__take_over(&lane->refs);
	tern__pool_lock(p);
	for (link = &p->lanes; *link != lane; link = &(*link)->next)
		;
	*link = lane->next;
	tern__pool_unlock(p);
	/* a cancel may have found its way here by an item that was out a moment ago */
	tern__work_guard();
	free(lane);
	tern_pool_put(p);
}

void tern_lane_put(struct tern_lane *lane)
{
	if (tern__pool_is_parents(lane->pool)) {
		tern__fork_put(lane->pool, lane);
		return;
	}
	tern__store_release(&lane->put, true);
	tern__lane_drop(lane);
}

void tern_work_set_lane(struct tern_work *w, struct tern_lane *lane)
{
	w->owner = lane;
	w->where = lane ? TERN__LANED : 0;
}
