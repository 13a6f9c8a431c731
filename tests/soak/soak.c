/* SPDX-License-Identifier: MIT */
/*
 * Soak: a very great number of items by several threads, each with one loop after the other, on
 * pools that come and go; all at random, and at the end the accounts are exact.
 *
 *	soak [ITEMS [SECONDS [SEED]]]
 */
#include "soak.h"

#include <dirent.h>
#include <malloc.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define DRIVERS	   4
#define GROWTH_KIB 16384 /* what heaps and stacks of threads that were may keep resident */
#define KEPT_KIB   512	 /* ... and in use */
#define TELLS_S	   10
#define ENDS_NS	   (60 * UINT64_C(1000000000))

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ITEMS 200000
#else
#define ITEMS 2000000
#endif

static struct driver drivers[DRIVERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of driving */
static pthread_cond_t stopped = PTHREAD_COND_INITIALIZER;
static uint64_t seed = 1;
static uint32_t stopping, driving;

void broken(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "seed %llu: this does not hold: ", (unsigned long long)seed);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void *drive(void *arg)
{
	struct driver *d = arg;

	d->thread = pthread_self();
	while (d->left && !get(&stopping))
		live(d);
	pthread_mutex_lock(&lock);
	driving--;
	pthread_cond_signal(&stopped);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* How many entries a folder of /proc/self has, but for the one that reads it. */
static unsigned entries(const char *name)
{
	DIR *folder = opendir(name);
	unsigned n = 0;

	while (folder && readdir(folder))
		n++;
	if (folder)
		closedir(folder);
	return n;
}

static unsigned resident_kib(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %u", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

struct mark {
	unsigned threads, descriptors, resident_kib;
	size_t used;
};

static struct mark mark_now(void)
{
	malloc_trim(0);
	return (struct mark){entries("/proc/self/task"), entries("/proc/self/fd"), resident_kib(),
			     mallinfo2().uordblks};
}

/* What the drivers have not handed to a loop's life yet. */
static uint64_t left_now(void)
{
	uint64_t left = 0;

	for (int i = 0; i < DRIVERS; i++)
		left += get(&drivers[i].left);
	return left;
}

/* Waits for the drivers, and says now and then how far they are. */
static void watch(uint64_t items, uint64_t seconds, uint64_t start_ns)
{
	uint64_t told = 0, came = 0;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	pthread_mutex_lock(&lock);
	while (driving) {
		uint64_t now, rate;

		until.tv_sec++;
		while (driving && !pthread_cond_timedwait(&stopped, &lock, &until))
			;
		now = (now_ns() - start_ns) / 1000000000;
		if (seconds && now >= seconds)
			set(&stopping, 1);
		if (now < told + TELLS_S)
			continue;
		rate = (items - left_now() - came) / (now - told);
		told = now;
		came = items - left_now();
		fprintf(stderr, "%llu s: %llu items, %llu a second, %u threads, %u KiB\n",
			(unsigned long long)now, (unsigned long long)came, (unsigned long long)rate,
			entries("/proc/self/task") - 2, resident_kib());
	}
	pthread_mutex_unlock(&lock);
}

static void end_pools(struct mark before)
{
	uint64_t start = now_ns();

	places_close();
	while (get(&pools_gone) != pools_made || entries("/proc/self/task") != before.threads) {
		holds(now_ns() - start < ENDS_NS, "pools and threads end: %llu of %llu pools",
		      (unsigned long long)get(&pools_gone), (unsigned long long)pools_made);
		sched_yield();
	}
}

/* The accounts of all drivers; returns how many items there were. */
static uint64_t settle_accounts(void)
{
	struct counts all = {0};
	uint64_t items;

	for (int i = 0; i < DRIVERS; i++) {
		const struct counts *n = &drivers[i].n;

		holds(n->submitted == n->done + n->canceled + n->timed_out, "all came home");
		holds(get(&drivers[i].ran) == n->done, "what came home with status 0 has run");
		holds(get(&drivers[i].bare_ran) == n->bare, "all without done have run");
		holds(n->posts == n->posted && n->rooms == n->roomed && n->ticks == n->ticked,
		      "posts, words of room and timers came once each");
		all.submitted += n->submitted;
		all.bare += n->bare;
		all.done += n->done;
		all.canceled += n->canceled;
		all.timed_out += n->timed_out;
		all.refused += n->refused;
		all.loops += n->loops;
	}
	items = all.submitted + all.bare;
	fprintf(stderr,
		"%llu items = %llu done + %llu canceled + %llu timed out + %llu without done; "
		"%llu refused; %llu loops, %llu pools\n",
		(unsigned long long)items, (unsigned long long)all.done,
		(unsigned long long)all.canceled, (unsigned long long)all.timed_out,
		(unsigned long long)all.bare, (unsigned long long)all.refused,
		(unsigned long long)all.loops, (unsigned long long)pools_made);
	return items;
}

static void check_mark(struct mark before)
{
	struct mark after = mark_now();

	fprintf(stderr, "memory in use %zu -> %zu bytes, resident %u -> %u KiB\n", before.used,
		after.used, before.resident_kib, after.resident_kib);
	holds(after.descriptors == before.descriptors, "no descriptor stays behind: %u, %u",
	      before.descriptors, after.descriptors);
	holds(after.used <= before.used + KEPT_KIB * 1024, "no memory stays behind");
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
	holds(after.resident_kib <= before.resident_kib + GROWTH_KIB, "memory shrinks again");
#endif
}

int main(int argc, char **argv)
{
	uint64_t items = argc > 1 ? strtoull(argv[1], NULL, 0) : ITEMS;
	uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 0) : 0, start;
	pthread_t threads[DRIVERS];
	struct mark before;

	/* a sanitizer starts a thread of its own with the first one */
	driving = 1;
	holds(!pthread_create(threads, NULL, drive, &drivers[0]), "threads can be had");
	pthread_join(threads[0], NULL);
	before = mark_now();
	seed = argc > 3 ? strtoull(argv[3], NULL, 0) : seed;
	fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
	for (uint32_t i = 0; i < DRIVERS; i++) {
		drivers[i].state = (uint32_t)seed * 2654435761U + i * 40503U + 1;
		drivers[i].left = items / DRIVERS;
	}
	places_open(&drivers[0]);
	items = left_now();
	driving = DRIVERS;
	start = now_ns();
	for (int i = 0; i < DRIVERS; i++)
		holds(!pthread_create(&threads[i], NULL, drive, &drivers[i]),
		      "a thread can be started");
	watch(items, seconds, start);
	for (int i = 0; i < DRIVERS; i++)
		pthread_join(threads[i], NULL);
	end_pools(before);
	start = now_ns() - start;
	items = settle_accounts();
	check_mark(before);
	fprintf(stderr, "%llu.%03llu s, %llu ns an item\n",
		(unsigned long long)(start / 1000000000),
		(unsigned long long)(start / 1000000 % 1000),
		(unsigned long long)(start / (items ? items : 1)));
	return EXIT_SUCCESS;
}
