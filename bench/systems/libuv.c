/* SPDX-License-Identifier: MIT */
/* libuv: uv_queue_work on its default loop. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct uv_item {
	struct item item;
	uv_work_t request;
};

const char system_name[] = "libuv";
const size_t system_item_size = sizeof(struct uv_item);

static uv_loop_t *loop;
static uv_async_t keep_alive;

static void work(uv_work_t *request)
{
	run_item(request->data);
}

static void after_work(uv_work_t *request, int status)
{
	done_item(request->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)poll, &fd) == 0)
		readable(fd);
}

void system_start(void)
{
	char threads[24];

	snprintf(threads, sizeof(threads), "%u", (unsigned)ask.threads);
	setenv("UV_THREADPOOL_SIZE", threads, 1);
	loop = uv_default_loop();
	uv_async_init(loop, &keep_alive, NULL);
}

void system_item_init(struct item *item)
{
	((struct uv_item *)item)->request.data = item;
}

void system_submit(struct item *item)
{
	uv_queue_work(loop, &((struct uv_item *)item)->request, work, after_work);
}

void system_watch(int fd)
{
	static uv_poll_t poll;

	uv_poll_init(loop, &poll, fd);
	uv_poll_start(&poll, UV_READABLE, on_poll);
}

void system_run(void)
{
	uv_run(loop, UV_RUN_DEFAULT);
}

void system_stop(void)
{
	uv_stop(loop);
}
