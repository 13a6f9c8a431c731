/* SPDX-License-Identifier: MIT */
/*
 * Sections in which a worker stands still: its slot is lent to another thread, so that threads_max
 * limits what computes, not what waits. They are an item's. The hooks have none: a leaving worker
 * has counted itself out already.
 *
 * Beginning one is like going to sleep: the worker will not look for work for a while, so it counts
 * itself out of `awake`, looks at the outboxes (S1, S2, see port.c), and calls another for what
 * waits. The end never waits. It may leave one thread more in service than there may be; whichever
 * worker comes to take the next item first finds that out under the lock, and sleeps, or leaves,
 * though items wait: as many as may be are there to take them.
 */
#include "../lib/base/fatal.h"
#include "pool.h"

void tern_blocking_begin(void)
{
	struct tern__summons summons = {.start = false};
	struct tern__worker *w = tern__self();
	struct tern_pool *p;

	if (!w || !w->current || w->blocking++)
		return;
	p = w->pool;
	tern__pool_lock(p);
	if (p->lent < p->blocking_max) {
		w->lent = true;
		p->lent++;
		tern__sub_seq(&p->awake, 1); /* S1 */
		tern__queue_collect(p);
		summons = tern__policy_summon(p, TERN__HASTE_NOW);
	}
	tern__pool_unlock(p);
	tern__thread_summon(p, summons);
}

void tern_blocking_end(void)
{
	struct tern__worker *w = tern__self();
	struct tern_pool *p;

	if (!w || !w->current)
		return;
	if (!w->blocking)
		tern__fatal("tern_blocking_end", "nothing was begun on this thread of pool %p",
			    (void *)w->pool);
	if (--w->blocking || !w->lent)
		return;
	p = w->pool;
	tern__pool_lock(p);
	w->lent = false;
	p->lent--;
	tern__add_seq(&p->awake, 1);
	tern__pool_unlock(p);
}

void tern__blocking_unended(const struct tern__worker *w)
{
	tern__fatal("tern_blocking_begin", "a run function of pool %p returned without end",
		    (void *)w->pool);
}
