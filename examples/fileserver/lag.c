/* SPDX-License-Identifier: MIT */
/*
 * How late the loop is: a timer that is due every 10 ms tells. The longest of each second is kept
 * for a minute, so that whoever asks once a second, or has just come, misses none.
 */
#include "fileserver.h"

#define PERIOD_NS UINT64_C(10000000)
#define SECOND_NS UINT64_C(1000000000)

static void arm(struct lag *lag)
{
	lag->due_ns = clock_now_ns() + PERIOD_NS;
	tern_timer_start(lag->loop, &lag->timer, PERIOD_NS);
}

/* A lag counts in each second that it touches. */
static void note(struct lag *lag, uint64_t now_ns)
{
	uint64_t last = (now_ns - lag->start_ns) / SECOND_NS;

	for (uint64_t at = (lag->due_ns - lag->start_ns) / SECOND_NS; at <= last; at++) {
		uint64_t *slot = &lag->seconds_ns[at % (LAG_SECONDS + 1)];

		if (at > lag->second)
			*slot = 0;
		if (*slot < lag->last_ns)
			*slot = lag->last_ns;
	}
	lag->second = last;
}

static void on_lag(struct tern_timer *timer)
{
	struct lag *lag = timer->user;
	uint64_t now = clock_now_ns();

	if (now < lag->due_ns)
		now = lag->due_ns;
	lag->last_ns = now - lag->due_ns;
	if (lag->last_ns > lag->longest_ns)
		lag->longest_ns = lag->last_ns;
	note(lag, now);
	arm(lag);
}

void lag_start(struct lag *lag, struct tern_loop *loop)
{
	lag->loop = loop;
	lag->start_ns = clock_now_ns();
	tern_timer_init(&lag->timer, on_lag);
	lag->timer.user = lag;
	arm(lag);
}

void lag_stop(struct lag *lag)
{
	tern_timer_stop(&lag->timer);
}

/* The seconds that are over, the oldest first. */
void lag_print(const struct lag *lag, FILE *to)
{
	uint64_t at = lag->second > LAG_SECONDS ? lag->second - LAG_SECONDS : 0;
	const char *comma = "";

	fprintf(to, "{\"last_us\": %" PRIu64 ", \"longest_us\": %" PRIu64 ", \"per_second_us\": [",
		lag->last_ns / 1000, lag->longest_ns / 1000);
	for (; at < lag->second; at++, comma = ", ")
		fprintf(to, "%s%" PRIu64, comma, lag->seconds_ns[at % (LAG_SECONDS + 1)] / 1000);
	fputs("]}", to);
}
