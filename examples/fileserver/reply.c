/* SPDX-License-Identifier: MIT */
/* Answers: the status, the header fields, and where the body comes from. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fileserver.h"

/* The server's own page asks this server and nobody else. */
static const char page_policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* What the sender copies of a body at a time. */
#define BLOCK_SIZE ((size_t)64 << 10)

static void add(struct MHD_Response *response, const char *name, const char *value)
{
	MHD_add_response_header(response, name, value);
}

/* Hands the answer over. Without memory for it, all that is left is to close the connection. */
static enum MHD_Result queue(struct request *request, int status, struct MHD_Response *response,
			     uint64_t size)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (request->server->draining || status == MHD_HTTP_BAD_REQUEST)
		add(response, MHD_HTTP_HEADER_CONNECTION, "close");
	client_sending(request->client, request->head ? 0 : size);
	result = MHD_queue_response(request->connection, (unsigned int)status, response);
	MHD_destroy_response(response);
	return result;
}

/* An answer that is complete in memory: the response holds the text, or a copy of it. */
static enum MHD_Result reply_with(struct request *request, int status, const char *type,
				  struct MHD_Response *response, size_t length)
{
	if (!response)
		return MHD_NO;
	if (!request->head)
		request->server->counters.bytes += length;
	add(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	add(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		add(response, MHD_HTTP_HEADER_ALLOW,
		    request->server->config->writable && !request->page ? "GET, HEAD, PUT"
									: "GET, HEAD");
	if (status == MHD_HTTP_MOVED_PERMANENTLY)
		add(response, MHD_HTTP_HEADER_LOCATION, request->location);
	if (status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
		char range[40];

		snprintf(range, sizeof(range), "bytes */%" PRIu64, request->file.size);
		add(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
	}
	return queue(request, status, response, length);
}

static enum MHD_Result reply_text(struct request *request, int status, char *text)
{
	size_t length = strlen(text);

	return reply_with(request, status, "text/plain",
			  MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_COPY),
			  length);
}

enum MHD_Result reply_status(struct request *request, int status)
{
	char text[80] = "";

	if (status == MHD_HTTP_NO_CONTENT)
		return reply_text(request, status, text);
	snprintf(text, sizeof(text), "%d %s\n", status,
		 MHD_get_reason_phrase_for((unsigned int)status));
	return reply_text(request, status, text);
}

/* The smallest answer, made by the loop alone: how long it takes tells how the loop is. */
enum MHD_Result reply_ping(struct request *request)
{
	char text[] = "pong\n";

	return reply_text(request, MHD_HTTP_OK, text);
}

/* A response that takes the request's buffer with it. */
static struct MHD_Response *body_response(struct request *request)
{
	struct body *body = &request->body;
	struct MHD_Response *response =
		MHD_create_response_from_buffer(body->length, body->data, MHD_RESPMEM_MUST_FREE);

	if (response)
		body->data = NULL;
	return response;
}

static enum MHD_Result reply_body(struct request *request, const char *type)
{
	return reply_with(request, MHD_HTTP_OK, type, body_response(request), request->body.length);
}

enum MHD_Result reply_stats(struct request *request)
{
	request->body.data = stats_json(request->server, &request->body.length);
	if (!request->body.data)
		return reply_status(request, MHD_HTTP_SERVICE_UNAVAILABLE);
	return reply_body(request, "application/json");
}

/* Without a body, the response still tells how long it would have been: nothing is ever read. */
static struct MHD_Response *file_response(struct request *request)
{
	bool empty = request->head || request->status == MHD_HTTP_NOT_MODIFIED;

	if (empty || request->body.left || request->body.used)
		return MHD_create_response_from_callback(
			request->range.length, empty ? 1 : BLOCK_SIZE, body_read, request, NULL);
	request->server->counters.bytes += request->body.length;
	return body_response(request);
}

static enum MHD_Result reply_file(struct request *request)
{
	const struct range *range = &request->range;
	struct MHD_Response *response = file_response(request);
	char text[80];

	if (!response)
		return MHD_NO;
	add(response, MHD_HTTP_HEADER_ETAG, request->file.etag);
	date_format(text, sizeof(text), request->file.modified);
	add(response, MHD_HTTP_HEADER_LAST_MODIFIED, text);
	if (request->status != MHD_HTTP_NOT_MODIFIED) {
		add(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
		add(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->type);
		add(response, "X-Content-Type-Options", "nosniff");
	}
	if (request->page) {
		add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
		add(response, "Content-Security-Policy", page_policy);
	}
	if (request->status == MHD_HTTP_PARTIAL_CONTENT) {
		snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first,
			 range->first + range->length - 1, request->file.size);
		add(response, MHD_HTTP_HEADER_CONTENT_RANGE, text);
	}
	return queue(request, request->status, response,
		     request->status == MHD_HTTP_NOT_MODIFIED ? 0 : range->length);
}

/* Answers with what the pool found. */
enum MHD_Result reply_found(struct request *request)
{
	int status = request->status;

	if (status == MHD_HTTP_NOT_MODIFIED || status == MHD_HTTP_PARTIAL_CONTENT)
		return reply_file(request);
	if (status != MHD_HTTP_OK)
		return reply_status(request, status);
	if (request->digest)
		return reply_body(request, "text/plain");
	if (!request->file.etag[0])
		return reply_body(request, request->type); /* a listing */
	return reply_file(request);
}
