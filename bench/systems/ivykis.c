/* SPDX-License-Identifier: MIT */
/* ivykis: iv_work. */
#include "bench.h"

#include <iv.h>
#include <iv_event.h>
#include <iv_work.h>

struct iv_item {
	struct item item;
	struct iv_work_item work;
};

const char system_name[] = "ivykis";
const size_t system_item_size = sizeof(struct iv_item);

static struct iv_work_pool pool;
static struct iv_event keep_alive;
static struct iv_fd watched;

static void run(void *item)
{
	run_item(item);
}

static void done(void *item)
{
	done_item(item);
}

static void on_event(void *unused)
{
}

static void on_readable(void *unused)
{
	readable(watched.fd);
}

void system_start(void)
{
	iv_init();
	IV_EVENT_INIT(&keep_alive);
	keep_alive.handler = on_event;
	iv_event_register(&keep_alive);
	IV_WORK_POOL_INIT(&pool);
	pool.max_threads = (int)ask.threads;
	iv_work_pool_create(&pool);
}

void system_item_init(struct item *item)
{
	struct iv_work_item *work = &((struct iv_item *)item)->work;

	IV_WORK_ITEM_INIT(work);
	work->cookie = item;
	work->work = run;
	work->completion = done;
}

void system_submit(struct item *item)
{
	iv_work_pool_submit_work(&pool, &((struct iv_item *)item)->work);
}

void system_watch(int fd)
{
	IV_FD_INIT(&watched);
	watched.fd = fd;
	watched.handler_in = on_readable;
	iv_fd_register(&watched);
}

void system_run(void)
{
	iv_main();
}

void system_stop(void)
{
	iv_quit();
}
