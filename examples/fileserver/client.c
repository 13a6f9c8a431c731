/* SPDX-License-Identifier: MIT */
/*
 * Connections and their deadlines. The HTTP library ends those that are silent; this ends those
 * that are merely slow: a request must arrive, and an answer be taken, in a time that was fixed
 * before.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "fileserver.h"

/* A client that takes less than this on the average is cut off. */
#define BYTES_PER_SECOND_MIN 4096

static void set_deadline(struct client *client, double seconds)
{
	client->deadline = ev_now(client->server->ev) + seconds;
}

/* The HTTP library sees the end of the connection and does the rest. */
static void cut(struct client *client)
{
	shutdown(client->fd, SHUT_RDWR);
}

static void open_client(struct server *server, struct MHD_Connection *connection, void **slot)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *client = calloc(1, sizeof(*client));

	*slot = client;
	if (!client) {
		shutdown(info->connect_fd, SHUT_RDWR);
		return;
	}
	client->server = server;
	client->fd = info->connect_fd;
	set_deadline(client, server->config->timeout_s);
	gone_watch(client);
	TAILQ_INSERT_TAIL(&server->clients, client, link);
	server->counters.connections++;
	server->counters.connections_total++;
}

void client_notify(void *cls, struct MHD_Connection *connection, void **slot,
		   enum MHD_ConnectionNotificationCode code)
{
	struct server *server = cls;
	struct client *client = *slot;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		open_client(server, connection, slot);
	} else if (client) {
		TAILQ_REMOVE(&server->clients, client, link);
		server->counters.connections--;
		free(client);
		*slot = NULL;
		server_kick(server); /* there is room again for one that waits */
	}
}

/* A request has arrived: until it is answered, time is ours. */
void client_busy(struct client *client, struct request *request)
{
	client->request = request;
	client->deadline = 0;
}

void client_sending(struct client *client, uint64_t size)
{
	set_deadline(client,
		     client->server->config->timeout_s + (double)size / BYTES_PER_SECOND_MIN);
}

/* Part of a body has come; one that comes more slowly than that is not waited for. */
void client_receiving(struct client *client, uint64_t size)
{
	if (!client->deadline)
		set_deadline(client, client->server->config->timeout_s);
	client->deadline += (double)size / BYTES_PER_SECOND_MIN;
}

void client_idle(struct client *client)
{
	client->request = NULL;
	set_deadline(client, client->server->config->timeout_s);
	if (client->server->draining)
		cut(client);
}

/*
 * The client has closed its side. A short answer is sent all the same, for it may still be read;
 * for a digest nobody is taken to wait.
 */
void client_gone(struct client *client)
{
	client->gone = true;
	if (client->request && client->request->digest)
		request_abandon(client->request);
}

/* Once a second. A client that is gone is shown to the HTTP library once more: that wakes it. */
void clients_sweep(struct server *server)
{
	double now = ev_now(server->ev);
	struct client *client;

	for (client = TAILQ_FIRST(&server->clients); client; client = TAILQ_NEXT(client, link)) {
		if (client->deadline && client->deadline < now)
			cut(client);
		else if (client->gone)
			shutdown(client->fd, SHUT_RD);
	}
}

/* Ends the connections without a request, or all of them; then their work is not wanted either. */
void clients_close(struct server *server, bool all)
{
	struct client *client;

	for (client = TAILQ_FIRST(&server->clients); client; client = TAILQ_NEXT(client, link)) {
		if (client->request && !all)
			continue;
		cut(client);
		if (client->request)
			request_abandon(client->request);
	}
}
