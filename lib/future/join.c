/* SPDX-License-Identifier: MIT */
/* All of several futures. Each poll of a join polls all that are left. */
#include "future.h"

static struct tern_join *join_of(const struct tern_future *f)
{
	return tern_container_of(f, struct tern_join, future);
}

static void poll_all(struct tern_join *j, struct tern_notifier *n)
{
	j->left = 0;
	for (size_t i = 0; i < j->count; i++) {
		struct tern_future *f = j->of[i];

		if (tern_future_poll(f, n) != TERN_FUTURE_COMPLETE)
			j->left++;
		else if (f->result < 0 && !j->error)
			j->error = f->result;
	}
}

static void cancel(struct tern_future *f)
{
	struct tern_join *j = join_of(f);

	for (size_t i = 0; i < j->count; i++)
		tern_future_cancel(j->of[i]);
}

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_join *j = join_of(f);

	tern_notifier_pass(n);
	poll_all(j, n);
	if (j->stop_on_error && j->error && !j->stopped) {
		j->stopped = true;
		cancel(f);
		poll_all(j, n); /* as they are to be after a cancel */
	}
	if (j->left)
		return TERN_FUTURE_RUNNING;
	f->result = j->error;
	return TERN_FUTURE_COMPLETE;
}

static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	const struct tern_join *j = join_of(f);

	for (size_t i = 0; i < j->count; i++)
		if (j->of[i]->state != TERN_FUTURE_COMPLETE &&
		    tern_future_has_property(j->of[i], property))
			return true;
	return false;
}

static const struct tern_future_ops ops = {sizeof(ops), poll, cancel, has_property};

void tern_join_init(struct tern_join *j, struct tern_future *const *of, size_t count)
{
	*j = (struct tern_join){.of = of, .count = count, .left = count};
	tern_future_init(&j->future, &ops);
}
