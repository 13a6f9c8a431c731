/* SPDX-License-Identifier: MIT */
/*
 * Closed loop: a fixed number of items is in flight, and each is submitted again when it is done.
 * Measured is the middle of the run: what starting and ending cost is left out.
 */
#include "bench.h"

static uint64_t completed, warm_until, end_at;
static unsigned until_look;
static bool measuring, over;
static struct mark from, to;
static struct hist hist;

/* Reading the clock costs as much as an item: only one in 64 does, where items cost nothing. */
enum {
	LOOK_EVERY = 64
};

static void look(uint64_t now)
{
	until_look = ask.latency ? 1 : LOOK_EVERY;
	if (!measuring && now >= warm_until) {
		measuring = true;
		mark_now(&from, completed);
	} else if (measuring && now >= end_at) {
		over = true;
		mark_now(&to, completed);
		system_stop();
	}
}

static void done(struct item *item)
{
	uint64_t now = 0;

	if (over)
		return;
	completed++;
	if (ask.latency) {
		now = now_ns();
		if (measuring)
			hist_add(&hist, now - item->from_ns);
		item->from_ns = now;
	}
	if (ask.items) {
		if (completed == ask.warm_items)
			mark_now(&from, completed);
		if (completed == ask.warm_items + ask.items) {
			over = true;
			mark_now(&to, completed);
			system_stop();
			return;
		}
	} else if (--until_look == 0) {
		look(now ? now : now_ns());
		if (over)
			return;
	}
	system_submit(item);
}

void ask_closed(void)
{
	struct item *items, *next;
	uint64_t start;

	done_item = done;
	system_start();
	items = items_new(ask.window);
	start = now_ns();
	warm_until = start + ask.warm_ms * 1000000;
	end_at = warm_until + ask.ms * 1000000;
	until_look = 1;
	mark_now(&from, 0);
	for (struct item *item = items; item; item = next) {
		next = item->next_free;
		item->from_ns = start;
		system_submit(item);
	}
	system_run();
	report_begin("closed");
	report_span(&from, &to);
	if (ask.latency)
		report_hist(&hist);
	report_end();
}
