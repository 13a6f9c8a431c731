/* SPDX-License-Identifier: MIT */
/*
 * The two queues of disk requests, and whoever waits until there is room in one. Each has its own:
 * however much is being written, what is read need not queue behind it.
 */
#include <errno.h>

#include "fileserver.h"

#define READS	   64
#define WRITES	   32
#define WRITEBACKS 16

/* There is room again, for the one that has waited longest first. */
static void on_room(struct tern_io_queue *queue)
{
	struct disk *disk = tern_io_queue_user(queue);
	struct request *request;

	while ((request = TAILQ_FIRST(&disk->waiting))) {
		TAILQ_REMOVE(&disk->waiting, request, turn);
		if (!request->step(request)) {
			TAILQ_INSERT_HEAD(&disk->waiting, request, turn);
			return;
		}
	}
}

/*
 * Has the request take a step as soon as there is room for it. A step returns false when there is
 * none, and has done nothing then.
 */
void disk_turn(struct disk *disk, struct request *request, bool (*step)(struct request *request))
{
	request->out = true;
	request->step = step;
	if (!TAILQ_EMPTY(&disk->waiting) || !step(request))
		TAILQ_INSERT_TAIL(&disk->waiting, request, turn);
}

/* NULL: there is no room. */
struct tern_io *disk_get(struct disk *disk, struct request *request)
{
	struct tern_io *io = tern_io_get(disk->queue);

	if (io)
		io->user = request;
	return io;
}

/* False: there is no room. All other errors are told to done. */
bool disk_submit(struct tern_io *io, void (*done)(struct tern_io *io))
{
	int error;

	io->done = done;
	error = tern_io_submit(io);
	if (error == -EAGAIN) {
		tern_io_release(io);
		return false;
	}
	if (error) {
		io->result = error;
		done(io);
	}
	return true;
}

/* A file's descriptor is its own until all that is written to it is over. */
static void on_write_error(struct tern_io_queue *queue, const struct tern_io_error *error)
{
	struct disk *disk = tern_io_queue_user(queue);
	struct server *server = tern_container_of(disk, struct server, writes);
	struct upload *upload;

	disk->write_errors++;
	TAILQ_FOREACH(upload, &server->uploads, link)
	if (upload->file.fd == error->fd && !upload->error)
		upload->error = -error->error;
}

static int start(struct server *server, struct disk *disk, struct tern_io_opts *opts)
{
	const struct config *config = server->config;
	struct tern_io_engine pool;

	TAILQ_INIT(&disk->waiting);
	opts->size = sizeof(*opts);
	opts->room = on_room;
	opts->user = disk;
	if (config->inline_work) {
		opts->engine = tern_io_engine_sync();
	} else {
		tern_io_engine_pool(&pool, server->files, 0);
		opts->fallback = &pool;
		opts->engine = config->pool_engine ? &pool : NULL;
	}
	return tern_io_queue_create(&disk->queue, server->loop, opts);
}

/*
 * What is read goes where it is sent from. What is written has been gathered in the queue's own
 * buffers: one for each client, so that a slow one keeps none from the others.
 */
int disks_start(struct server *server)
{
	struct tern_io_opts reads = {
		.depth = READS, .buffer_size = TERN_NONE, .writebacks_max = TERN_NONE};
	struct tern_io_opts writes = {
		.depth = WRITES,
		.requests_max = server->config->connections + WRITES,
		.buffer_size = UPLOAD_BUFFER_SIZE,
		.writebacks_max = WRITEBACKS,
		.write_error = on_write_error,
	};
	int error = start(server, &server->reads, &reads);

	return error || !server->config->writable ? error : start(server, &server->writes, &writes);
}

/* Nothing is out. Errors of write-backs have been told to those who asked for them. */
void disks_stop(struct server *server)
{
	if (server->reads.queue)
		tern_io_queue_destroy(server->reads.queue);
	if (server->writes.queue) {
		tern_io_sync(server->writes.queue);
		tern_io_queue_destroy(server->writes.queue);
	}
}
