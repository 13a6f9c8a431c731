/* SPDX-License-Identifier: MIT */
/*
 * The HTTP library, libev and tern on one loop. The library keeps an epoll descriptor of its own;
 * libev watches it, and the time the library wants to be called at, and lets it run.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <tern/ev.h>
#include <unistd.h>

#include "fileserver.h"

/* What a connection may hold of header lines and of what it sends too early. */
#define HEADER_SIZE_MAX ((size_t)32 << 10)

static void http_run(struct server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	MHD_run(server->http);
	ev_timer_stop(server->ev, &server->http_due);
	if (MHD_get_timeout(server->http, &wait_ms) == MHD_YES) {
		ev_timer_set(&server->http_due, (double)wait_ms / 1e3, 0);
		ev_timer_start(server->ev, &server->http_due);
	}
	server_settle(server);
}

static void on_ready(EV_P_ ev_io *watcher, int revents)
{
	http_run(watcher->data);
}

static void on_due(EV_P_ ev_timer *watcher, int revents)
{
	http_run(watcher->data);
}

static void on_sweep(EV_P_ ev_timer *watcher, int revents)
{
	clients_sweep(watcher->data);
}

/*
 * Has the HTTP library run once more before the loop sleeps: it does not signal on its descriptor
 * that a connection was resumed, or that after one has ended it could accept again.
 */
void server_kick(struct server *server)
{
	ev_feed_event(server->ev, &server->http_ready, EV_READ);
}

/* The time to drain is over: first all clients are cut off, then a thread must be stuck. */
static void on_grace(EV_P_ ev_timer *watcher, int revents)
{
	struct server *server = watcher->data;

	if (server->cut) {
		fputs("fileserver: work is stuck, giving up\n", stderr);
		_exit(1);
	}
	server->cut = true;
	clients_close(server, true);
}

/* Requests that have arrived in full before the signal are still to be answered. */
static void take_in(struct server *server)
{
	struct pollfd ready = {.fd = server->http_ready.fd, .events = POLLIN};

	for (int round = 0; round < 64 && poll(&ready, 1, 0) > 0; round++)
		http_run(server);
}

/* Stops accepting and lets what runs come to its end. A second signal does not wait for that. */
static void on_signal(EV_P_ ev_signal *watcher, int revents)
{
	struct server *server = watcher->data;
	double grace = server->config->grace_s;

	if (server->draining) {
		ev_feed_event(EV_A_ & server->grace, EV_TIMER);
		return;
	}
	take_in(server);
	server->draining = true;
	close(MHD_quiesce_daemon(server->http));
	ev_timer_set(&server->grace, grace, grace > 1 ? grace : 1);
	ev_timer_start(EV_A_ & server->grace);
	clients_close(server, false);
	server_settle(server);
}

/* Ends the loop once a drain has nothing left to wait for. */
void server_settle(struct server *server)
{
	if (server->draining && TAILQ_EMPTY(&server->clients) && !server->requests)
		ev_break(server->ev, EVBREAK_ALL);
}

/* Paths are decoded in one place, and there once. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
	return strlen(text);
}

static int http_start(struct server *server)
{
	const struct config *config = server->config;
	int fd = listen_on(config->address, config->port);

	if (fd < 0)
		return fd;
	server->http = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_handle, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, request_completed,
		server, MHD_OPTION_NOTIFY_CONNECTION, client_notify, server,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, server, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)config->connections, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)config->timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		HEADER_SIZE_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!server->http) {
		close(fd);
		return -ENOMEM;
	}
	return fd;
}

static void watch(struct server *server)
{
	struct ev_loop *ev = server->ev;
	int fd = MHD_get_daemon_info(server->http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

	ev_io_init(&server->http_ready, on_ready, fd, EV_READ);
	ev_timer_init(&server->http_due, on_due, 0, 0);
	ev_timer_init(&server->sweep, on_sweep, 1, 1);
	ev_timer_init(&server->grace, on_grace, 0, 0);
	ev_signal_init(&server->term, on_signal, SIGTERM);
	ev_signal_init(&server->intr, on_signal, SIGINT);
	server->http_ready.data = server->http_due.data = server->sweep.data = server;
	server->grace.data = server->term.data = server->intr.data = server;
	ev_io_start(ev, &server->http_ready);
	ev_timer_start(ev, &server->sweep);
	ev_signal_start(ev, &server->term);
	ev_signal_start(ev, &server->intr);
}

/* [worker] Where there are fewer CPUs than threads the loop goes first, and long work last. */
static void be_nice(void *user)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), *(const int *)user);
}

static int pool_start(struct tern_pool **pool, const char *name, uint32_t threads, int *nice)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_max = threads,
		.name = name,
		.thread_start = be_nice,
		.user = nice,
	};

	return tern_pool_create(pool, &opts);
}

/* Short work often waits for a disk, so threads beyond the CPUs pay; long work computes. */
static int pools_start(struct server *server)
{
	const struct tern_lane_opts one_at_a_time = {
		.size = sizeof(one_at_a_time), .running_max = 1, .name = "commits"};
	static int nice_files = 5, nice_digests = 10;
	uint32_t threads = server->config->threads;
	uint32_t cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	int error;

	if (server->config->inline_work)
		return 0;
	error = pool_start(&server->files, "files", threads, &nice_files);
	if (error)
		return error;
	error = tern_lane_create(&server->commits, server->files, &one_at_a_time);
	if (error)
		return error;
	return pool_start(&server->digests, "digests", threads ? threads : cpus, &nice_digests);
}

/* Returns 0, or a negative errno; server_stop() undoes what was done in either case. */
int server_start(struct server *server, const struct config *config)
{
	int error;

	*server = (struct server){.config = config, .root = -1, .gone_fd = -1};
	TAILQ_INIT(&server->clients);
	TAILQ_INIT(&server->uploads);
	closer_start(server);
	server->root = open(config->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (server->root < 0)
		return -errno;
	error = path_open(server->root, ".");
	if (error < 0)
		return -errno;
	close(error);
	server->ev = ev_default_loop(EVFLAG_AUTO);
	if (!server->ev)
		return -ENOMEM;
	error = tern_loop_create_ev(&server->loop, server->ev, NULL);
	if (error)
		return error;
	error = pools_start(server);
	if (error)
		return error;
	error = disks_start(server);
	if (error)
		return error;
	error = gone_start(server);
	if (error)
		return error;
	error = http_start(server);
	if (error < 0)
		return error;
	watch(server);
	stats_start(server);
	lag_start(&server->lag, server->loop);
	listen_announce(error);
	return 0;
}

/* After the loop has returned: nothing is out, and whoever is still connected is idle. */
void server_stop(struct server *server)
{
	struct ev_loop *ev = server->ev;

	MHD_stop_daemon(server->http);
	if (server->http) {
		ev_io_stop(ev, &server->http_ready);
		ev_timer_stop(ev, &server->http_due);
		ev_timer_stop(ev, &server->sweep);
		ev_timer_stop(ev, &server->grace);
		ev_signal_stop(ev, &server->term);
		ev_signal_stop(ev, &server->intr);
		lag_stop(&server->lag);
	}
	if (server->gone_fd >= 0)
		gone_stop(server);
	disks_stop(server);
	chunks_free(&server->chunks);
	if (server->commits)
		tern_lane_put(server->commits);
	if (server->files)
		tern_pool_destroy(server->files);
	if (server->digests)
		tern_pool_destroy(server->digests);
	if (server->loop)
		tern_loop_destroy(server->loop);
	if (ev)
		ev_loop_destroy(ev);
	if (server->root >= 0)
		close(server->root);
}
