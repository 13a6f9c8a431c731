/* SPDX-License-Identifier: MIT */
/*
 * Idle: after a burst there is nothing to do until standard input ends. Who asks looks meanwhile at
 * what the kernel counts of this process.
 */
#include "bench.h"

#include <stdio.h>

static uint64_t out;

static void done(struct item *item)
{
	if (--out)
		return;
	puts("idle");
	fflush(stdout);
}

static void on_end(int fd)
{
	system_stop();
}

void ask_idle(void)
{
	struct item *next;

	done_item = done;
	readable = on_end;
	system_start();
	system_watch(0);
	out = ask.window;
	for (struct item *item = items_new(ask.window); item; item = next) {
		next = item->next_free;
		system_submit(item);
	}
	system_run();
	report_begin("idle");
	report_end();
}
