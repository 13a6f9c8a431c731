/* SPDX-License-Identifier: MIT */
/* Memory with guards around it, for tests of data movers. */
#include "movers.h"

#define GUARD_BYTE 0xa5

void area_refill(struct area *area, uint32_t seed)
{
	uint32_t x = seed;

	for (size_t i = 0; i < area->n; i++) {
		x = x * 1664525u + 1013904223u;
		area->at[i] = seed ? x >> 24 : 0;
	}
}

struct area area_new(size_t n, size_t past, uint32_t seed)
{
	struct area area = {.n = n, .size = n + 2 * GUARD + 128};

	ck_assert_int_eq(posix_memalign((void **)&area.base, 64, area.size), 0);
	memset(area.base, GUARD_BYTE, area.size);
	area.at = area.base + 128 + past;
	ck_assert_uint_le(past, GUARD);
	area_refill(&area, seed);
	return area;
}

void area_check(const struct area *area)
{
	for (const unsigned char *p = area->base; p < area->at; p++)
		ck_assert_uint_eq(*p, GUARD_BYTE);
	for (const unsigned char *p = area->at + area->n; p < area->base + area->size; p++)
		ck_assert_uint_eq(*p, GUARD_BYTE);
}

void area_free(struct area *area)
{
	area_check(area);
	free(area->base);
}

uint32_t crc32c_by_bits(uint32_t before, const void *src, size_t n)
{
	const unsigned char *at = src;
	uint32_t sum = ~before;

	for (size_t i = 0; i < n; i++) {
		sum ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum & 1 ? sum >> 1 ^ 0x82f63b78u : sum >> 1;
	}
	return ~sum;
}

int64_t finish(struct tern_vdm_op *op)
{
	return tern_runtime_wait(&op->future);
}
