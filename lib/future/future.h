/* SPDX-License-Identifier: MIT */
/*
 * What futures share: what a poll function says, put together with what was said before; and the
 * word by which the owner of a waker knows whether a wake is on its way.
 */
#ifndef TERN__FUTURE_H
#define TERN__FUTURE_H

#include <tern/future.h>

#include "../base/atomic.h"
#include "../base/clock.h"

/* How those who are woken by nobody are polled. */
#define TERN__PAUSE_NS	   TERN__US
#define TERN__PAUSE_NS_MAX TERN__MS

/* The next pause, twice as long as the one before; 0: there was none. */
static inline uint64_t tern__pause_next(uint64_t ns)
{
	return !ns ? TERN__PAUSE_NS : ns < TERN__PAUSE_NS_MAX / 2 ? 2 * ns : TERN__PAUSE_NS_MAX;
}

/* The earlier of two times, of which 0 is none. */
static inline uint64_t tern__earlier(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* [poller] What n's poller is to heed more, as said by a future polled with another notifier. */
void tern__notifier_add(struct tern_notifier *n, const struct tern_notifier *said);

/* [poller] Whether one that has said this is to be polled before anybody wakes. */
static inline bool tern__notifier_calls(const uint64_t *monitor, uint64_t seen,
					uint64_t deadline_ns)
{
	/* acquire: what was written before the word is the future's to see */
	return (monitor && tern__load_acquire(monitor) != seen) ||
	       (deadline_ns && deadline_ns <= tern__now_ns());
}

/*
 * Wakes: in bit 0 that the owner has been woken and has not taken note of it, above it how many
 * wakes have been held and have not come. Who changes bit 0 from 0 brings word to the owner, who
 * therefore stays as long as the word is not 0.
 *
 * hold is relaxed: what it precedes is published with release, by the teller (bell.c) or the
 * caller's lock, and the owner looks at the word after it has seen that.
 */
#define TERN__WOKEN 1u
#define TERN__HOLD  2u

/* [any] */
static inline void tern__wakes_hold(uint32_t *wakes)
{
	tern__add(wakes, TERN__HOLD);
}

/* [any, after hold] True: bring word to the owner. Else this was the last touch of the word. */
static inline bool tern__wakes_come(uint32_t *wakes)
{
	uint32_t before = tern__load(wakes);

	/* pairs with take: what was published before it is seen by the poll after that */
	while (!tern__cas_weak_seq(wakes, &before, (before - TERN__HOLD) | TERN__WOKEN))
		;
	return !(before & TERN__WOKEN);
}

/* [owner] Word has come; before the poll, so that what comes from here on brings it again. */
static inline void tern__wakes_take(uint32_t *wakes)
{
	tern__and_seq(wakes, ~TERN__WOKEN);
}

/*
 * [owner, what it waited for being complete] Whether nobody comes any more; then, as if it had been
 * woken for good, it is brought no word by one who comes all the same. Pairs with come: what came
 * has done its last.
 */
static inline bool tern__wakes_close(uint32_t *wakes)
{
	uint32_t none = 0;

	return tern__cas_seq(wakes, &none, TERN__WOKEN);
}

#endif
