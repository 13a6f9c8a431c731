/* SPDX-License-Identifier: MIT */
/*
 * Which items are timed: a clock costs a good part of what a short item does.
 *
 * Of each row of 16 items of a worker one is timed, at a place that no pattern of theirs can be in
 * step with. For the statistics it stands for all of them, or is one of them, where items are long
 * and all are timed; that is decided before the first. So each item counts once on average,
 * whatever it tells of those to come.
 *
 * It also tells the policy how long items run. An item that ends a sleep, and a thread's first, are
 * timed too, but only for that.
 */
#include "pool.h"

#define ROW	   16
#define LONG_NS	   (4 * TERN__US) /* to read the clock twice for an item that long does not matter */
#define RUN_CAP_NS (1000 * TERN__MS)
#define RUN_WEIGHT 16

uint32_t tern__timing_rate(const struct tern_pool *p)
{
	return tern__load(&p->run_beyond_ns) < 0 ? ROW : 1;
}

bool tern__timing_decide(struct tern__worker *w)
{
	struct tern__timing *t = &w->timing;
	bool guides = w->gap.slept || !t->clock_ns;
	uint32_t place;

	t->weight = 0;
	t->left += t->skip;
	t->skip = 0;
	if (!t->left) {
		t->dice = t->dice * 1664525 + 1013904223;
		t->left = ROW;
		t->rate = TERN__STATS ? tern__timing_rate(w->pool) : ROW;
	}
	place = t->dice >> 28;
	t->chosen = --t->left == place;
	if (t->rate > 1)
		t->skip = t->left > place ? t->left - place - 1 : t->left;
	t->left -= t->skip;
	if (!t->chosen && !guides && t->rate > 1)
		return false;
	w->gap.slept = false;
	t->guides = guides || t->chosen;
	if (t->chosen || t->rate == 1)
		t->weight = t->rate;
	return true;
}

/* The mean, with which all items are timed at first: a handful is not worth an estimate. */
static void note_mean(struct tern_pool *p, uint64_t ran_ns)
{
	int64_t beyond = (int64_t)ran_ns - (int64_t)LONG_NS, mean = tern__load(&p->run_beyond_ns);

	tern__store(&p->run_beyond_ns, (int32_t)(mean + (beyond - mean) / RUN_WEIGHT));
}

/* A long item is believed at once, short ones only slowly. */
void tern__timing_note(struct tern__worker *w)
{
	struct tern_pool *p = w->pool;
	uint64_t average = tern__load(&p->run_ns), ran_ns = w->timing.run_ns;

	if (ran_ns > RUN_CAP_NS)
		ran_ns = RUN_CAP_NS;
	if (TERN__STATS && w->timing.chosen)
		note_mean(p, ran_ns);
	if (!w->timing.guides)
		return;
	if (ran_ns < average)
		ran_ns = (average * (RUN_WEIGHT - 1) + ran_ns) / RUN_WEIGHT;
	tern__store(&p->run_ns, (uint32_t)ran_ns);
}
