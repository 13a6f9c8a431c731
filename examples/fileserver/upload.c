/* SPDX-License-Identifier: MIT */
/*
 * PUT: a body on its way into a file. Pieces are gathered in a buffer of the queue, and a full
 * buffer is written back while the next one fills; when the queue has no room the connection
 * sleeps. At the end all writes are waited for and made durable, the file takes its place, and only
 * when that is durable too the client is told.
 *
 * What goes wrong on the way is told at the end: the rest of the body is taken in and dropped, for
 * a client that is still sending would miss an answer. A client that asks first is told at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fileserver.h"

static const char *field(struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

void upload_free(struct upload *upload)
{
	if (upload)
		free(upload->name);
	free(upload);
}

/* What can be refused without a look at the disk; 0: nothing. */
static int refuse(struct request *request)
{
	int status = path_decode(request->path, request->url);

	if (status)
		return status;
	if (page_owns(request->path)) {
		request->page = true;
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	if (field(request, MHD_HTTP_HEADER_CONTENT_RANGE))
		return MHD_HTTP_BAD_REQUEST;
	return 0;
}

/* The header is complete. */
enum MHD_Result upload_begin(struct request *request)
{
	const char *length = field(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	struct upload *upload = calloc(1, sizeof(*upload));

	if (!upload)
		return MHD_NO;
	request->upload = upload;
	upload->file.fd = upload->folder = -1;
	upload->expected = length ? strtoull(length, NULL, 10) : 0;
	upload->impatient = field(request, MHD_HTTP_HEADER_EXPECT);
	request->status = refuse(request);
	if (request->status) {
		upload->phase = UPLOAD_RECEIVING;
		return upload->impatient ? reply_status(request, request->status) : MHD_YES;
	}
	conditions_note(request);
	request->conditions.if_modified_since = NULL; /* that is for GET */
	request_submit(request, request->server->files, target_open_run);
	request_wait(request);
	return MHD_YES;
}

/* The buffer goes out; false: there is no room. last: the file ends with it, at any byte. */
static bool write_back(struct request *request, bool last)
{
	struct upload *upload = request->upload;
	struct tern_io *io = upload->io;
	int error;

	tern_io_prep_writeback(io, &upload->file, upload->offset, upload->filled);
	if (last && upload->filled % upload->file.offset_align)
		io->flags |= TERN_IO_TAIL;
	error = tern_io_submit(io);
	if (error == -EAGAIN)
		return false;
	if (error) {
		tern_io_release(io);
		upload->error = error;
	}
	upload->dirty = true;
	upload->offset += upload->filled;
	upload->filled = 0;
	upload->io = NULL;
	return true;
}

/* There is a buffer with room in it. */
static bool room_step(struct request *request)
{
	struct upload *upload = request->upload;

	if (upload->filled == UPLOAD_BUFFER_SIZE && !write_back(request, false))
		return false;
	if (!upload->io)
		upload->io = disk_get(&request->server->writes, request);
	if (!upload->io)
		return false;
	request_home(request);
	return true;
}

static void barrier_done(struct tern_io *io);

/* All that was written is over when this is. */
static bool barrier_step(struct request *request)
{
	struct tern_io *io = disk_get(&request->server->writes, request);

	if (!io)
		return false;
	tern_io_prep_barrier(io);
	return disk_submit(io, barrier_done);
}

static void sync_done(struct tern_io *io)
{
	struct request *request = io->user;
	int error = (int)io->result;

	tern_io_release(io);
	if (error < 0) {
		request->upload->error = error;
		request_home(request);
		return;
	}
	request_submit(request, request->server->files, target_commit_run);
}

static bool sync_step(struct request *request)
{
	struct tern_io *io = disk_get(&request->server->writes, request);

	if (!io)
		return false;
	tern_io_prep_fdatasync(io, &request->upload->file);
	return disk_submit(io, sync_done);
}

/* Whoever has failed, or is gone, has come to his end here. */
static void barrier_done(struct tern_io *io)
{
	struct request *request = io->user;
	struct upload *upload = request->upload;

	tern_io_release(io);
	upload->dirty = false;
	if (upload->error || !request->connection || request->abandoned)
		request_home(request);
	else
		disk_turn(&request->server->writes, request, sync_step);
}

/* The last bytes, and then the barrier. */
static bool end_step(struct request *request)
{
	struct upload *upload = request->upload;

	if (upload->filled && !write_back(request, true))
		return false;
	request->step = barrier_step;
	return barrier_step(request);
}

static void folder_done(struct tern_io *io)
{
	struct request *request = io->user;

	request->upload->error = (int)io->result;
	tern_io_release(io);
	request_home(request);
}

static bool folder_step(struct request *request)
{
	const struct tern_io_file folder = {
		.fd = request->upload->folder, .memory_align = 1, .offset_align = 1};
	struct tern_io *io = disk_get(&request->server->writes, request);

	if (!io)
		return false;
	tern_io_prep_fsync(io, &folder);
	return disk_submit(io, folder_done);
}

/* An item has come home. */
void upload_home(struct request *request)
{
	struct upload *upload = request->upload;
	struct server *server = request->server;

	if (upload->phase == UPLOAD_OPENING && upload->file.fd >= 0)
		TAILQ_INSERT_TAIL(&server->uploads, upload, link);
	if (upload->committed)
		disk_turn(&server->writes, request, folder_step);
	else
		request_home(request);
}

/* All of the body is there, or as much of it as was wanted. */
static enum MHD_Result finish(struct request *request)
{
	struct upload *upload = request->upload;

	if (upload->phase == UPLOAD_RECEIVING && !request->status && !upload->error) {
		upload->phase = UPLOAD_ENDING;
		client_busy(request->client, request);
		disk_turn(&request->server->writes, request, end_step);
		if (request->out) {
			request_wait(request);
			return MHD_YES;
		}
	}
	upload->phase = UPLOAD_OVER;
	return reply_status(request,
			    upload->error ? target_status(-upload->error) : request->status);
}

/* Returns how much of a piece was taken; less than all only when the connection is to sleep. */
static size_t take(struct request *request, const char *data, size_t size)
{
	struct upload *upload = request->upload;
	size_t taken = 0;

	while (taken < size) {
		size_t some = UPLOAD_BUFFER_SIZE - upload->filled;

		if (request->status || upload->error)
			return size;
		if (!upload->io || !some) {
			disk_turn(&request->server->writes, request, room_step);
			if (request->out)
				return taken;
			continue;
		}
		if (some > size - taken)
			some = size - taken;
		memcpy((char *)upload->io->own_buffer + upload->filled, data + taken, some);
		upload->filled += some;
		taken += some;
	}
	return taken;
}

/* As request_handle(), for a PUT: the file is open, a piece has come, the body is complete. */
enum MHD_Result upload_handle(struct request *request, const char *data, size_t *size)
{
	struct upload *upload = request->upload;
	size_t taken;

	if (request->canceled || request->abandoned)
		return MHD_NO;
	if (upload->phase == UPLOAD_OPENING) {
		upload->phase = UPLOAD_RECEIVING;
		client_receiving(request->client, 0);
		if (request->status && upload->impatient)
			return reply_status(request, request->status);
		if (!*size)
			return MHD_YES;
	}
	if (!*size)
		return finish(request);
	taken = take(request, data, *size);
	*size -= taken;
	client_receiving(request->client, taken);
	if (request->out) {
		client_busy(request->client, request);
		request_wait(request);
	}
	return MHD_YES;
}

/* True: there was still something to wait for before the file can be closed; then it comes again.
 */
bool upload_undo(struct request *request)
{
	struct upload *upload = request->upload;

	if (upload->io)
		tern_io_release(upload->io);
	upload->io = NULL;
	upload->filled = 0;
	if (upload->dirty) {
		disk_turn(&request->server->writes, request, barrier_step);
		return true;
	}
	if (upload->file.fd >= 0)
		TAILQ_REMOVE(&request->server->uploads, upload, link);
	return false;
}
