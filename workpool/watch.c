/* SPDX-License-Identifier: MIT */
/*
 * The watchdog: a thread of a pool's own, which tells once of each item that runs for too long.
 *
 * It looks at what every worker is doing four times in the time that an item may take, but only
 * while somebody may be running one. It parks under the lock, when every thread of the pool lies on
 * the idle stack, or there is none. A worker that comes off that stack, whether claimed or by
 * itself, and a thread that is new, looks at `parked` under the lock before it takes an item, and
 * wakes the watchdog if need be. So nobody takes an item while it is parked, whichever of the two
 * has the lock first; and that costs a worker something only when the pool comes out of a rest.
 *
 * Where there is a watchdog it is the last of the pool's threads: whoever finds the pool over only
 * wakes it. It joins the last worker and does the rest, so that nothing of the library is running
 * when destroy returns, and `gone` comes after the last `stuck`.
 */
#include <stdio.h>
#include <unistd.h>

#include "../lib/base/symbol.h"
#include "pool.h"

#define LOOKS	 4 /* in the time that an item may take */
#define LOOK_MIN (1 * TERN__MS)

static void say(const struct tern__worker *w, tern_work_fn *run, void *item_user, uint32_t ms)
{
	char name[TERN__NAME_SIZE], place[256];

	tern__worker_name(w->pool, w->number, name);
	tern__symbol_place((const void *)(uintptr_t)run, place, sizeof(place));
	dprintf(STDERR_FILENO, "tern: %s has been running %s for %u ms, user %p\n", name, place, ms,
		item_user);
}

/*
 * [lock held] and held again on return. False: fork was called in there, see call in thread.c, and
 * nothing is to be touched.
 */
static bool tell(struct tern__worker *w, uint64_t ran_ns)
{
	uint32_t generation = tern__fork_generation();
	struct tern_pool *p = w->pool;
	tern_work_fn *run = w->doing.run;
	void *item_user = w->doing.user;
	uint32_t ms = ran_ns / TERN__MS < UINT32_MAX ? (uint32_t)(ran_ns / TERN__MS) : UINT32_MAX;

	w->watched.told = true;
	tern__pool_unlock(p);
	if (p->watch.stuck)
		p->watch.stuck(p->user, run, item_user, ms);
	else
		say(w, run, item_user, ms);
	if (tern__forked(generation))
		return false;
	tern__pool_lock(p);
	return true;
}

/*
 * [lock held] For how long the worker has been running its item, as far as can be told: not every
 * item is timed, so it may be only since we first saw it. 0: none, or one that was told of.
 */
static uint64_t ran_ns(struct tern__worker *w)
{
	uint64_t now;

	if (!tern__doing_runs(&w->doing))
		return 0;
	now = tern__now_ns(); /* no earlier: it may have begun a moment ago */
	if (w->watched.taken != w->taken) {
		w->watched.taken = w->taken;
		w->watched.since_ns = w->doing.timed ? w->doing.since_ns : now;
		w->watched.told = false;
	}
	return w->watched.told ? 0 : now - w->watched.since_ns;
}

/* Tells of those that are stuck, then sleeps. False: the pool is over, or see tell. */
static bool look(struct tern_pool *p, uint64_t look_ns)
{
	bool over, parked;

	tern__pool_lock(p);
	/* the list grows at its front alone: the lock may be given up on the way */
	for (struct tern__worker *w = p->workers; w; w = w->next) {
		uint64_t ns = ran_ns(w);

		if (ns > p->watch.run_ns && !tell(w, ns))
			return false;
	}
	over = p->over;
	parked = !over && p->threads == p->idle;
	p->watch.parked = parked;
	tern__park_clear(&p->watch.park);
	tern__pool_unlock(p);
	if (!over)
		tern__park_wait(&p->watch.park, parked ? UINT64_MAX : look_ns);
	return !over;
}

/* In the place of the last worker, which is past all but a few instructions. */
static void finish(struct tern_pool *p)
{
	if (p->joinable)
		pthread_join(p->left, NULL);
	p->left = pthread_self();
	p->joinable = true;
	tern__pool_finish(p);
	tern__pool_drop(p);
}

static void *watch_main(void *arg)
{
	struct tern_pool *p = arg;
	uint64_t look_ns = p->watch.run_ns / LOOKS;
	uint32_t generation = tern__fork_generation();
	char name[TERN__NAME_SIZE];

	tern__thread_name(p, "watch", name);
	pthread_setname_np(pthread_self(), name);
	while (look(p, look_ns > LOOK_MIN ? look_ns : LOOK_MIN))
		;
	if (!tern__forked(generation))
		finish(p);
	return NULL;
}

int tern__watch_start(struct tern_pool *p)
{
	int e = p->watch.run_ns ? tern__thread_create(p, &p->watch.thread, watch_main, p) : 0;

	p->watch.on = p->watch.run_ns && !e;
	return e;
}
