/* SPDX-License-Identifier: MIT */
/*
 * The first of several futures. It is complete before the others are, which still tell somebody
 * when they come to their end: so they are given a relay of the select's own, which is closed
 * first. Then `released` polls them, with its poller's waker.
 */
#include <errno.h>

#include "relay.h"

static struct tern_select *select_of(const struct tern_future *f)
{
	return tern_container_of(f, struct tern_select, future);
}

/* Polls all that are left; returns how many are afterwards. */
static size_t poll_all(struct tern_select *s, struct tern_notifier *n)
{
	size_t left = 0;

	for (size_t i = 0; i < s->count; i++)
		left += tern_future_poll(s->of[i], n) != TERN_FUTURE_COMPLETE;
	return left;
}

static void cancel_all(struct tern_select *s)
{
	for (size_t i = 0; i < s->count; i++)
		tern_future_cancel(s->of[i]);
}

/* The first in their order that is complete; after a cancel, and not because of it. */
static size_t winner(const struct tern_select *s)
{
	bool canceled = tern_future_canceled(&s->future);
	size_t i = 0;

	while (i < s->count && (s->of[i]->state != TERN_FUTURE_COMPLETE ||
				(canceled && s->of[i]->result == -ECANCELED)))
		i++;
	return i;
}

static enum tern_future_state end(struct tern_select *s, int64_t result)
{
	s->future.result = result;
	return TERN_FUTURE_COMPLETE;
}

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_select *s = select_of(f);
	struct tern_notifier inner = {
		.waker = n->waker ? &s->relay.waker : NULL,
		.home = n->home,
	};
	size_t left;

	if (!s->count)
		return end(s, -EINVAL);
	tern__relay_lead(&s->relay, n->waker);
	/* also those that have lost already: one that is just being told must look once more */
	left = poll_all(s, &inner);
	if (s->winner == s->count)
		s->winner = winner(s);
	if (s->winner < s->count && left && !tern_future_canceled(f)) {
		cancel_all(s);
		if (tern__relay_close(&s->relay))
			left = 0;
	}
	if (!left)
		return end(s, s->winner < s->count ? s->of[s->winner]->result : -ECANCELED);
	tern_notifier_pass(n);
	tern__notifier_add(n, &inner);
	return TERN_FUTURE_RUNNING;
}

static void cancel(struct tern_future *f)
{
	cancel_all(select_of(f));
}

static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	const struct tern_select *s = select_of(f);

	for (size_t i = 0; i < s->count; i++)
		if (s->of[i]->state != TERN_FUTURE_COMPLETE &&
		    tern_future_has_property(s->of[i], property))
			return true;
	return false;
}

static enum tern_future_state poll_released(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_select *s = tern_container_of(f, struct tern_select, released);

	if (!s->future.polled)
		return TERN_FUTURE_COMPLETE;
	if (s->future.state != TERN_FUTURE_COMPLETE)
		return TERN_FUTURE_RUNNING; /* too early: the wakes are the select's */
	tern_notifier_pass(n);
	return poll_all(s, n) ? TERN_FUTURE_RUNNING : TERN_FUTURE_COMPLETE;
}

/* They have been asked already. */
static void cancel_released(struct tern_future *f)
{
}

static const struct tern_future_ops ops = {sizeof(ops), poll, cancel, has_property};

static const struct tern_future_ops released_ops = {
	.size = sizeof(released_ops),
	.poll = poll_released,
	.cancel = cancel_released,
};

void tern_select_init(struct tern_select *s, struct tern_future *const *of, size_t count)
{
	*s = (struct tern_select){.of = of, .count = count, .winner = count};
	tern_future_init(&s->future, &ops);
	tern_future_init(&s->released, &released_ops);
	tern__relay_init(&s->relay);
}
