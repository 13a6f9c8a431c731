/* SPDX-License-Identifier: MIT */
/* What all futures have in common: their states, and what they say to who polls them. */
#include <errno.h>

#include "../base/fatal.h"
#include "future.h"

/* Of futures that are complete when somebody says so. */
static void cancel_nothing(struct tern_future *f)
{
}

static bool is_async(const struct tern_future *f, enum tern_future_property property)
{
	return property == TERN_FUTURE_ASYNC;
}

static const struct tern_future_ops told = {
	.size = sizeof(told),
	.poll = tern_future_attach,
	.cancel = cancel_nothing,
	.has_property = is_async,
};

void tern_future_init(struct tern_future *f, const struct tern_future_ops *ops)
{
	if (ops && (ops->size < sizeof(*ops) || !ops->poll))
		tern__fatal("tern_future_init", "future %p has a table without a poll function",
			    (void *)f);
	*f = (struct tern_future){.ops = ops ? ops : &told};
}

void tern_future_init_complete(struct tern_future *f, int64_t result)
{
	tern_future_init(f, NULL);
	f->result = result;
	f->state = TERN_FUTURE_COMPLETE;
}

enum tern_future_state tern_future_poll(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_notifier said = {.used = TERN_NOTIFY_NONE};
	enum tern_future_state state = (enum tern_future_state)f->state;

	if (state == TERN_FUTURE_COMPLETE)
		return state;
	if (n) {
		said.waker = n->waker;
		said.home = n->home;
	}
	f->polled = true;
	state = f->ops->poll(f, &said);
	f->state = (uint8_t)state;
	if (n && state != TERN_FUTURE_COMPLETE)
		tern__notifier_add(n, &said);
	return state;
}

void tern_future_cancel(struct tern_future *f)
{
	if (f->state == TERN_FUTURE_COMPLETE || f->canceled)
		return;
	tern__store(&f->canceled, 1); /* read by who works for it, as a hint */
	if (f->ops->cancel) {
		f->ops->cancel(f);
	} else if (!f->polled) {
		f->result = -ECANCELED;
		f->state = TERN_FUTURE_COMPLETE;
	}
}

bool tern_future_canceled(const struct tern_future *f)
{
	return tern__load(&f->canceled);
}

bool tern_future_has_property(const struct tern_future *f, enum tern_future_property property)
{
	return f->ops->has_property && f->ops->has_property(f, property);
}

void tern_notifier_pass(struct tern_notifier *n)
{
	n->used = TERN_NOTIFY_WAKER;
}

void tern_notifier_at(struct tern_notifier *n, uint64_t deadline_ns)
{
	if (n->used == TERN_NOTIFY_NONE)
		n->used = TERN_NOTIFY_WAKER;
	n->deadline_ns = tern__earlier(n->deadline_ns, deadline_ns);
}

void tern_notifier_monitor(struct tern_notifier *n, const uint64_t *word, uint64_t seen)
{
	n->used = TERN_NOTIFY_POLLER;
	n->monitor = word;
	n->seen = seen;
}

/* Two words cannot be watched: then nobody is. */
void tern__notifier_add(struct tern_notifier *n, const struct tern_notifier *said)
{
	n->deadline_ns = tern__earlier(n->deadline_ns, said->deadline_ns);
	if (said->used == TERN_NOTIFY_POLLER && n->used == TERN_NOTIFY_POLLER &&
	    (said->monitor != n->monitor || said->seen != n->seen)) {
		n->used = TERN_NOTIFY_NONE;
	} else if (said->used > n->used) {
		n->used = said->used;
		n->monitor = said->monitor;
		n->seen = said->seen;
	}
}
