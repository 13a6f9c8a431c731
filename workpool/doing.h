/* SPDX-License-Identifier: MIT */
/*
 * What a worker is running, for others to read: a copy, because an item may be freed while it runs.
 *
 * The worker writes the copy and then, with release, sets `running`, before it enters run. It
 * clears `running` when it is back, and needs the pool's lock before it takes another item, or
 * leaves this one's lane. A reader has the lock, and looks at `running` with acquire. If it is set,
 * the copy was written before that, and is still the same: the worker may be back by now, but had
 * it had the lock since, the lock would have shown us `running` cleared; and as long as we have it,
 * nobody writes.
 */
#ifndef TERN__DOING_H
#define TERN__DOING_H

#include <tern/pool.h>

#include "../lib/base/atomic.h"

struct tern__doing {
	tern_work_fn *run;
	void *user;
	uint64_t since_ns; /* when it began, or some time before; 0: the clock was never read */
	bool timed;	   /* when it began */
	uint32_t running;  /* run has been entered, and has not returned */
};

/* What will run, while the item is certainly there ... */
static inline void tern__doing_say(struct tern__doing *doing, const struct tern_work *work)
{
	doing->run = work->run;
	doing->user = work->user;
}

/* ... and that it does now. */
static inline void tern__doing_start(struct tern__doing *doing, uint64_t since_ns, bool timed)
{
	doing->since_ns = since_ns;
	doing->timed = timed;
	tern__store_release(&doing->running, 1);
}

static inline void tern__doing_stop(struct tern__doing *doing)
{
	tern__store(&doing->running, 0);
}

/* [lock held] True: the rest is of one item, which runs, or has ended since the lock was taken. */
static inline bool tern__doing_runs(const struct tern__doing *doing)
{
	return tern__load_acquire(&doing->running);
}

#endif
