/* SPDX-License-Identifier: MIT */
/*
 * Old futures as one native: a poll of it is a pass over all that are not complete. So tern's own
 * runtime waits for them, and its loops run them.
 */
#include <errno.h>
#include <stdlib.h>

#include "../../lib/base/atomic.h"
#include "private.h"

__thread struct tern_loop *tern__miniasync_home;

#define PASSES 1000 /* over futures that nobody wakes, before their thread sleeps for a while */

struct runtime {
	char unused; /* waits share nothing */
};

/* Says whether it is complete; sets *again if nobody will call for it. */
static bool poll_one(struct tern_compat_miniasync_pass *p, struct future *f, bool *again)
{
	struct future_notifier n = {
		.waker = {p->bell, tern__miniasync_bell_ring},
		.notifier_used = FUTURE_NOTIFIER_NONE,
	};

	if (tern_compat_future_poll(f, &n) == FUTURE_STATE_COMPLETE)
		return true;
	if (n.notifier_used != FUTURE_NOTIFIER_WAKER)
		*again = true;
	return false;
}

/* Those that are async now, or those that were not; returns how many of these are not complete. */
static size_t poll_those(struct tern_compat_miniasync_pass *p, bool async, bool *again)
{
	size_t left = 0;

	for (size_t i = 0; i < p->count; i++) {
		struct future *f = p->of[i];

		if (f->context.state == FUTURE_STATE_COMPLETE)
			continue;
		if (async) {
			if (!tern_compat_future_has_property(f, FUTURE_PROPERTY_ASYNC))
				continue;
			f->context.padding |= TERN__MINIASYNC_POLLED;
		} else if (f->context.padding & TERN__MINIASYNC_POLLED) {
			continue;
		}
		left += !poll_one(p, f, again);
	}
	return left;
}

/* Returns how many are left. */
static size_t pass(struct tern_compat_miniasync_pass *p, bool *again)
{
	size_t left;

	*again = false;
	for (size_t i = 0; i < p->count; i++)
		p->of[i]->context.padding &= ~TERN__MINIASYNC_POLLED;
	left = poll_those(p, true, again);
	return left + poll_those(p, false, again);
}

/* Returns whether all are complete; else *again, as pass. */
static bool passes(struct tern_compat_miniasync_pass *p, bool *again)
{
	for (uint32_t i = 0; i < p->passes_max; i++) {
		if (!pass(p, again))
			return true;
		if (!*again)
			break;
		tern__pause();
	}
	return false;
}

static enum tern_future_state poll(struct tern_future *future, struct tern_notifier *n)
{
	struct tern_compat_miniasync_pass *p =
		tern_container_of(future, struct tern_compat_miniasync_pass, future);
	struct tern_loop *outer = tern__miniasync_home;
	bool again = true, over;

	tern_future_attach(future, n); /* before the passes: to overlook no wake */
	tern__miniasync_home = n->home;
	over = passes(p, &again);
	tern__miniasync_home = outer;
	if (over) {
		tern__miniasync_bell_put(p->bell);
		return TERN_FUTURE_COMPLETE;
	}
	if (again || !p->bell)
		n->used = TERN_NOTIFY_NONE;
	return TERN_FUTURE_RUNNING;
}

static const struct tern_future_ops ops = {
	.size = sizeof(ops),
	.poll = poll,
};

static void pass_init(struct tern_compat_miniasync_pass *p, struct future *of[], size_t count,
		      uint32_t passes_max)
{
	tern_future_init(&p->future, &ops);
	p->of = of;
	p->count = count;
	p->passes_max = passes_max;
	p->bell = tern__miniasync_bell_get(&p->future);
}

struct runtime *tern_compat_runtime_new(void)
{
	return malloc(sizeof(struct runtime));
}

void tern_compat_runtime_delete(struct runtime *r)
{
	free(r);
}

void tern_compat_runtime_wait_multiple(struct runtime *r, struct future *futs[], size_t n)
{
	struct tern_compat_miniasync_pass p;

	pass_init(&p, futs, n, PASSES);
	tern_runtime_wait(&p.future);
}

void tern_compat_runtime_wait(struct runtime *r, struct future *f)
{
	tern_compat_runtime_wait_multiple(r, &f, 1);
}

static void done(struct tern_future *future, void *user)
{
	struct tern_compat_miniasync_run *run = user;

	run->done(run->future, run->user);
}

int tern_compat_miniasync_run(struct tern_compat_miniasync_run *run, struct tern_loop *home,
			      struct future *f, tern_compat_miniasync_done_fn *fn, void *user)
{
	if (!fn || f->context.padding & TERN__MINIASYNC_TAKEN)
		return -EINVAL;
	f->context.padding |= TERN__MINIASYNC_TAKEN;
	run->future = f;
	run->done = fn;
	run->user = user;
	pass_init(&run->pass, &run->future, 1, 1);
	return tern_future_run(&run->run, home, &run->pass.future, done, run);
}
