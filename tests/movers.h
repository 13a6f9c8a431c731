/* SPDX-License-Identifier: MIT */
/* Memory with guards around it, for tests of data movers. */
#ifndef TERN_TESTS_MOVERS_H
#define TERN_TESTS_MOVERS_H

#include <tern/vdm.h>

#include "futures.h"

#define KIB   ((size_t)1024)
#define MIB   (1024 * KIB)
#define GUARD 96 /* bytes on each side, and more than a cache line */

/* The bytes at `at`, n of them, so many past a line's start, lie between guards. */
struct area {
	unsigned char *at;
	size_t n;
	unsigned char *base;
	size_t size;
};

/* Filled by seed; 0: with zeros. */
struct area area_new(size_t n, size_t past, uint32_t seed);
void area_refill(struct area *area, uint32_t seed);
/* The guards must be whole. */
void area_check(const struct area *area);
void area_free(struct area *area);

/* One bit after the other. */
uint32_t crc32c_by_bits(uint32_t before, const void *src, size_t n);

/* Has it done on this thread, and returns its result. */
int64_t finish(struct tern_vdm_op *op);

#endif
