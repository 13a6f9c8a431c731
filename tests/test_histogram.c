/* SPDX-License-Identifier: MIT */
/* Inside: how long things took, in buckets, and what is read from them. */
#include <math.h>

#include "../lib/base/clock.h"
#include "../lib/base/histogram.h"
#include "harness.h"

/* As the header says it. */
static uint64_t limit_of(unsigned bucket)
{
	return bucket < 4 ? 16 * (bucket + 1) : (uint64_t)(5 + bucket % 4) << (bucket / 4 + 3);
}

static struct tern_histogram reading_of(const struct tern_histogram *h)
{
	struct tern_histogram reading = {.count = 0};

	tern__histogram_merge(&reading, h);
	return reading;
}

static void every_time_has_its_bucket(void)
{
	for (unsigned i = 0; i < TERN_HISTOGRAM_BUCKETS - 1; i++) {
		struct tern_histogram h = {.count = 0};

		tern__histogram_add(&h, limit_of(i) - 1, 1);
		ck_assert_uint_eq(h.buckets[i], 1);
		tern__histogram_add(&h, limit_of(i), 1);
		ck_assert_uint_eq(h.buckets[i + 1], 1);
		h = reading_of(&h);
		ck_assert_uint_eq(h.count, 2);
		ck_assert_uint_eq(tern_histogram_quantile(&h, 0.5), limit_of(i) - 1);
		ck_assert_uint_eq(tern_histogram_quantile(&h, 1), limit_of(i));
	}
	ck_assert_uint_gt(limit_of(TERN_HISTOGRAM_BUCKETS - 2), 120000 * TERN__MS);
}

static void the_longest_have_the_last_bucket(void)
{
	struct tern_histogram h = {.count = 0};

	tern__histogram_add(&h, 3600000 * TERN__MS, 1);
	ck_assert_uint_eq(h.buckets[TERN_HISTOGRAM_BUCKETS - 1], 1);
	h = reading_of(&h);
	ck_assert_uint_eq(tern_histogram_quantile(&h, 0), 3600000 * TERN__MS);
}

/* 1, 2, ... 10000 us: the share q took q * 10000 us at most. */
static void quantiles_are_a_quarter_too_long_at_most(void)
{
	enum {
		N = 10000
	};
	static const double q[] = {0.0001, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
	struct tern_histogram h = {.count = 0};

	for (unsigned i = 0; i < N; i++)
		tern__histogram_add(&h, (i * 7919 % N + 1) * TERN__US, 1);
	h = reading_of(&h);
	ck_assert_uint_eq(h.count, N);
	ck_assert_uint_eq(h.measured, N);
	ck_assert_uint_eq(h.sum_ns, TERN__US * N * (N + 1) / 2);
	ck_assert_uint_eq(h.longest_ns, TERN__US * N);
	for (size_t i = 0; i < COUNT(q); i++) {
		uint64_t exact = (uint64_t)(q[i] * N + 0.5) * TERN__US;

		ck_assert_uint_ge(tern_histogram_quantile(&h, q[i]), exact);
		ck_assert_uint_le(tern_histogram_quantile(&h, q[i]), exact + exact / 4);
	}
	ck_assert_uint_eq(tern_histogram_quantile(&h, 1), h.longest_ns);
}

static void quantiles_of_nonsense(void)
{
	struct tern_histogram h = {.count = 0};

	ck_assert_uint_eq(tern_histogram_quantile(&h, 0.5), 0);
	tern__histogram_add(&h, 10, 1);
	tern__histogram_add(&h, 1000, 1);
	h = reading_of(&h);
	ck_assert_uint_eq(tern_histogram_quantile(&h, 0), 15);
	ck_assert_uint_eq(tern_histogram_quantile(&h, -1), 15);
	ck_assert_uint_eq(tern_histogram_quantile(&h, (double)NAN), 15);
	ck_assert_uint_eq(tern_histogram_quantile(&h, 2), 1000);
}

static void one_that_is_timed_stands_for_others(void)
{
	struct tern_histogram h = {.count = 0};

	tern__histogram_add(&h, 100, 16);
	tern__histogram_add(&h, 1000, 1);
	h = reading_of(&h);
	ck_assert_uint_eq(h.count, 17);
	ck_assert_uint_eq(h.measured, 2);
	ck_assert_uint_eq(h.sum_ns, 2600);
	ck_assert_uint_lt(tern_histogram_quantile(&h, 16.0 / 17), 125);
	ck_assert_uint_eq(tern_histogram_quantile(&h, 16.5 / 17), 1000);
}

static void histograms_add_up(void)
{
	struct tern_histogram a = {.count = 0}, b = {.count = 0}, both = {.count = 0};

	tern__histogram_add(&a, 20, 3);
	tern__histogram_add(&b, 20, 2);
	tern__histogram_add(&b, 5000, 1);
	tern__histogram_merge(&both, &b);
	tern__histogram_merge(&both, &a);
	ck_assert_uint_eq(both.count, 6);
	ck_assert_uint_eq(both.measured, 3);
	ck_assert_uint_eq(both.sum_ns, 5100);
	ck_assert_uint_eq(both.longest_ns, 5000);
	ck_assert_uint_eq(both.buckets[1], 5);
}

static const struct test tests[] = {
	{"every time has its bucket", every_time_has_its_bucket},
	{"the longest have the last bucket", the_longest_have_the_last_bucket},
	{"quantiles are a quarter too long at most", quantiles_are_a_quarter_too_long_at_most},
	{"quantiles of nonsense", quantiles_of_nonsense},
	{"one that is timed stands for others", one_that_is_timed_stands_for_others},
	{"histograms add up", histograms_add_up},
};

int main(int argc, char **argv)
{
	return run_tests("histogram", tests, COUNT(tests), argc, argv);
}
