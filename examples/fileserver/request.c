/* SPDX-License-Identifier: MIT */
/*
 * One request's life: it is read, sent to a pool and to the disk, answered when it comes home, and
 * freed when the client and they are done with it, whichever is later.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fileserver.h"

static bool has_open(const struct request *request)
{
	const struct upload *upload = request->upload;

	return request->fd >= 0 || (upload && (upload->file.fd >= 0 || upload->folder >= 0));
}

void request_free(struct request *request)
{
	struct server *server = request->server;

	digest_free(request->hash);
	upload_free(request->upload);
	free(request->location);
	body_free(request);
	free(request);
	server->requests--;
	server_settle(server);
}

/* Nobody holds the request any more. */
static void end(struct request *request)
{
	if (request->upload && upload_undo(request))
		return;
	if (has_open(request))
		closer_take(request);
	else
		request_free(request);
}

/* Nothing is out any more. */
void request_home(struct request *request)
{
	request->out = false;
	if (!request->connection) {
		end(request);
	} else if (request->waiting) {
		request->waiting = false;
		MHD_resume_connection(request->connection);
		server_kick(request->server);
	}
}

static void home(struct tern_work *work)
{
	struct request *request = tern_container_of(work, struct request, work);
	struct server *server = request->server;
	bool wanted;

	request->out = request->item_out = false;
	request->canceled = work->status == -ECANCELED;
	server->counters.done++;
	wanted = !request->canceled && request->connection;
	if (wanted && request->more && !request->abandoned)
		request_submit(request, server->digests, digest_run);
	else if (wanted && request->upload)
		upload_home(request);
	else if (wanted && request->fd >= 0 && !request->digest)
		body_begin(request);
	else
		request_home(request);
}

void request_submit(struct request *request, struct tern_pool *pool, tern_work_fn *run)
{
	struct server *server = request->server;

	request->out = request->item_out = true;
	server->counters.submitted++;
	tern_work_init(&request->work, run, home);
	if (run == target_commit_run && pool)
		tern_work_set_lane(&request->work, server->commits);
	tern_pool_submit(pool, server->loop, &request->work);
}

/* Puts the connection to sleep until what is out comes home. */
void request_wait(struct request *request)
{
	request->waiting = true;
	MHD_suspend_connection(request->connection);
}

/*
 * The answer is not wanted any more: take the item back, or have it stop when it next looks. What a
 * queue has is soon over.
 */
void request_abandon(struct request *request)
{
	request->abandoned = true;
	if (request->item_out)
		tern_work_cancel(&request->work);
}

static const char *field(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* A body would have to be read and thrown away: no request that this server answers has one. */
static bool has_body(struct MHD_Connection *connection)
{
	const char *length = field(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return field(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING) ||
	       (length && length[strspn(length, "0")]);
}

/* The header's lines are complete: takes the request in, or refuses it at once. */
static enum MHD_Result begin(struct server *server, struct MHD_Connection *connection,
			     const char *url, const char *method, void **slot)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct request *request = calloc(1, sizeof(*request) + strlen(url) + 2);

	if (!request || !info->socket_context) {
		free(request);
		return MHD_NO;
	}
	*slot = request;
	server->requests++;
	server->counters.requests++;
	request->server = server;
	request->client = info->socket_context;
	request->connection = connection;
	request->url = url;
	request->fd = -1;
	request->head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	client_busy(request->client, request);
	if (server->config->writable && strcmp(method, MHD_HTTP_METHOD_PUT) == 0)
		return upload_begin(request);
	if (!request->head && strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return reply_status(request, MHD_HTTP_METHOD_NOT_ALLOWED);
	if (has_body(connection))
		return reply_status(request, MHD_HTTP_BAD_REQUEST);
	return MHD_YES;
}

/* The header fields stay where they are until the answer is complete; nothing is copied. */
void conditions_note(struct request *request)
{
	struct MHD_Connection *connection = request->connection;

	request->conditions = (struct conditions){
		.if_match = field(connection, MHD_HTTP_HEADER_IF_MATCH),
		.if_none_match = field(connection, MHD_HTTP_HEADER_IF_NONE_MATCH),
		.if_modified_since = field(connection, MHD_HTTP_HEADER_IF_MODIFIED_SINCE),
		.if_unmodified_since = field(connection, MHD_HTTP_HEADER_IF_UNMODIFIED_SINCE),
		.range = field(connection, MHD_HTTP_HEADER_RANGE),
		.if_range = field(connection, MHD_HTTP_HEADER_IF_RANGE),
	};
}

static enum MHD_Result start(struct request *request)
{
	struct server *server = request->server;
	int status = path_decode(request->path, request->url);

	request->started = true;
	if (status)
		return reply_status(request, status);
	if (strcmp(request->path, "-/ping") == 0)
		return reply_ping(request);
	if (strcmp(request->path, "-/stats") == 0)
		return reply_stats(request);
	conditions_note(request);
	if (page_find(request))
		return reply_found(request);
	request->digest = MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND,
							"sha256", 6, NULL, NULL) == MHD_YES;
	if (request->digest && request->client->gone)
		return MHD_NO;
	request_submit(request, request->digest ? server->digests : server->files,
		       request->digest ? digest_run : open_run);
	request_wait(request);
	return MHD_YES;
}

/*
 * The HTTP library's one call for everything: when the header is complete, when the request is, and
 * again when a connection that slept has been resumed.
 */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **slot)
{
	struct request *request = *slot;

	if (!request)
		return begin(cls, connection, url, method, slot);
	if (request->upload)
		return upload_handle(request, upload, upload_size);
	if (!request->started)
		return start(request);
	if (request->canceled || request->abandoned)
		return MHD_NO;
	return reply_found(request);
}

/* The answer is complete, or the client is gone. A connection that sleeps never gets here. */
void request_completed(void *cls, struct MHD_Connection *connection, void **slot,
		       enum MHD_RequestTerminationCode code)
{
	struct request *request = *slot;

	if (!request)
		return;
	*slot = NULL;
	request->connection = NULL;
	client_idle(request->client);
	if (request->out)
		request_abandon(request);
	else
		end(request);
}
