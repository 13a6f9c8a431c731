/* SPDX-License-Identifier: MIT */
/* Depth: a file is read with as many reads in flight as the queue takes; each asks for the next. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tern/io.h>
#include <tern/io_engine.h>
#include <unistd.h>

#define PIECE_SIZE 65536

static struct tern_io_file file;
static uint64_t next_offset, bytes, sum;
static bool at_end;
static int error;

/* -EAGAIN: the queue holds as many as its depth says. */
static int ask(struct tern_io *io)
{
	int refused;

	tern_io_prep_read(io, &file, next_offset, PIECE_SIZE);
	refused = tern_io_submit(io);
	if (refused)
		tern_io_release(io);
	else
		next_offset += PIECE_SIZE;
	return refused;
}

/* The queue has counted the request out before it enters this, so there is room for the next. */
static void take(struct tern_io *io)
{
	const unsigned char *data = io->buffer;

	for (int64_t i = 0; i < io->result; i++)
		sum += data[i];
	if (io->result > 0)
		bytes += (uint64_t)io->result;
	if (io->result < 0)
		error = (int)io->result;
	at_end |= io->result < PIECE_SIZE; /* also where it cannot be read */
	if (at_end)
		tern_io_release(io);
	else
		error = ask(io);
}

int main(int argc, char **argv)
{
	const struct tern_io_opts opts = {.size = sizeof(opts),
					  .depth = 16,
					  .buffer_size = PIECE_SIZE,
					  .fallback = tern_io_engine_sync()};
	struct tern_io_queue *queue;
	struct tern_loop *loop;
	struct tern_io *io;

	if (tern_io_open(&file, argc > 1 ? argv[1] : "/proc/self/exe", O_RDONLY, 0,
			 TERN_IO_DIRECT_PREFER) ||
	    tern_loop_create(&loop, NULL) || tern_io_queue_create(&queue, loop, &opts))
		return 1;
	do {
		io = tern_io_get(queue);
		io->done = take;
	} while (ask(io) == 0);
	while (!at_end && !error)
		tern_io_poke(queue, 0); /* here a program would go on with work of its own */
	tern_io_drain(queue);
	if (error)
		fprintf(stderr, "depth: %s\n", strerror(-error));
	printf("%" PRIu64 " bytes, sum %" PRIu64 ", by %s, %u at a time\n", bytes, sum,
	       tern_io_queue_engine(queue), (unsigned)tern_io_depth(queue));
	tern_io_queue_destroy(queue);
	tern_loop_destroy(loop);
	return close(file.fd) | (error != 0);
}
