/* SPDX-License-Identifier: MIT */
/* tern on libev. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <tern.h>
#include <tern/ev.h>

struct tern_item {
	struct item item;
	struct tern_work work;
};

const char system_name[] = "tern";
const size_t system_item_size = sizeof(struct tern_item);

static struct ev_loop *ev;
static struct tern_loop *loop;
static struct tern_pool *pool;
static ev_io watcher;

static void run(struct tern_work *work)
{
	run_item(&tern_container_of(work, struct tern_item, work)->item);
}

static void done(struct tern_work *work)
{
	done_item(&tern_container_of(work, struct tern_item, work)->item);
}

static void on_readable(struct ev_loop *l, ev_io *w, int events)
{
	readable(w->fd);
}

void system_start(void)
{
	struct tern_loop_opts loop_opts = {
		.size = sizeof(loop_opts),
		.spin_us_max = ask.spin ? 0 : TERN_NONE,
	};
	struct tern_pool_opts pool_opts = {
		.size = sizeof(pool_opts),
		.spin_us_max = ask.spin ? 0 : TERN_NONE,
		.threads_min = (uint32_t)ask.threads_min,
		.threads_max = (uint32_t)ask.threads,
		.idle_ms_max = (uint32_t)ask.idle_ms,
	};
	int error;

	ev = ev_default_loop(0);
	error = tern_loop_create_ev(&loop, ev, &loop_opts);
	if (!error)
		error = tern_pool_create(&pool, &pool_opts);
	if (error) {
		errno = -error;
		die("tern");
	}
	/* Stopping is the question's decision, not a matter of having nothing to do. */
	ev_ref(ev);
}

void system_item_init(struct item *item)
{
	tern_work_init(&((struct tern_item *)item)->work, run, done);
}

void system_submit(struct item *item)
{
	tern_pool_submit(pool, loop, &((struct tern_item *)item)->work);
}

void system_watch(int fd)
{
	ev_io_init(&watcher, on_readable, fd, EV_READ);
	ev_io_start(ev, &watcher);
}

void system_run(void)
{
	ev_run(ev, 0);
}

void system_stop(void)
{
	ev_break(ev, EVBREAK_ALL);
}
