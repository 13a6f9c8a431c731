/* SPDX-License-Identifier: MIT */
/* The answer: one line of JSON, field by field. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *what)
{
	fprintf(stderr, "bench %s: %s: %s\n", system_name, what, strerror(errno));
	exit(2);
}

void mark_now(struct mark *mark, uint64_t items)
{
	mark->items = items;
	mark->allocations = allocations();
	mark->wall_ns = now_ns();
	mark->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void report_begin(const char *question)
{
	printf("{\"system\": \"%s\", \"question\": \"%s\"", system_name, question);
}

void report_u64(const char *name, uint64_t value)
{
	printf(", \"%s\": %llu", name, (unsigned long long)value);
}

void report_text(const char *name, const char *value)
{
	printf(", \"%s\": \"%s\"", name, value);
}

void report_span(const struct mark *from, const struct mark *to)
{
	report_u64("wall_ns", to->wall_ns - from->wall_ns);
	report_u64("cpu_ns", to->cpu_ns - from->cpu_ns);
	report_u64("items", to->items - from->items);
	report_u64("allocations", to->allocations - from->allocations);
}

void report_hist(const struct hist *hist)
{
	report_u64("samples", hist->count);
	report_u64("p50_ns", hist_quantile(hist, 0.5));
	report_u64("p99_ns", hist_quantile(hist, 0.99));
	report_u64("p999_ns", hist_quantile(hist, 0.999));
	report_u64("max_ns", hist->max_ns);
}

void report_end(void)
{
	puts("}");
	fflush(stdout);
}
