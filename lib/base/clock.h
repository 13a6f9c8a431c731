/* SPDX-License-Identifier: MIT */
/* The monotonic clock, in nanoseconds: what every age, gap and deadline in tern is measured by. */
#ifndef TERN__CLOCK_H
#define TERN__CLOCK_H

#include <stdint.h>
#include <time.h>

#define TERN__US UINT64_C(1000)
#define TERN__MS UINT64_C(1000000)

static inline uint64_t tern__ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

static inline uint64_t tern__now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return tern__ns(&t);
}

#endif
