/* SPDX-License-Identifier: MIT */
/* A pause, as a future that nobody wakes, and that says when it is to be polled. */
#include <errno.h>

#include "future.h"

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_delay *d = tern_container_of(f, struct tern_delay, future);
	uint64_t now = tern__now_ns();

	if (f->state == TERN_FUTURE_IDLE)
		d->deadline_ns = d->delay_ns < INT64_MAX - now ? now + d->delay_ns : INT64_MAX;
	if (tern_future_canceled(f)) {
		f->result = -ECANCELED;
		return TERN_FUTURE_COMPLETE;
	}
	if (now >= d->deadline_ns)
		return TERN_FUTURE_COMPLETE;
	tern_notifier_at(n, d->deadline_ns);
	return TERN_FUTURE_RUNNING;
}

/* It gets on by the clock. */
static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	return property == TERN_FUTURE_ASYNC;
}

static const struct tern_future_ops ops = {
	.size = sizeof(ops),
	.poll = poll,
	.has_property = has_property,
};

void tern_delay_init(struct tern_delay *d, uint64_t delay_ns)
{
	*d = (struct tern_delay){.delay_ns = delay_ns};
	tern_future_init(&d->future, &ops);
}
