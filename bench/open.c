/* SPDX-License-Identifier: MIT */
/*
 * Open loop: items arrive when they arrive, however busy the system is. Another process writes to
 * an eventfd on a schedule; the loop submits an item for each arrival, and latency counts from when
 * the arrival was to be. Gaps are spread evenly from nothing to twice their mean.
 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Both processes step the same generator, so the schedule needs no channel. */
struct schedule {
	uint64_t next_ns, random, mean_ns;
};

enum {
	ITEMS_MAX = 65536,
	HEAD_START_NS = 10000000
};

static struct schedule arrivals;
static struct item *free_items;
static uint64_t warm_until, end_at, completed, overruns;
static bool measuring, over;
static struct mark from, to;
static struct hist hist;

static uint64_t schedule_step(struct schedule *s)
{
	uint64_t due = s->next_ns;

	s->random = s->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	s->next_ns += (s->random >> 33) * 2 * s->mean_ns >> 31;
	return due;
}

__attribute__((noreturn)) static void arrive(struct schedule s, int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		uint64_t due = schedule_step(&s), one = 1;
		struct timespec t = {
			.tv_sec = (time_t)(due / 1000000000),
			.tv_nsec = (long)(due % 1000000000),
		};
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
			;
		if (write(fd, &one, sizeof(one)) != sizeof(one))
			_exit(1);
	}
}

static void done(struct item *item)
{
	completed++;
	if (measuring && item->from_ns >= warm_until)
		hist_add(&hist, now_ns() - item->from_ns);
	item->next_free = free_items;
	free_items = item;
}

static void on_arrivals(int fd)
{
	uint64_t n, now = now_ns();

	if (read(fd, &n, sizeof(n)) != sizeof(n))
		return;
	if (!measuring && now >= warm_until) {
		measuring = true;
		mark_now(&from, completed);
	}
	while (n--) {
		struct item *item = free_items;
		uint64_t due = schedule_step(&arrivals);
		if (!item) {
			overruns++;
			continue;
		}
		free_items = item->next_free;
		item->from_ns = due;
		system_submit(item);
	}
	if (!over && now >= end_at) {
		over = true;
		mark_now(&to, completed);
		system_stop();
	}
}

void ask_open(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	pid_t child;

	if (fd < 0)
		die("eventfd");
	arrivals.mean_ns = 1000000000 / (ask.rate ? ask.rate : 1);
	arrivals.random = ask.rate;
	arrivals.next_ns = now_ns() + HEAD_START_NS;
	warm_until = arrivals.next_ns + ask.warm_ms * 1000000;
	end_at = warm_until + ask.ms * 1000000;
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		arrive(arrivals, fd);
	done_item = done;
	readable = on_arrivals;
	system_start();
	free_items = items_new(ITEMS_MAX);
	system_watch(fd);
	system_run();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	report_begin("open");
	report_span(&from, &to);
	report_hist(&hist);
	report_u64("overruns", overruns);
	report_end();
}
