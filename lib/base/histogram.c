/* SPDX-License-Identifier: MIT */
/*
 * Times in units of 16 ns: the first four buckets are one unit wide; from there on the place of the
 * highest bit and the two bits after it are the bucket's number.
 */
#include "histogram.h"
#include "atomic.h"

#define UNIT_SHIFT 4

static unsigned bucket_of(uint64_t ns)
{
	uint64_t units = ns >> UNIT_SHIFT;
	unsigned shift, bucket;

	if (units < 4)
		return (unsigned)units;
	shift = 61 - (unsigned)__builtin_clzll(units);
	bucket = 4 * shift + (unsigned)(units >> shift);
	return bucket < TERN_HISTOGRAM_BUCKETS ? bucket : TERN_HISTOGRAM_BUCKETS - 1;
}

/* The first time that is too long for the bucket. */
static uint64_t limit_of(unsigned bucket)
{
	if (bucket < 4)
		return (bucket + 1) << UNIT_SHIFT;
	if (bucket == TERN_HISTOGRAM_BUCKETS - 1)
		return UINT64_MAX;
	return (uint64_t)(bucket % 4 + 5) << (bucket / 4 - 1 + UNIT_SHIFT);
}

void tern__histogram_add(struct tern_histogram *h, uint64_t ns, uint32_t weight)
{
	tern__bump(&h->buckets[bucket_of(ns)], weight);
	tern__bump(&h->measured, 1u);
	tern__bump(&h->sum_ns, ns * weight);
	if (ns > tern__load(&h->longest_ns))
		tern__store(&h->longest_ns, ns);
}

void tern__histogram_merge(struct tern_histogram *to, const struct tern_histogram *from)
{
	uint64_t longest_ns = tern__load(&from->longest_ns);

	for (unsigned i = 0; i < TERN_HISTOGRAM_BUCKETS; i++) {
		uint64_t n = tern__load(&from->buckets[i]);

		to->buckets[i] += n;
		to->count += n;
	}
	to->measured += tern__load(&from->measured);
	to->sum_ns += tern__load(&from->sum_ns);
	if (longest_ns > to->longest_ns)
		to->longest_ns = longest_ns;
}

/* Which of the items in order of their times has the share q behind it, itself included: 1, ... */
static uint64_t rank_of(uint64_t count, double q)
{
	double exact;
	uint64_t rank;

	if (!(q > 0))
		return 1;
	if (q >= 1)
		return count;
	/* few shares are exact in binary: what is over by so little is what was meant */
	exact = q * (double)count;
	rank = (uint64_t)exact;
	return rank + (exact - (double)rank > exact * 1e-12);
}

uint64_t tern_histogram_quantile(const struct tern_histogram *h, double q)
{
	uint64_t rank = rank_of(h->count, q), limit;
	unsigned i;

	if (!h->count)
		return 0;
	for (i = 0; i < TERN_HISTOGRAM_BUCKETS - 1 && h->buckets[i] < rank; i++)
		rank -= h->buckets[i];
	limit = limit_of(i) - 1;
	return limit < h->longest_ns ? limit : h->longest_ns;
}
