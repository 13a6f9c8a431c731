/* SPDX-License-Identifier: MIT */
/*
 * Notices that clients have closed their side. The HTTP library does not look at a connection that
 * sleeps while a digest is computed for it, and misses an end that arrives together with the last
 * bytes. This watches every connection for that one event.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fileserver.h"

static void on_gone(EV_P_ ev_io *watcher, int revents)
{
	struct server *server = watcher->data;
	struct epoll_event events[64];
	int count = epoll_wait(server->gone_fd, events, 64, 0);

	for (int i = 0; i < count; i++)
		client_gone(events[i].data.ptr);
}

int gone_start(struct server *server)
{
	server->gone_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->gone_fd < 0)
		return -errno;
	ev_io_init(&server->gone_ready, on_gone, server->gone_fd, EV_READ);
	server->gone_ready.data = server;
	ev_io_start(server->ev, &server->gone_ready);
	return 0;
}

void gone_stop(struct server *server)
{
	ev_io_stop(server->ev, &server->gone_ready);
	close(server->gone_fd);
}

/*
 * Ends by itself when the connection is closed. Where the kernel has no memory for it, the client's
 * deadline will do.
 */
void gone_watch(struct client *client)
{
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = client};

	epoll_ctl(client->server->gone_fd, EPOLL_CTL_ADD, client->fd, &event);
}
