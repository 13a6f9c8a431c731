/* SPDX-License-Identifier: MIT */
/*
 * Many loops and many workers at once: what scaling.c asks of a system. Each loop has a thread and
 * a closed window of no-op items of its own; all share one pool.
 */
#ifndef SCALING_H
#define SCALING_H

#include <stdbool.h>
#include <stdint.h>

struct side {
	_Alignas(128) uint64_t completed; /* on this side's thread; others read it */
	uint64_t window;
	void *system;
};

extern const char scaling_name[];

/* Once, before any side: the pool. */
void scaling_start(unsigned threads, bool spin);
/* On a thread of its own: keeps the window in flight until stop is set, then lets it run dry. */
void scaling_run(struct side *side);

extern bool scaling_stop;

static inline bool scaling_completed(struct side *side)
{
	__atomic_store_n(&side->completed, side->completed + 1, __ATOMIC_RELAXED);
	return !__atomic_load_n(&scaling_stop, __ATOMIC_RELAXED);
}

#endif
