/* SPDX-License-Identifier: MIT */
/*
 * liburing as the only guest of a libev loop: submit before the poll, an eventfd to end it. Not a
 * peer: what a server's event loop costs a ring at least.
 */
#include "ring.h"

#include <errno.h>
#include <ev.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	TURNS_MAX = 4 /* others live on the loop, too */
};

const char system_name[] = "liburing on libev";

static struct ev_loop *loop;
static ev_prepare before_poll;
static ev_idle do_not_block;
static ev_io ring_watcher, watcher;
static int wake_fd;

static void on_idle(struct ev_loop *l, ev_idle *w, int events)
{
}

static void on_prepare(struct ev_loop *l, ev_prepare *w, int events)
{
	int turns = 0;

	do {
		int error = io_uring_submit_and_get_events(&ring);
		if (error < 0 && error != -EINTR && error != -EAGAIN && error != -EBUSY) {
			errno = -error;
			die("io_uring_enter");
		}
	} while (ring_reap() && ++turns < TURNS_MAX);
	if (turns == TURNS_MAX)
		ev_idle_start(l, &do_not_block);
	else
		ev_idle_stop(l, &do_not_block);
	if (!disk.flying)
		ev_break(l, EVBREAK_ALL);
}

/* Read before anything is reaped: what comes later makes it readable again. */
static void on_ring(struct ev_loop *l, ev_io *w, int events)
{
	uint64_t value;

	if (read(wake_fd, &value, sizeof(value)) < 0 && errno != EAGAIN)
		die("eventfd");
	io_uring_get_events(&ring);
	ring_reap();
}

static void on_readable(struct ev_loop *l, ev_io *w, int events)
{
	readable(w->fd);
}

void disk_start(void)
{
	ring_start();
	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (wake_fd < 0 || io_uring_register_eventfd(&ring, wake_fd))
		die("eventfd");
	loop = ev_default_loop(0);
	ev_io_init(&ring_watcher, on_ring, wake_fd, EV_READ);
	ev_io_start(loop, &ring_watcher);
	ev_prepare_init(&before_poll, on_prepare);
	ev_prepare_start(loop, &before_poll);
	ev_idle_init(&do_not_block, on_idle);
}

void disk_watch(int fd)
{
	ev_io_init(&watcher, on_readable, fd, EV_READ);
	ev_io_start(loop, &watcher);
}

void disk_run(void)
{
	ring_fill();
	ev_run(loop, 0);
}
