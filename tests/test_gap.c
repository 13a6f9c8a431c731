/* SPDX-License-Identifier: MIT */
/* Inside: when it is worth looking before sleeping, and what a wake is found to cost. */
#include "../lib/base/gap.h"
#include "harness.h"

#define LIMIT (40 * TERN__US)
#define SHORT (LIMIT / TERN__GAP_REACH)

/* One gap of that length, not slept through; returns how long it was to be looked. */
static uint64_t gap(struct tern__gap *g, uint64_t ns)
{
	uint64_t look_ns;

	tern__gap_begin(g, TERN__MS);
	look_ns = g->look_ns;
	tern__gap_end(g, TERN__MS + ns, NULL);
	return look_ns;
}

static void short_gaps_are_looked_through(void)
{
	struct tern__gap g = {.limit_ns = LIMIT};

	for (unsigned i = 0; i < 1000; i++)
		ck_assert_uint_eq(gap(&g, SHORT), LIMIT);
	/* one long one changes nothing for long */
	ck_assert_uint_eq(gap(&g, 1000 * TERN__MS), LIMIT);
	for (unsigned i = 0; i < 20; i++)
		gap(&g, SHORT / 2);
	ck_assert_uint_eq(gap(&g, SHORT), LIMIT);
}

static void long_ones_are_not(void)
{
	struct tern__gap g = {.limit_ns = LIMIT};

	for (unsigned i = 0; i < 50; i++)
		gap(&g, 2 * LIMIT);
	for (unsigned i = 0; i < 5000; i++)
		ck_assert_uint_eq(gap(&g, 2 * LIMIT), 0);
}

/* Where two who sleep may only be waiting for each other, it is tried several times in a row. */
static void in_between_it_is_tried(void)
{
	struct tern__gap g = {.limit_ns = LIMIT};
	unsigned tried = 0, in_a_row = 0, longest = 0;

	for (unsigned i = 0; i < 50; i++)
		gap(&g, LIMIT - TERN__US);
	for (unsigned i = 0; i < 10 * TERN__GAP_TRIAL_EVERY; i++) {
		in_a_row = gap(&g, LIMIT - TERN__US) ? in_a_row + 1 : 0;
		tried += in_a_row > 0;
		longest = in_a_row > longest ? in_a_row : longest;
	}
	ck_assert_uint_eq(longest, TERN__GAP_TRIAL_RUN);
	ck_assert_uint_eq(tried, 10 * TERN__GAP_TRIAL_RUN);
}

static void no_limit_no_look(void)
{
	struct tern__gap g = {.limit_ns = tern__gap_option(TERN_NONE)};

	for (unsigned i = 0; i < 2000; i++)
		ck_assert_uint_eq(gap(&g, 0), 0);
}

/* A sleeper's gap ends with the call, and what came after it is the price of a wake. */
static void what_a_wake_costs(void)
{
	struct tern__gap g = {.limit_ns = tern__gap_option(0)};
	uint64_t called_ns = TERN__MS + TERN__US;

	for (unsigned i = 0; i < 1000; i++) {
		tern__gap_begin(&g, TERN__MS);
		g.slept = true;
		tern__gap_end(&g, called_ns + (i % 2 ? 31 : 29) * TERN__US, &called_ns);
	}
	ck_assert_uint_ge(tern__wake_ns(), 29 * TERN__US);
	ck_assert_uint_le(tern__wake_ns(), 31 * TERN__US);
	ck_assert_uint_eq(tern__gap_limit(&g), TERN__GAP_WAKES * tern__wake_ns());
	ck_assert_uint_le(g.average_ns, TERN__US);
	/* a call from before the gap is none, and a stopped machine is no measure */
	for (unsigned i = 0; i < 1000; i++) {
		tern__gap_begin(&g, 2 * TERN__MS);
		g.slept = true;
		tern__gap_end(&g, 3 * TERN__MS, &called_ns);
	}
	ck_assert_uint_le(tern__wake_ns(), 31 * TERN__US);
	for (unsigned i = 0; i < 1000; i++)
		tern__wake_note(TERN__MS);
	ck_assert_uint_le(tern__wake_ns(), 60 * TERN__US);
	for (unsigned i = 0; i < 1000; i++)
		tern__wake_note(0);
	ck_assert_uint_ge(tern__wake_ns(), 5 * TERN__US);
}

/* Loses its CPU and keeps it, in turn, for a second or until it is to rest; returns when. */
static uint64_t yields(struct tern__gap *g, uint64_t now, uint64_t lost_us, uint64_t kept_us)
{
	for (uint64_t end = now + 1000 * TERN__MS; now < end && !tern__gap_rests(now);
	     now += (lost_us + kept_us) * TERN__US)
		tern__gap_yielded(g, now - lost_us * TERN__US, now);
	return now;
}

static void who_loses_its_cpu_rests(void)
{
	struct tern__gap g = {.limit_ns = LIMIT}, other = {.limit_ns = LIMIT};
	const uint64_t start = 1000 * TERN__MS;
	uint64_t now = yields(&g, start, 2000, 2000);

	/* soon, and not at the first */
	ck_assert_uint_gt(now, start + 8 * TERN__MS);
	ck_assert_uint_le(now, start + 20 * TERN__MS);
	/* all of the process do, until it is over */
	tern__gap_begin(&other, now);
	ck_assert_uint_eq(other.look_ns, 0);
	tern__gap_begin(&other, now + 400 * TERN__MS);
	ck_assert_uint_eq(other.look_ns, 0);
	tern__gap_begin(&other, now + 600 * TERN__MS);
	ck_assert_uint_eq(other.look_ns, LIMIT);
	/* and again, if it is still so */
	now = yields(&other, now + 600 * TERN__MS, 2000, 2000);
	ck_assert(tern__gap_rests(now));
}

static void not_for_a_little(void)
{
	struct tern__gap g = {.limit_ns = LIMIT};
	uint64_t now = 1000 * TERN__MS;

	/* short yields, however many */
	now = yields(&g, now, 400, 100);
	ck_assert(!tern__gap_rests(now));
	/* long ones, a fifth of the time */
	now = yields(&g, now, 800, 3200);
	ck_assert(!tern__gap_rests(now));
	/* the machine stood still, now and then */
	for (unsigned i = 0; i < 10; i++) {
		now += 200 * TERN__MS;
		tern__gap_yielded(&g, now - 50 * TERN__MS, now);
		ck_assert(!tern__gap_rests(now));
	}
}

static void who_shares_its_cpu_gives_way_at_once(void)
{
	struct tern__gap g = {.limit_ns = LIMIT};
	const uint64_t now = 1000 * TERN__MS;

	gap(&g, SHORT);
	tern__gap_begin(&g, now);
	ck_assert(!tern__gap_gives_way(&g, now + TERN__US));
	ck_assert(tern__gap_gives_way(&g, now + 3 * TERN__US));
	/* somebody ran */
	tern__gap_yielded(&g, now, now + 3 * TERN__US);
	tern__gap_begin(&g, now + 4 * TERN__US);
	ck_assert(tern__gap_gives_way(&g, now + 5 * TERN__US));
	/* nobody did */
	tern__gap_yielded(&g, now, now + TERN__US / 2);
	tern__gap_begin(&g, now + 4 * TERN__US);
	ck_assert(!tern__gap_gives_way(&g, now + 5 * TERN__US));
}

static const struct test tests[] = {
	{"short gaps are looked through", short_gaps_are_looked_through},
	{"long ones are not", long_ones_are_not},
	{"in between it is tried", in_between_it_is_tried},
	{"no limit, no look", no_limit_no_look},
	{"what a wake costs", what_a_wake_costs},
	{"who shares its CPU gives way at once", who_shares_its_cpu_gives_way_at_once},
	{"who loses its CPU rests", who_loses_its_cpu_rests},
	{"not for a little", not_for_a_little},
};

int main(int argc, char **argv)
{
	return run_tests("gap", tests, COUNT(tests), argc, argv);
}
