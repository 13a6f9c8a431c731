/* SPDX-License-Identifier: MIT */
/*
 * A file's content on its way to a client: one buffer is sent while the pool fills the other. When
 * the client is faster than the disk the connection sleeps until the next buffer is there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fileserver.h"

/* [worker] Reads length bytes, or fewer where the file ends early or cannot be read. */
size_t body_fill(int fd, char *to, size_t length, uint64_t offset)
{
	size_t have = 0;

	while (have < length) {
		ssize_t got = pread(fd, to + have, length - have, (off_t)(offset + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	return have;
}

/* [worker] Reads the first chunk of the range. False: no memory, or the file is shorter by now. */
bool body_first(struct request *request, int fd)
{
	struct body *body = &request->body;
	uint64_t length = request->range.length;

	body->length = length < CHUNK_SIZE ? (size_t)length : CHUNK_SIZE;
	body->offset = request->range.first + body->length;
	body->left = length - body->length;
	if (!length)
		return true;
	body->data = malloc(body->length);
	return body->data &&
	       body_fill(fd, body->data, body->length, request->range.first) == body->length;
}

/*
 * [worker] Reads one chunk ahead. What cannot be read is missing in next_length, and then nothing
 * is left either: the reader below will notice, and the client will see the connection end.
 */
static void read_run(struct tern_work *work)
{
	struct request *request = tern_container_of(work, struct request, work);
	struct body *body = &request->body;
	size_t want = body->left < CHUNK_SIZE ? (size_t)body->left : CHUNK_SIZE;

	if (!body->next)
		body->next = malloc(CHUNK_SIZE);
	if (body->next)
		body->next_length = body_fill(request->fd, body->next, want, body->offset);
	body->offset += want;
	body->left = body->next_length == want ? body->left - want : 0;
	if (!body->left) {
		close(request->fd);
		request->fd = -1;
	}
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
		if (request->canceled || !turn(body))
			return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	length = body->length - body->used;
	if (length > max)
		length = max;
	memcpy(to, body->data + body->used, length);
	body->used += length;
	request->server->counters.bytes += length;
	if (!request->out && !body->next_length && body->left)
		request_submit(request, request->server->files, read_run);
	return (ssize_t)length;
}
