/* SPDX-License-Identifier: MIT */
/* How long the loop is away while the pool is saturated, seen by the probe outside. */
#include "bench.h"

static void done(struct item *item)
{
	system_submit(item);
}

static void on_tick(int fd)
{
	if (!probe_answer(fd))
		system_stop();
}

void ask_away(void)
{
	uint64_t first_ns = now_ns() + ask.warm_ms * 1000000;
	int fd = probe_start(first_ns, first_ns + ask.ms * 1000000);
	struct item *next;

	done_item = done;
	readable = on_tick;
	system_start();
	system_watch(fd);
	for (struct item *item = items_new(ask.window); item; item = next) {
		next = item->next_free;
		system_submit(item);
	}
	system_run();
	report_begin("away");
	report_probe();
	report_end();
}
