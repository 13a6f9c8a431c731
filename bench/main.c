/* SPDX-License-Identifier: MIT */
/* The program around a system: reads what is asked, asks it, prints the answer. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ask ask = {
	.window = 1,
	.threads = 2,
	.threads_min = 2,
	.spin = 1,
	.idle_ms = 10000,
	.rate = 1000,
	.warm_ms = 20,
	.ms = 100,
};
void (*done_item)(struct item *item);
void (*readable)(int fd);

static const struct {
	const char *name;
	uint64_t *value;
} params[] = {
	{"window", &ask.window},
	{"threads", &ask.threads},
	{"threads_min", &ask.threads_min},
	{"spin", &ask.spin},
	{"idle_ms", &ask.idle_ms},
	{"loops", &ask.loops},
	{"sleep_us", &ask.sleep_us},
	{"latency", &ask.latency},
	{"items", &ask.items},
	{"warm_items", &ask.warm_items},
	{"rate", &ask.rate},
	{"warm_ms", &ask.warm_ms},
	{"ms", &ask.ms},
};

void run_item(struct item *item)
{
	if (ask.loops)
		burn(ask.loops);
	if (ask.sleep_us) {
		struct timespec t = {
			.tv_sec = (time_t)(ask.sleep_us / 1000000),
			.tv_nsec = (long)(ask.sleep_us % 1000000) * 1000,
		};
		while (nanosleep(&t, &t))
			;
	}
}

struct item *items_new(size_t n)
{
	char *memory = calloc(n, system_item_size);
	struct item *free_items = NULL;

	if (!memory)
		die("items");
	while (n--) {
		struct item *item = (struct item *)(memory + n * system_item_size);
		system_item_init(item);
		item->next_free = free_items;
		free_items = item;
	}
	return free_items;
}

/* How long a million rounds of burn() take: the fastest of many tries, for others may disturb. */
static void calibrate(void)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 30; i++) {
		uint64_t start = now_ns();
		burn(1000000);
		uint64_t took = now_ns() - start;
		if (took < best)
			best = took;
	}
	report_begin("calibrate");
	report_u64("ns_per_million_loops", best);
	report_end();
}

static const struct {
	const char *name;
	void (*fn)(void);
} questions[] = {
	{"closed", ask_closed}, {"open", ask_open}, {"burst", ask_burst},
	{"idle", ask_idle},	{"away", ask_away}, {"calibrate", calibrate},
};

static void read_param(const char *arg)
{
	const char *equals = strchr(arg, '=');

	for (size_t i = 0; equals && i < sizeof(params) / sizeof(params[0]); i++) {
		size_t length = strlen(params[i].name);
		if (length == (size_t)(equals - arg) && !strncmp(arg, params[i].name, length)) {
			*params[i].value = strtoull(equals + 1, NULL, 0);
			return;
		}
	}
	fprintf(stderr, "bench %s: what is \"%s\"?\n", system_name, arg);
	exit(2);
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		read_param(argv[i]);
	for (size_t i = 0; argc > 1 && i < sizeof(questions) / sizeof(questions[0]); i++) {
		if (!strcmp(argv[1], questions[i].name)) {
			questions[i].fn();
			/* Workers may be in the middle of an item: nobody waits for them. */
			_exit(0);
		}
	}
	fprintf(stderr, "usage: %s closed|open|burst|idle|away|calibrate [name=value]...\n",
		argv[0]);
	return 2;
}
