/* SPDX-License-Identifier: MIT */
/* A future that is tried again when it fails, after a pause that doubles. */
#include <errno.h>

#include "future.h"

#define ATTEMPTS     5
#define PAUSE_NS     (10 * TERN__MS)
#define PAUSE_NS_TOP (1000 * TERN__MS)

enum stage {
	PREPARING,
	TRYING,
	PAUSING,
};

static struct tern_retry *retry_of(const struct tern_future *f)
{
	return tern_container_of(f, struct tern_retry, future);
}

static uint64_t pause_of(const struct tern_retry *r)
{
	uint64_t top = r->pause_ns_max ? r->pause_ns_max : PAUSE_NS_TOP;
	uint64_t ns = r->pause_ns ? r->pause_ns : PAUSE_NS;

	for (uint32_t i = 1; i < r->failed && ns < top; i++)
		ns = ns < top / 2 ? 2 * ns : top;
	return ns < top ? ns : top;
}

/* An attempt is over. Returns whether another is worth it. */
static bool try_again(struct tern_retry *r)
{
	uint32_t max = r->attempts_max ? r->attempts_max : ATTEMPTS;
	int64_t result = r->of->result;

	r->future.result = result;
	if (result >= 0)
		return false;
	if (r->failed < UINT32_MAX)
		r->failed++;
	if (result == -ECANCELED || tern_future_canceled(&r->future) ||
	    (max != TERN_FOREVER && r->failed >= max))
		return false;
	tern_delay_init(&r->delay, pause_of(r));
	r->stage = PAUSING;
	return true;
}

/* Returns whether there is something to try. */
static bool prepare(struct tern_retry *r)
{
	int e = r->prepare ? -ECANCELED : -EINVAL;

	if (r->prepare && !tern_future_canceled(&r->future))
		e = r->prepare(r);
	r->future.result = e;
	r->stage = TRYING;
	return e >= 0;
}

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_retry *r = retry_of(f);

	tern_notifier_pass(n);
	for (;;) {
		switch ((enum stage)r->stage) {
		case PREPARING:
			if (!prepare(r))
				return TERN_FUTURE_COMPLETE;
			break;
		case TRYING:
			if (tern_future_poll(r->of, n) != TERN_FUTURE_COMPLETE)
				return TERN_FUTURE_RUNNING;
			if (!try_again(r))
				return TERN_FUTURE_COMPLETE;
			break;
		case PAUSING:
			if (tern_future_poll(&r->delay.future, n) != TERN_FUTURE_COMPLETE)
				return TERN_FUTURE_RUNNING;
			r->stage = PREPARING;
			break;
		}
	}
}

static void cancel(struct tern_future *f)
{
	struct tern_retry *r = retry_of(f);

	if (r->stage == TRYING)
		tern_future_cancel(r->of);
	if (r->stage == PAUSING)
		tern_future_cancel(&r->delay.future);
}

static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	const struct tern_retry *r = retry_of(f);

	if (r->stage == PAUSING)
		return property == TERN_FUTURE_ASYNC;
	return r->stage == TRYING && tern_future_has_property(r->of, property);
}

static const struct tern_future_ops ops = {sizeof(ops), poll, cancel, has_property};

void tern_retry_init(struct tern_retry *r, struct tern_future *of, tern_retry_fn *prepare_fn)
{
	*r = (struct tern_retry){.of = of, .prepare = prepare_fn};
	tern_future_init(&r->future, &ops);
}
