/* SPDX-License-Identifier: MIT */
/* Chains: futures one after the other, with a function between that prepares the next. */
#include <errno.h>

#include "future.h"

static struct tern_chain *chain_of(const struct tern_future *f)
{
	return tern_container_of(f, struct tern_chain, future);
}

static void fail(struct tern_chain *c, int64_t error)
{
	if (c->failed)
		return;
	c->failed = true;
	c->future.result = error;
}

/* Whether the step is taken; else it is left out. */
static bool enter(struct tern_chain *c, struct tern_step *step)
{
	int e;

	if (!step->always && tern_future_canceled(&c->future))
		fail(c, -ECANCELED);
	if (!step->always && c->failed)
		return false;
	e = step->map ? step->map(c, step, c->before) : 0;
	if (e < 0)
		fail(c, e);
	c->entered = e >= 0;
	return c->entered;
}

static void leave(struct tern_chain *c, struct tern_future *step)
{
	c->entered = false;
	c->before = step;
	if (step->result < 0)
		fail(c, step->result);
	else if (!c->failed)
		c->future.result = step->result;
}

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_chain *c = chain_of(f);

	tern_notifier_pass(n);
	for (; c->at < c->count; c->at++) {
		struct tern_step *step = &c->steps[c->at];

		if (!c->entered && !enter(c, step))
			continue;
		if (tern_future_poll(step->future, n) != TERN_FUTURE_COMPLETE)
			return TERN_FUTURE_RUNNING;
		leave(c, step->future);
	}
	return TERN_FUTURE_COMPLETE;
}

static void cancel(struct tern_future *f)
{
	struct tern_chain *c = chain_of(f);

	if (c->entered)
		tern_future_cancel(c->steps[c->at].future);
}

static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	const struct tern_chain *c = chain_of(f);

	return c->entered && tern_future_has_property(c->steps[c->at].future, property);
}

static const struct tern_future_ops ops = {sizeof(ops), poll, cancel, has_property};

void tern_chain_init(struct tern_chain *c, struct tern_step *steps, size_t count)
{
	*c = (struct tern_chain){.steps = steps, .count = count};
	tern_future_init(&c->future, &ops);
}
