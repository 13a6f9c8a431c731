/* SPDX-License-Identifier: MIT */
/* The histogram: the leading bits of a duration name its bucket. */
#include "bench.h"

static unsigned bucket_of(uint64_t ns)
{
	unsigned top, bucket;

	if (ns < 1u << HIST_SUB_BITS)
		return (unsigned)ns;
	top = 63u - (unsigned)__builtin_clzll(ns);
	bucket = ((top - HIST_SUB_BITS + 1) << HIST_SUB_BITS) +
		 (unsigned)((ns >> (top - HIST_SUB_BITS)) & ((1u << HIST_SUB_BITS) - 1));
	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket)
{
	unsigned octave = bucket >> HIST_SUB_BITS;
	uint64_t sub = bucket & ((1u << HIST_SUB_BITS) - 1);

	if (octave == 0)
		return sub;
	return ((2 * (sub + (1u << HIST_SUB_BITS)) + 1) << (octave - 1)) / 2;
}

void hist_add(struct hist *hist, uint64_t ns)
{
	hist->count++;
	hist->buckets[bucket_of(ns)]++;
	if (ns > hist->max_ns)
		hist->max_ns = ns;
}

uint64_t hist_quantile(const struct hist *hist, double q)
{
	uint64_t below = 0, rank = (uint64_t)((double)hist->count * q);

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		below += hist->buckets[i];
		if (below > rank)
			return value_of(i) < hist->max_ns ? value_of(i) : hist->max_ns;
	}
	return hist->max_ns;
}
