/* SPDX-License-Identifier: MIT */
/*
 * What an item costs with so many loops and so many workers: "loops=2 threads=4 window=64". Prints
 * one line of JSON, as the other questions do.
 */
#include "scaling.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOPS_MAX 64

bool scaling_stop;

static unsigned loops = 1, threads = 1, window = 64, spin = 1, warm_ms = 50, ms = 200;
static struct side sides[LOOPS_MAX];

static void read_param(const char *arg)
{
	static const struct {
		const char *name;
		unsigned *value;
	} params[] = {{"loops=", &loops}, {"threads=", &threads}, {"window=", &window},
		      {"spin=", &spin},	  {"warm_ms=", &warm_ms}, {"ms=", &ms}};

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		if (!strncmp(arg, params[i].name, strlen(params[i].name))) {
			*params[i].value =
				(unsigned)strtoul(arg + strlen(params[i].name), NULL, 10);
			return;
		}
	fprintf(stderr, "scaling: what is %s?\n", arg);
	exit(2);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void wait_ms(unsigned duration)
{
	struct timespec t = {duration / 1000, (long)(duration % 1000) * 1000000};

	while (nanosleep(&t, &t))
		;
}

static uint64_t completed(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < loops; i++)
		sum += __atomic_load_n(&sides[i].completed, __ATOMIC_RELAXED);
	return sum;
}

static void *side_main(void *arg)
{
	scaling_run(arg);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t ids[LOOPS_MAX];
	uint64_t items, wall, cpu;

	for (int i = 1; i < argc; i++)
		read_param(argv[i]);
	if (!loops || loops > LOOPS_MAX || !threads || !window)
		return 2;
	scaling_start(threads, spin);
	for (unsigned i = 0; i < loops; i++) {
		sides[i].window = window;
		if (pthread_create(&ids[i], NULL, side_main, &sides[i]))
			return 2;
	}
	wait_ms(warm_ms);
	items = completed();
	wall = clock_ns(CLOCK_MONOTONIC);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	wait_ms(ms);
	items = completed() - items;
	wall = clock_ns(CLOCK_MONOTONIC) - wall;
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	__atomic_store_n(&scaling_stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < loops; i++)
		pthread_join(ids[i], NULL);
	printf("{\"system\": \"%s\", \"question\": \"scaling\", \"wall_ns\": %" PRIu64
	       ", \"cpu_ns\": %" PRIu64 ", \"items\": %" PRIu64 "}\n",
	       scaling_name, wall, cpu, items);
	return 0;
}
