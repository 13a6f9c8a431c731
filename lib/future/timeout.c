/* SPDX-License-Identifier: MIT */
/* A future that is given up after a time: the first of it and a delay. */
#include <errno.h>

#include "future.h"

static struct tern_timeout *timeout_of(const struct tern_future *f)
{
	return tern_container_of(f, struct tern_timeout, future);
}

/* Not before, because until then it may be moved. */
static void bind(struct tern_timeout *t)
{
	t->of[1] = &t->delay.future;
	t->select.of = t->of;
}

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_timeout *t = timeout_of(f);

	if (f->state == TERN_FUTURE_IDLE)
		bind(t);
	tern_notifier_pass(n);
	if (tern_future_poll(&t->select.future, n) != TERN_FUTURE_COMPLETE)
		return TERN_FUTURE_RUNNING;
	f->result = t->select.winner == 1 ? -ETIMEDOUT : t->select.future.result;
	return TERN_FUTURE_COMPLETE;
}

static void cancel(struct tern_future *f)
{
	struct tern_timeout *t = timeout_of(f);

	bind(t);
	tern_future_cancel(&t->select.future);
}

static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	return tern_future_has_property(timeout_of(f)->of[0], property);
}

static const struct tern_future_ops ops = {sizeof(ops), poll, cancel, has_property};

void tern_timeout_init(struct tern_timeout *t, struct tern_future *of, uint64_t timeout_ns)
{
	*t = (struct tern_timeout){.of = {of}};
	tern_future_init(&t->future, &ops);
	tern_select_init(&t->select, NULL, 2);
	tern_delay_init(&t->delay, timeout_ns);
}
