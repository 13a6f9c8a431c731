/* SPDX-License-Identifier: MIT */
/*
 * A file's content on its way to a client: one buffer is sent while a queue fills the other. When
 * the client is faster than the disk the connection sleeps until the next buffer is there.
 *
 * Direct I/O reads whole blocks: what is in front of a range or behind it is read and not sent.
 */
#include <stdlib.h>
#include <string.h>

#include "fileserver.h"

/* What the next buffer is to hold, the bytes in front included. */
static size_t wanted(const struct body *body)
{
	return body->left < CHUNK_SIZE - body->skip ? body->skip + (size_t)body->left : CHUNK_SIZE;
}

/* The buffer read ahead becomes the one that is sent. False: there is none, the file let us down.
 */
static bool turn(struct body *body)
{
	char *sent = body->data;

	if (!body->next_length)
		return false;
	body->data = body->next;
	body->length = body->next_length;
	body->used = 0;
	body->next = sent;
	body->next_length = 0;
	return true;
}

/*
 * What could not be read is missing in next_length, and then nothing is left either: the reader
 * below will notice, and the client will see the connection end. With the first chunk there is
 * still time to say so.
 */
static void read_done(struct tern_io *io)
{
	struct request *request = io->user;
	struct body *body = &request->body;
	size_t want = wanted(body), have = io->result > 0 ? (size_t)io->result : 0;
	bool whole = have >= want;

	tern_io_release(io);
	body->next_length = whole ? want : have;
	body->offset += want;
	body->left = whole ? body->left - (want - body->skip) : 0;
	if (!body->data) {
		turn(body);
		body->used = body->skip;
		body->skip = 0;
		if (!whole)
			request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	}
	request_home(request);
}

static bool read_step(struct request *request)
{
	struct body *body = &request->body;
	struct tern_io *io = disk_get(&request->server->reads, request);
	uint64_t align = request->data.offset_align;

	if (!io)
		return false;
	tern_io_prep_read(io, &request->data, body->offset,
			  (wanted(body) + align - 1) / align * align);
	io->buffer = body->next;
	return disk_submit(io, read_done);
}

static char *get_buffer(struct request *request)
{
	struct chunks *chunks = &request->server->chunks;
	size_t size = request->body.chunks ? CHUNK_SIZE : wanted(&request->body);

	if (request->body.chunks && chunks->count)
		return chunks->kept[--chunks->count];
	if (!request->body.chunks && !request->data.direct)
		return malloc(size);
	return aligned_alloc(DISK_BLOCK, (size + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK);
}

static void put_buffer(struct request *request, char *buffer)
{
	struct chunks *chunks = &request->server->chunks;

	if (request->body.chunks && buffer && chunks->count < CHUNKS_KEPT)
		chunks->kept[chunks->count++] = buffer;
	else
		free(buffer);
}

void body_free(struct request *request)
{
	put_buffer(request, request->body.data);
	put_buffer(request, request->body.next);
}

void chunks_free(struct chunks *chunks)
{
	while (chunks->count)
		free(chunks->kept[--chunks->count]);
}

static bool read_ahead(struct request *request)
{
	struct body *body = &request->body;

	if (!body->next)
		body->next = get_buffer(request);
	if (body->next)
		disk_turn(&request->server->reads, request, read_step);
	return body->next;
}

/* The file is open: sends for the first chunk of the range. */
void body_begin(struct request *request)
{
	struct body *body = &request->body;

	body->skip = request->range.first % request->data.offset_align;
	body->offset = request->range.first - body->skip;
	body->left = request->range.length;
	body->chunks = body->left > CHUNK_SIZE - body->skip;
	if (!read_ahead(request)) {
		request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
		request_home(request);
	}
}

/* Called by the HTTP library whenever it wants more to send. */
ssize_t body_read(void *cls, uint64_t position, char *to, size_t max)
{
	struct request *request = cls;
	struct body *body = &request->body;
	size_t length;

	if (body->used == body->length) {
		if (request->out) {
			request_wait(request);
			return 0;
		}
		if (!turn(body))
			return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	length = body->length - body->used;
	if (length > max)
		length = max;
	memcpy(to, body->data + body->used, length);
	body->used += length;
	request->server->counters.bytes += length;
	if (!request->out && !body->next_length && body->left && !read_ahead(request))
		body->left = 0;
	return (ssize_t)length;
}
