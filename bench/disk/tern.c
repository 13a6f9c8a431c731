/* SPDX-License-Identifier: MIT */
/*
 * tern's queues, with "engine=uring", pool or sync, and driven in three ways: "drive=ev", by
 * callbacks on a libev loop, as in a server; run, by callbacks in tern_loop_run; wait, without
 * callbacks.
 */
#include "disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tern.h>
#include <tern/ev.h>
#include <tern/io_engine.h>

const char system_name[] = "tern";
const char *disk_how = "";

static struct ev_loop *ev;
static struct tern_loop *loop;
static struct tern_io_queue *queue;
static struct tern_io_file file;
static ev_io watcher;
static uint32_t spin_us_max;

static void must(int error, const char *what)
{
	if (!error)
		return;
	errno = -error;
	die(what);
}

static void pool_engine(struct tern_io_engine *engine)
{
	struct tern_pool_opts opts = {.size = sizeof(opts), .spin_us_max = spin_us_max};
	struct tern_pool *pool;

	opts.threads_min = opts.threads_max = (uint32_t)disk.threads + 1; /* one for fsync */
	must(tern_pool_create(&pool, &opts), "tern_pool_create");
	tern_io_engine_pool(engine, pool, (uint32_t)disk.threads);
}

void disk_start(void)
{
	struct tern_io_engine pool;
	struct tern_loop_opts loop_opts = {.size = sizeof(loop_opts)};
	struct tern_io_opts opts = {.size = sizeof(opts)};

	loop_opts.spin_us_max = spin_us_max = ask.spin ? 0 : TERN_NONE;
	if (!strcmp(disk.drive, "ev")) {
		ev = ev_default_loop(0);
		must(tern_loop_create_ev(&loop, ev, &loop_opts), "tern_loop_create_ev");
	} else {
		must(tern_loop_create(&loop, &loop_opts), "tern_loop_create");
	}
	opts.depth = opts.requests_max = (uint32_t)disk.depth;
	opts.buffer_size = (uint32_t)disk.block;
	opts.engine = tern_io_engine_uring();
	if (!strcmp(disk.engine, "sync"))
		opts.engine = tern_io_engine_sync();
	if (!strcmp(disk.engine, "pool")) {
		pool_engine(&pool);
		opts.engine = &pool;
	}
	must(tern_io_queue_create(&queue, loop, &opts), "tern_io_queue_create");
	must(tern_io_adopt(&file, disk.fd, TERN_IO_DIRECT), "tern_io_adopt");
	/* as the ring beside it has; the other engines have no such thing */
	tern_io_register(queue, &file);
	disk_how = tern_io_queue_engine(queue);
}

static void on_readable(struct ev_loop *l, ev_io *w, int events)
{
	readable(w->fd);
}

void disk_watch(int fd)
{
	if (!ev)
		must(-ENOTSUP, "probe: no loop that watches descriptors");
	ev_io_init(&watcher, on_readable, fd, EV_READ);
	ev_io_start(ev, &watcher);
}

static void put(struct tern_io *request)
{
	struct io *io = request->user;

	if (!disk_next(io)) {
		tern_io_release(request);
		return;
	}
	if (disk.write)
		tern_io_prep_write(request, &file, io->offset, disk.block);
	else
		tern_io_prep_read(request, &file, io->offset, disk.block);
	must(tern_io_submit(request), "tern_io_submit");
}

static void on_done(struct tern_io *request)
{
	disk_over(request->user, request->result);
	put(request);
	if (!disk.flying && ev)
		ev_break(ev, EVBREAK_ALL);
}

/* The request's own buffer is also where disk_next() finds or puts what is on disk. */
static void get(struct io *io, void (*done)(struct tern_io *))
{
	struct tern_io *request = tern_io_get(queue);

	if (!request)
		must(-ENOBUFS, "tern_io_get");
	request->user = io;
	request->done = done;
	tern_io_prep_read(request, &file, 0, disk.block);
	memcpy(request->buffer, io->buffer, disk.block);
	io->buffer = request->buffer;
	put(request);
}

void disk_run(void)
{
	bool waits = !strcmp(disk.drive, "wait");
	struct tern_io *request;

	for (uint64_t i = 0; i < disk.depth; i++)
		get(&ios[i], waits ? NULL : on_done);
	if (waits) {
		while ((request = tern_io_wait(queue))) {
			disk_over(request->user, request->result);
			put(request);
		}
	} else if (ev) {
		ev_run(ev, 0);
	} else {
		must(tern_loop_run(loop), "tern_loop_run");
	}
}
