/* SPDX-License-Identifier: MIT */
/* What the server has done, and how late its loop is: a timer that is due every 10 ms tells. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "fileserver.h"

#define LAG_PERIOD_NS UINT64_C(10000000)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void arm(struct server *server)
{
	server->counters.lag_due_ns = now_ns() + LAG_PERIOD_NS;
	tern_timer_start(server->loop, &server->counters.lag_timer, LAG_PERIOD_NS);
}

static void on_lag(struct tern_timer *timer)
{
	struct server *server = timer->user;
	struct counters *counters = &server->counters;
	uint64_t now = now_ns();

	counters->lag_last_ns = now > counters->lag_due_ns ? now - counters->lag_due_ns : 0;
	if (counters->lag_last_ns > counters->lag_longest_ns)
		counters->lag_longest_ns = counters->lag_last_ns;
	arm(server);
}

void stats_start(struct server *server)
{
	tern_timer_init(&server->counters.lag_timer, on_lag);
	server->counters.lag_timer.user = server;
	arm(server);
}

void stats_stop(struct server *server)
{
	tern_timer_stop(&server->counters.lag_timer);
}

/* The clients of a histogram want microseconds. */
static void print_times(FILE *to, const char *name, const struct tern_histogram *times)
{
	static const double quantiles[] = {0.5, 0.9, 0.99};

	fprintf(to, ", \"%s\": {\"count\": %" PRIu64 ", \"measured\": %" PRIu64, name, times->count,
		times->measured);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		fprintf(to, ", \"p%.0f_us\": %.3f", quantiles[i] * 100,
			(double)tern_histogram_quantile(times, quantiles[i]) / 1000);
	fprintf(to, ", \"longest_us\": %.3f, \"sum_us\": %.3f}", (double)times->longest_ns / 1000,
		(double)times->sum_ns / 1000);
}

static void print_pool(FILE *to, const char *name, struct tern_pool *pool)
{
	struct tern_pool_stats stats = {.size = sizeof(stats)};

	fprintf(to, ",\n  \"%s\": ", name);
	if (!pool || tern_pool_stats(pool, &stats) < 0) {
		fputs("null", to);
		return;
	}
	fprintf(to, "{\"threads\": %" PRIu32 ", \"idle\": %" PRIu32 ", \"threads_peak\": %" PRIu32,
		stats.threads, stats.idle, stats.threads_peak);
	fprintf(to, ", \"queued\": %" PRIu32 ", \"started\": %" PRIu64 ", \"canceled\": %" PRIu64,
		stats.queued, stats.started, stats.canceled);
	fprintf(to, ", \"threads_created\": %" PRIu64 ", \"threads_exited\": %" PRIu64,
		stats.threads_created, stats.threads_exited);
	fprintf(to, ", \"threads_failed\": %" PRIu64 ", \"wakes\": %" PRIu64, stats.threads_failed,
		stats.wakes);
	fprintf(to, ", \"running\": %" PRIu32 ", \"sample\": %" PRIu32, stats.running,
		stats.sample);
	fprintf(to, ", \"searches_paid\": %" PRIu64 ", \"searches_failed\": %" PRIu64,
		stats.searches_paid, stats.searches_failed);
	print_times(to, "wait", &stats.wait);
	print_times(to, "run", &stats.run);
	fputs("}", to);
}

/* The caller frees the text. NULL: no memory. */
char *stats_json(struct server *server, size_t *length)
{
	const struct counters *counters = &server->counters;
	char *text = NULL;
	FILE *to = open_memstream(&text, length);

	if (!to)
		return NULL;
	fprintf(to, "{\n  \"requests\": %" PRIu64 ",\n  \"bytes\": %" PRIu64, counters->requests,
		counters->bytes);
	fprintf(to, ",\n  \"connections\": %" PRIu32 ",\n  \"connections_total\": %" PRIu64,
		counters->connections, counters->connections_total);
	fprintf(to, ",\n  \"work\": {\"submitted\": %" PRIu64 ", \"done\": %" PRIu64,
		counters->submitted, counters->done);
	fprintf(to, ", \"outstanding\": %" PRIu64 "}", counters->submitted - counters->done);
	print_pool(to, "files", server->files);
	print_pool(to, "digests", server->digests);
	fprintf(to, ",\n  \"lag\": {\"last_us\": %" PRIu64 ", \"longest_us\": %" PRIu64 "}\n}\n",
		counters->lag_last_ns / 1000, counters->lag_longest_ns / 1000);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
