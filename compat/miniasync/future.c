/* SPDX-License-Identifier: MIT */
/*
 * Futures with their data and output behind them. Where these lie is measured when a future is
 * initialized and kept as distances, since it may be moved, and what is aligned more than what
 * comes before it lies behind a gap.
 */
#include <sched.h>

#include "../../lib/base/atomic.h"
#include "private.h"

#define SPINS 100 /* before others on this CPU get their turn */

static uint32_t gap(const void *from, const void *to)
{
	return (uint32_t)((const char *)to - (const char *)from) & TERN__MINIASYNC_GAP;
}

void tern_compat_future_init(struct future *f, enum future_state state, future_task_fn task,
			     future_has_property_fn has_property, void *data, size_t data_size,
			     void *output, size_t output_size)
{
	f->task = task;
	f->has_property = has_property;
	f->context.state = state;
	f->context.data_size = data_size;
	f->context.output_size = output_size;
	f->context.padding =
		gap(&f->context + 1, data) | gap((const char *)data + data_size, output) << 15;
}

void *tern_compat_future_context_get_data(struct future_context *c)
{
	return (char *)(c + 1) + (c->padding & TERN__MINIASYNC_GAP);
}

void *tern_compat_future_context_get_output(struct future_context *c)
{
	return (char *)tern_compat_future_context_get_data(c) + c->data_size +
	       (c->padding >> 15 & TERN__MINIASYNC_GAP);
}

size_t tern_compat_future_context_get_size(struct future_context *c)
{
	return c->data_size + c->output_size;
}

enum future_state tern_compat_future_poll(struct future *f, struct future_notifier *n)
{
	if (f->context.state != FUTURE_STATE_COMPLETE)
		f->context.state = f->task(&f->context, n);
	return f->context.state;
}

int tern_compat_future_has_property(struct future *f, enum future_property property)
{
	return f->has_property ? f->has_property(f, property) : 0;
}

int tern_compat_future_has_property_default(void *future, enum future_property property)
{
	return 0;
}

void tern_compat_future_busy_poll(struct future *f)
{
	for (unsigned i = 1; tern_compat_future_poll(f, NULL) != FUTURE_STATE_COMPLETE; i++) {
		tern__pause();
		if (i % SPINS == 0)
			sched_yield();
	}
}
