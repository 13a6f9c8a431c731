/* SPDX-License-Identifier: MIT */
/* Futures one behind the other in the data of another, which are taken in that order. */
#include "private.h"

_Static_assert(offsetof(struct future_chain_entry, future) % 16 == 0, "entries have no gaps");

static struct future_chain_entry *entry_at(struct future_context *c, size_t at)
{
	char *data = tern_compat_future_context_get_data(c);

	return at < c->data_size ? (struct future_chain_entry *)(void *)(data + at) : NULL;
}

static struct future_chain_entry *next_of(struct future_context *c, struct future_chain_entry *e)
{
	char *data = tern_compat_future_context_get_data(c);

	if (FUTURE_CHAIN_ENTRY_IS_LAST(e))
		return NULL;
	return entry_at(c, (size_t)((char *)e - data) + (size_t)e->size);
}

static void init(struct future_context *c, struct future_chain_entry *e)
{
	if (!e->init)
		return;
	e->init(&e->future, c, e->init_arg);
	e->init = NULL;
}

/* The entry that is next, initialized; NULL: all are complete. */
static struct future_chain_entry *current(struct future_context *c)
{
	struct future_chain_entry *e = entry_at(c, 0);

	while (e && FUTURE_CHAIN_ENTRY_IS_PROCESSED(e))
		e = next_of(c, e);
	if (e)
		init(c, e);
	return e;
}

static void finish(struct future_context *c, struct future_chain_entry *e)
{
	struct future_chain_entry *next = next_of(c, e);

	if (e->map) {
		if (next)
			init(c, next);
		e->map(&e->future.context, next ? &next->future.context : c, e->map_arg);
	}
	e->flags |= FUTURE_CHAIN_FLAG_ENTRY_PROCESSED;
}

enum future_state tern_compat_async_chain_impl(struct future_context *c, struct future_notifier *n)
{
	for (struct future_chain_entry *e; (e = current(c)); finish(c, e))
		if (tern_compat_future_poll(&e->future, n) != FUTURE_STATE_COMPLETE)
			return FUTURE_STATE_RUNNING;
	return FUTURE_STATE_COMPLETE;
}

int tern_compat_future_chain_has_property(void *future, enum future_property property)
{
	struct future_chain_entry *e = current(&((struct future *)future)->context);

	return e ? tern_compat_future_has_property(&e->future, property) : 0;
}
