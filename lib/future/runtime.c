/* SPDX-License-Identifier: MIT */
/*
 * Futures on a thread without a loop: it polls what is not complete, and sleeps on a word of its
 * own until a waker sets that. All of it lies on the stack, so the call returns only when no wake
 * is on its way any more.
 */
#include "../base/park.h"
#include "future.h"

struct sleeper {
	struct tern_waker waker;
	uint32_t wakes;
	struct tern__park park;
	uint64_t pause_ns;
};

static struct sleeper *sleeper_of(struct tern_waker *waker)
{
	return tern_container_of(waker, struct sleeper, waker);
}

static struct tern_waker *hold(struct tern_waker *waker)
{
	tern__wakes_hold(&sleeper_of(waker)->wakes);
	return waker;
}

static void wake(struct tern_waker *waker)
{
	struct sleeper *s = sleeper_of(waker);

	if (tern__wakes_come(&s->wakes))
		tern__park_wake(&s->park);
}

/* Sleeps until somebody wakes, at most so long. True: somebody has. */
static bool nap(struct sleeper *s, uint64_t ns)
{
	if (!tern__park_wait(&s->park, ns))
		return false;
	tern__park_clear(&s->park); /* before take: after it others may set the word again */
	tern__wakes_take(&s->wakes);
	return true;
}

static uint64_t until(uint64_t deadline_ns)
{
	uint64_t now = tern__now_ns();

	return deadline_ns > now ? deadline_ns - now : 0;
}

/* Until those that have said this are to be polled again. */
static void rest(struct sleeper *s, const struct tern_notifier *said)
{
	uint64_t left = said->deadline_ns ? until(said->deadline_ns) : UINT64_MAX;
	const uint64_t *monitor = said->used == TERN_NOTIFY_POLLER ? said->monitor : NULL;

	if (said->used == TERN_NOTIFY_WAKER) {
		s->pause_ns = 0;
		nap(s, left);
		return;
	}
	do {
		s->pause_ns = tern__pause_next(s->pause_ns);
		if (nap(s, s->pause_ns < left ? s->pause_ns : left) || !monitor)
			return;
	} while (!tern__notifier_calls(monitor, said->seen, said->deadline_ns));
	s->pause_ns = 0;
}

/* Polls each that is not complete; returns whether there are any afterwards. */
static bool pass(struct tern_future *const futures[], size_t n, struct tern_notifier *notifier)
{
	bool left = false;

	for (size_t i = 0; i < n; i++) {
		struct tern_future *f = futures[i];

		if (f->state == TERN_FUTURE_COMPLETE)
			continue;
		f->pass = tern_future_has_property(f, TERN_FUTURE_ASYNC);
		if (f->pass)
			tern_future_poll(f, notifier);
	}
	for (size_t i = 0; i < n; i++) {
		struct tern_future *f = futures[i];

		if (f->state != TERN_FUTURE_COMPLETE && !f->pass)
			tern_future_poll(f, notifier);
		left |= f->state != TERN_FUTURE_COMPLETE;
	}
	return left;
}

void tern_runtime_wait_many(struct tern_future *const futures[], size_t n)
{
	struct sleeper s = {.waker = {hold, wake}};

	for (;;) {
		struct tern_notifier said = {.waker = &s.waker};

		if (!pass(futures, n, &said))
			break;
		rest(&s, &said);
	}
	while (!tern__wakes_close(&s.wakes))
		nap(&s, UINT64_MAX);
}

int64_t tern_runtime_wait(struct tern_future *future)
{
	tern_runtime_wait_many(&future, 1);
	return future->result;
}
