/* SPDX-License-Identifier: MIT */
/*
 * The one timer structure: a binary min-heap of deadlines, made of the timers themselves. One
 * thread uses a heap. Starting and stopping cost O(log n) at the worst and allocate nothing.
 */
#ifndef TERN__TIMER_H
#define TERN__TIMER_H

#include <tern/loop.h>

struct tern__timers {
	struct tern_timer *root; /* the next to fire; NULL: none */
	uint64_t count;
};

/* timer->deadline_ns is set; the timer is in no heap. */
void tern__timers_insert(struct tern__timers *heap, struct tern_timer *timer);

/* The timer is in this heap. */
void tern__timers_remove(struct tern__timers *heap, struct tern_timer *timer);

#endif
