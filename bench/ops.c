/* SPDX-License-Identifier: MIT */
/*
 * Heap allocations of each operation that is promised to make none: 100,000 of a kind, after 10,000
 * that may fill whatever is kept. Prints a line of JSON for each kind.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <tern.h>
#include <tern/ev.h>

enum {
	AT_ONCE = 64,
	WARM = 10000,
	MEASURED = 100000
};

static struct ev_loop *ev;
static struct tern_loop *loop;
static struct tern_pool *pool;
static struct tern_work works[AT_ONCE], second[AT_ONCE], *pointers[AT_ONCE];
static struct tern_post posts[AT_ONCE];
static struct tern_timer timers[AT_ONCE];

static void (*start_round)(void);
static unsigned out;
static unsigned long operations, allocations_from, allocations_to;

/* One operation has come to its end; after the last of a round comes the next round. */
static void ended(void)
{
	unsigned long before = operations++;

	if (before == WARM)
		allocations_from = allocations();
	if (--out)
		return;
	if (operations < WARM + MEASURED) {
		out = AT_ONCE;
		start_round();
		return;
	}
	allocations_to = allocations();
	ev_break(ev, EVBREAK_ALL);
}

static void run_nothing(struct tern_work *work)
{
}

static void done(struct tern_work *work)
{
	ended();
}

static void submit(void)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		tern_work_init(&works[i], run_nothing, done);
		tern_pool_submit(pool, loop, &works[i]);
	}
}

static void submit_many(void)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		tern_work_init(&works[i], run_nothing, done);
		pointers[i] = &works[i];
	}
	tern_pool_submit_many(pool, loop, pointers, AT_ONCE);
}

static void submit_without_pool(void)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		tern_work_init(&works[i], run_nothing, done);
		tern_pool_submit(NULL, loop, &works[i]);
	}
}

static void run_and_submit(struct tern_work *work)
{
	struct tern_work *next = &second[work - works];

	tern_work_init(next, run_nothing, done);
	tern_pool_submit(pool, loop, next);
}

static void submit_from_worker(void)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		tern_work_init(&works[i], run_and_submit, NULL);
		tern_pool_submit(pool, NULL, &works[i]);
	}
}

static void submit_and_cancel(void)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		tern_work_init(&works[i], run_nothing, done);
		tern_pool_submit(pool, loop, &works[i]);
	}
	for (size_t i = 0; i < AT_ONCE; i++)
		tern_work_cancel(&works[i]);
}

static void on_post(struct tern_post *post)
{
	ended();
}

static void run_and_post(struct tern_work *work)
{
	tern_loop_post(loop, &posts[work - works]);
}

static void post_from_worker(void)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		tern_post_init(&posts[i], on_post);
		tern_work_init(&works[i], run_and_post, NULL);
		tern_pool_submit(pool, NULL, &works[i]);
	}
}

static void on_timer(struct tern_timer *timer)
{
	ended();
}

/* Each is armed, stopped, armed and moved before it fires. */
static void arm_timers(void)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		tern_timer_init(&timers[i], on_timer);
		tern_timer_start(loop, &timers[i], 1000000000);
		tern_timer_stop(&timers[i]);
		tern_timer_start(loop, &timers[i], 1000000000);
		tern_timer_start(loop, &timers[i], i * 1000);
	}
}

static const struct {
	const char *name;
	void (*fn)(void);
} kinds[] = {
	{"submit", submit},
	{"submit_many", submit_many},
	{"submit without a pool", submit_without_pool},
	{"submit from a worker", submit_from_worker},
	{"submit and cancel", submit_and_cancel},
	{"post from a worker", post_from_worker},
	{"arm, stop, move a timer", arm_timers},
};

static void on_first(struct tern_timer *timer)
{
	start_round();
}

int main(void)
{
	struct tern_pool_opts opts = {.size = sizeof(opts), .threads_min = 2, .threads_max = 2};

	ev = ev_default_loop(0);
	if (tern_loop_create_ev(&loop, ev, NULL) || tern_pool_create(&pool, &opts)) {
		fputs("bench ops: no loop or no pool\n", stderr);
		return 2;
	}
	ev_ref(ev);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct tern_timer first;
		start_round = kinds[i].fn;
		out = AT_ONCE;
		operations = 0;
		tern_timer_init(&first, on_first);
		tern_timer_start(loop, &first, 0);
		ev_run(ev, 0);
		printf("{\"system\": \"tern\", \"question\": \"ops\", \"operation\": \"%s\", "
		       "\"operations\": %d, \"allocations\": %lu}\n",
		       kinds[i].name, MEASURED, allocations_to - allocations_from);
	}
	fflush(stdout);
	tern_pool_destroy(pool);
	ev_unref(ev);
	tern_loop_destroy(loop);
	return 0;
}
