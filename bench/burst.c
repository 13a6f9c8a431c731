/* SPDX-License-Identifier: MIT */
/*
 * Burst: as many blocking items as there may be threads, at once, to a pool that has only its least
 * threads (cold), and 50 ms after they are done again (warm: all threads sleep).
 */
#include "bench.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
	PAUSE_NS = 50000000
};

static struct item *items;
static uint64_t out, start_ns, cold_ns, warm_ns;
static int timer;

static void submit_all(void)
{
	start_ns = now_ns();
	out = ask.window;
	for (struct item *item = items; item; item = item->next_free)
		system_submit(item);
}

static void start_after(uint64_t ns)
{
	struct itimerspec t = {.it_value = {.tv_nsec = (long)ns}};

	if (timerfd_settime(timer, 0, &t, NULL))
		die("timerfd_settime");
}

static void done(struct item *item)
{
	if (--out)
		return;
	if (!cold_ns) {
		cold_ns = now_ns() - start_ns;
		start_after(PAUSE_NS);
	} else {
		warm_ns = now_ns() - start_ns;
		system_stop();
	}
}

static void on_timer(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == sizeof(n))
		submit_all();
}

void ask_burst(void)
{
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	if (timer < 0)
		die("timerfd_create");
	done_item = done;
	readable = on_timer;
	system_start();
	items = items_new(ask.window);
	system_watch(timer);
	start_after(PAUSE_NS);
	system_run();
	report_begin("burst");
	report_u64("item_ns", ask.sleep_us * 1000);
	report_u64("cold_ns", cold_ns);
	report_u64("warm_ns", warm_ns);
	report_end();
}
