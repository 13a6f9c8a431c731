/* SPDX-License-Identifier: MIT */
/*
 * What the server has done, as JSON. Counters run from the start; "started_unix_us" tells one run
 * of the server from the next, "uptime_us" is the clock to take rates by. "lag" is how late the
 * loop was: the last time, the longest so far, and the longest in each of the last 60 seconds that
 * are over, the oldest first. "buckets" are those of a histogram that hold items, as [limit, items]
 * with the limit in us: what two answers differ by is what ended between them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "fileserver.h"

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void stats_start(struct server *server)
{
	server->counters.started_unix_us = clock_ns(CLOCK_REALTIME) / 1000;
	server->counters.started_ns = clock_now_ns();
}

/* See struct tern_histogram; the last bucket holds what is longer, too. */
static uint64_t bucket_limit_ns(size_t at)
{
	return at < 4 ? 16 * (at + 1) : (5 + at % 4) << (at / 4 + 3);
}

static void print_buckets(FILE *to, const uint64_t *buckets)
{
	const char *comma = "";

	fputs(", \"buckets\": [", to);
	for (size_t i = 0; i < TERN_HISTOGRAM_BUCKETS; i++) {
		if (!buckets[i])
			continue;
		fprintf(to, "%s[%.3f, %" PRIu64 "]", comma, (double)bucket_limit_ns(i) / 1000,
			buckets[i]);
		comma = ", ";
	}
	fputs("]", to);
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
	fprintf(to, ", \"longest_us\": %.3f, \"sum_us\": %.3f", (double)times->longest_ns / 1000,
		(double)times->sum_ns / 1000);
	print_buckets(to, times->buckets);
	fputs("}", to);
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

/* Names go with what TERN_IO_... they are the times of. */
static void print_disk(FILE *to, const char *name, const struct disk *disk,
		       const char *const names[TERN_IO_OPS])
{
	struct tern_io_stats stats = {.size = sizeof(stats)};

	fprintf(to, ",\n  \"%s\": ", name);
	if (!disk->queue || tern_io_stats(disk->queue, &stats) < 0) {
		fputs("null", to);
		return;
	}
	fprintf(to, "{\"engine\": \"%s\"", tern_io_queue_engine(disk->queue));
	fprintf(to, ", \"outstanding\": %" PRIu32 ", \"submitted\": %" PRIu64, stats.outstanding,
		stats.submitted);
	fprintf(to, ", \"failed\": %" PRIu64 ", \"bytes\": %" PRIu64, stats.failed,
		stats.bytes_read + stats.bytes_written);
	if (names[TERN_IO_WRITEBACK])
		fprintf(to, ", \"writebacks\": %" PRIu32 ", \"write_errors\": %" PRIu64,
			stats.writebacks, disk->write_errors);
	for (int op = 0; op < TERN_IO_OPS; op++)
		if (names[op])
			print_times(to, names[op], &stats.latency[op]);
	fputs("}", to);
}

/* The caller frees the text. NULL: no memory. */
char *stats_json(struct server *server, size_t *length)
{
	static const char *const reads[TERN_IO_OPS] = {[TERN_IO_READ] = "read"};
	static const char *const writes[TERN_IO_OPS] = {
		[TERN_IO_WRITEBACK] = "write", [TERN_IO_FDATASYNC] = "sync"};
	const struct counters *counters = &server->counters;
	char *text = NULL;
	FILE *to = open_memstream(&text, length);

	if (!to)
		return NULL;
	fprintf(to, "{\n  \"started_unix_us\": %" PRIu64 ",\n  \"uptime_us\": %" PRIu64 ",\n",
		counters->started_unix_us, (clock_now_ns() - counters->started_ns) / 1000);
	fprintf(to, "  \"requests\": %" PRIu64 ",\n  \"bytes\": %" PRIu64, counters->requests,
		counters->bytes);
	fprintf(to, ",\n  \"connections\": %" PRIu32 ",\n  \"connections_total\": %" PRIu64,
		counters->connections, counters->connections_total);
	fprintf(to, ",\n  \"work\": {\"submitted\": %" PRIu64 ", \"done\": %" PRIu64,
		counters->submitted, counters->done);
	fprintf(to, ", \"outstanding\": %" PRIu64 "}", counters->submitted - counters->done);
	print_pool(to, "files", server->files);
	print_pool(to, "digests", server->digests);
	print_disk(to, "reads", &server->reads, reads);
	print_disk(to, "writes", &server->writes, writes);
	fputs(",\n  \"lag\": ", to);
	lag_print(&server->lag, to);
	fputs("\n}\n", to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
