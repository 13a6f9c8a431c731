/* SPDX-License-Identifier: MIT */
/* tern: a loop of libev for each thread, one pool. */
#include "../scaling.h"

#include <stdlib.h>
#include <tern.h>
#include <tern/ev.h>

const char scaling_name[] = "tern";

static struct tern_pool *pool;
static uint32_t spin_us_max;

struct ours {
	struct tern_loop *loop;
	struct tern_work *items;
};

void scaling_start(unsigned threads, bool spin)
{
	struct tern_pool_opts opts = {.size = sizeof(opts)};

	spin_us_max = spin ? 0 : TERN_NONE;
	opts.threads_min = opts.threads_max = threads;
	opts.spin_us_max = spin_us_max;
	if (tern_pool_create(&pool, &opts))
		exit(2);
}

static void run(struct tern_work *work)
{
}

static void done(struct tern_work *work)
{
	struct side *side = work->user;

	if (scaling_completed(side))
		tern_pool_submit(pool, ((struct ours *)side->system)->loop, work);
}

void scaling_run(struct side *side)
{
	struct tern_loop_opts opts = {.size = sizeof(opts), .spin_us_max = spin_us_max};
	struct ev_loop *ev = ev_loop_new(0);
	struct ours ours = {.items = calloc(side->window, sizeof(*ours.items))};

	if (!ev || !ours.items || tern_loop_create_ev(&ours.loop, ev, &opts))
		exit(2);
	side->system = &ours;
	for (uint64_t i = 0; i < side->window; i++) {
		tern_work_init(&ours.items[i], run, done);
		ours.items[i].user = side;
		tern_pool_submit(pool, ours.loop, &ours.items[i]);
	}
	ev_run(ev, 0);
	tern_loop_destroy(ours.loop);
	ev_loop_destroy(ev);
	free(ours.items);
}
