/* SPDX-License-Identifier: MIT */
/* libuv: uv_fs_read and uv_fs_write on its pool. */
#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

const char system_name[] = "libuv";
const char *disk_how = "";

static uv_loop_t *loop;
static uv_fs_t *requests;
static uv_poll_t watcher;
static int watched = -1;

static void put(struct io *io);

static void on_over(uv_fs_t *request)
{
	struct io *io = request->data;

	disk_over(io, request->result);
	uv_fs_req_cleanup(request);
	put(io);
	if (!disk.flying)
		uv_stop(loop);
}

static void put(struct io *io)
{
	uv_fs_t *request = &requests[io - ios];
	uv_buf_t buffer = uv_buf_init(io->buffer, (unsigned)disk.block);

	if (!disk_next(io))
		return;
	request->data = io;
	if (disk.write)
		uv_fs_write(loop, request, disk.fd, &buffer, 1, (int64_t)io->offset, on_over);
	else
		uv_fs_read(loop, request, disk.fd, &buffer, 1, (int64_t)io->offset, on_over);
}

void disk_start(void)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)disk.threads);
	setenv("UV_THREADPOOL_SIZE", text, 1);
	loop = uv_default_loop();
	requests = calloc(disk.depth, sizeof(*requests));
	if (!loop || !requests)
		die("libuv");
}

static void on_readable(uv_poll_t *w, int status, int events)
{
	readable(watched);
}

void disk_watch(int fd)
{
	watched = fd;
	uv_poll_init(loop, &watcher, fd);
	uv_poll_start(&watcher, UV_READABLE, on_readable);
}

void disk_run(void)
{
	for (uint64_t i = 0; i < disk.depth; i++)
		put(&ios[i]);
	uv_run(loop, UV_RUN_DEFAULT);
}
