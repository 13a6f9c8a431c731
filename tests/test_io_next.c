/* SPDX-License-Identifier: MIT */
/* Order as the file sees it: positions, pipes, appending, and what a barrier makes visible. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_engines.h"

#define BLOCK 4096

static void make(struct bed *bed, bool ordered)
{
	bed_make(bed, (struct tern_io_opts){.ordered = ordered});
	bed->file = scratch_file(8 * BLOCK, TERN_IO_DIRECT_PREFER);
}

static struct tern_io_file adopt(int fd)
{
	struct tern_io_file file;

	ck_assert_int_eq(tern_io_adopt(&file, fd, TERN_IO_BUFFERED), 0);
	return file;
}

static void next_goes_on_where_the_file_stands(void)
{
	struct bed bed;
	struct tern_io *io;

	make(&bed, true);
	io = io_get(&bed);
	ck_assert_int_eq(lseek(bed.file.fd, 2 * BLOCK, SEEK_SET), 2 * BLOCK);
	tern_io_prep_read(io, &bed.file, TERN_IO_NEXT, BLOCK);
	ck_assert_int_eq(io_do(io), BLOCK);
	ck_assert(has_stamp(io->buffer, 2 * BLOCK, BLOCK, 0));
	ck_assert_int_eq(lseek(bed.file.fd, 0, SEEK_CUR), 3 * BLOCK);
	tern_io_prep_write(io, &bed.file, TERN_IO_NEXT, BLOCK);
	stamp(io->buffer, 3 * BLOCK, BLOCK, 1);
	ck_assert_int_eq(io_do(io), BLOCK);
	tern_io_prep_read(io, &bed.file, 0, BLOCK); /* at a place: moves nothing */
	ck_assert_int_eq(io_do(io), BLOCK);
	ck_assert_int_eq(lseek(bed.file.fd, 0, SEEK_CUR), 4 * BLOCK);
	tern_io_prep_read(io, &bed.file, TERN_IO_NEXT, 10 * BLOCK);
	ck_assert_int_eq(io_do(io), 4 * BLOCK);
	ck_assert_int_eq(lseek(bed.file.fd, 0, SEEK_CUR), 8 * BLOCK);
	tern_io_prep_read(io, &bed.file, TERN_IO_NEXT, BLOCK);
	ck_assert_int_eq(io_once(io), 0);
	ck_assert(file_has_stamp(bed.file.fd, 0, 3 * BLOCK, 0));
	ck_assert(file_has_stamp(bed.file.fd, 3 * BLOCK, BLOCK, 1));
	bed_end(&bed);
}

static void many_nexts_at_once_keep_their_order(void)
{
	struct bed bed;
	struct tern_io *io[32];

	make(&bed, true);
	for (unsigned i = 0; i < COUNT(io); i++) {
		io[i] = io_get(&bed);
		tern_io_prep_write(io[i], &bed.file, TERN_IO_NEXT, BLOCK);
		stamp(io[i]->buffer, (uint64_t)i * BLOCK, BLOCK, i);
		ck_assert_int_eq(tern_io_submit(io[i]), 0);
	}
	for (unsigned i = 0; i < COUNT(io); i++) {
		ck_assert_ptr_eq(tern_io_wait(bed.queue), io[i]);
		ck_assert_int_eq(io[i]->result, BLOCK);
		tern_io_release(io[i]);
		ck_assert(file_has_stamp(bed.file.fd, (uint64_t)i * BLOCK, BLOCK, i));
	}
	ck_assert_ptr_null(tern_io_wait(bed.queue));
	bed_end(&bed);
}

/* From either end: a read takes what comes first. */
static void through(int in, int out)
{
	const struct tern_io_file from = adopt(out), to = adopt(in);
	struct bed bed;
	struct tern_io *io;

	make(&bed, true);
	io = io_get(&bed);
	ck_assert(!from.seekable && !to.seekable);
	for (unsigned i = 0; i < 20; i++) {
		tern_io_prep_write(io, &to, TERN_IO_NEXT, 1000);
		stamp(io->buffer, 0, 1000, i);
		ck_assert_int_eq(io_do(io), 1000);
		tern_io_prep_read(io, &from, TERN_IO_NEXT, 600);
		ck_assert_int_eq(io_do(io), 600);
		ck_assert(has_stamp(io->buffer, 0, 600, i));
		tern_io_prep_read(io, &from, TERN_IO_NEXT, 60000);
		ck_assert_int_eq(io_do(io), 400);
		ck_assert(has_stamp(io->buffer, 600, 400, i));
	}
	close(in);
	tern_io_prep_read(io, &from, TERN_IO_NEXT, 1000);
	ck_assert_int_eq(io_once(io), 0);
	close(out);
	bed_end(&bed);
}

static void pipes_and_sockets_work(void)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	through(fds[1], fds[0]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	through(fds[1], fds[0]);
}

#define FLOW (1 << 20) /* more than a pipe holds */

/* The other end, which blocks. */
static void *take_all(void *arg)
{
	char *bytes = calloc(1, FLOW);
	size_t n = 0;

	while (n < FLOW) {
		ssize_t some = read(*(int *)arg, bytes + n, FLOW - n);

		ck_assert_int_gt(some, 0);
		n += (size_t)some;
	}
	ck_assert(has_stamp(bytes, 0, FLOW, 1));
	free(bytes);
	return NULL;
}

static void *give_all(void *arg)
{
	char *bytes = calloc(1, FLOW);

	stamp(bytes, 0, FLOW, 2);
	for (size_t n = 0; n < FLOW; n += 4096)
		ck_assert_int_eq(write(*(int *)arg, bytes + n, 4096), 4096);
	free(bytes);
	return NULL;
}

/* By the loop: valgrind lets no other thread run while one waits for a ring. */
static int64_t loop_do(struct bed *bed, struct tern_io *io)
{
	ck_assert_int_eq(tern_io_submit(io), 0);
	ck_assert_int_eq(tern_loop_run(bed->loop), 0);
	ck_assert_ptr_eq(tern_io_wait(bed->queue), io);
	return io->result;
}

static void flow(struct bed *bed, char *bytes, int *fds, int flags)
{
	struct tern_io *io = io_get(bed);
	struct tern_io_file file = adopt(fds[1]);
	pthread_t thread;

	ck_assert_int_eq(fcntl(fds[1], F_SETFL, flags), 0);
	thread = thread_new(take_all, &fds[0]);
	stamp(bytes, 0, FLOW, 1);
	tern_io_prep_write(io, &file, TERN_IO_NEXT, FLOW);
	io->buffer = bytes;
	ck_assert_int_eq(loop_do(bed, io), FLOW);
	thread_join(thread);

	ck_assert_int_eq(fcntl(fds[1], F_SETFL, 0), 0);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, flags), 0);
	file = adopt(fds[0]);
	thread = thread_new(give_all, &fds[1]);
	for (size_t n = 0; n < FLOW; n += (size_t)io->result) {
		tern_io_prep_read(io, &file, TERN_IO_NEXT, FLOW - n);
		io->buffer = bytes + n;
		ck_assert_int_gt(loop_do(bed, io), 0);
	}
	ck_assert(has_stamp(bytes, 0, FLOW, 2));
	thread_join(thread);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, 0), 0);
	tern_io_release(io);
}

/* A descriptor that would not block is waited for, as one that would. */
static void streams_are_waited_for(void)
{
	char *bytes = calloc(1, FLOW);
	struct bed bed;
	int fds[2];

	make(&bed, true);
	for (int sockets = 0; sockets <= 1; sockets++) {
		if (sockets)
			ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
					 0);
		else
			ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
		for (unsigned round = 0; round < 4; round++)
			flow(&bed, bytes, fds, round % 2 ? O_NONBLOCK : 0);
		close(fds[0]);
		close(fds[1]);
	}
	bed_end(&bed);
	free(bytes);
}

static void a_pipe_without_a_reader_is_epipe(void)
{
	struct bed bed;
	struct tern_io *io;
	struct tern_io_file file;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	make(&bed, true);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	file = adopt(fds[1]);
	io = io_get(&bed);
	tern_io_prep_write(io, &file, TERN_IO_NEXT, 100);
	ck_assert_int_eq(io_once(io), -EPIPE);
	close(fds[1]);
	bed_end(&bed);
}

static void the_last_of_ordered_writes_stands(void)
{
	struct bed bed;
	unsigned number = 0;

	make(&bed, true);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 32; i++) {
			struct tern_io *io = io_get(&bed);

			tern_io_prep_write(io, &bed.file, BLOCK, (1 + i % 3) * BLOCK);
			stamp(io->buffer, BLOCK, 3 * BLOCK, ++number);
			io->done = tern_io_release;
			ck_assert_int_eq(tern_io_submit(io), 0);
		}
		ck_assert_uint_eq(tern_io_drain(bed.queue), 32);
		ck_assert(file_has_stamp(bed.file.fd, BLOCK, 2 * BLOCK, number));
		ck_assert(file_has_stamp(bed.file.fd, 3 * BLOCK, BLOCK, number - 2));
	}
	bed_end(&bed);
}

static void after_a_barrier_reads_see_what_was_written(void)
{
	struct bed bed;

	make(&bed, false);
	for (unsigned round = 1; round <= 50; round++) {
		struct tern_io *io[17];

		for (unsigned i = 0; i < COUNT(io); i++) {
			uint64_t offset = (uint64_t)(i % 8) * BLOCK;

			io[i] = io_get(&bed);
			if (i < 8) {
				tern_io_prep_write(io[i], &bed.file, offset, BLOCK);
				stamp(io[i]->buffer, offset, BLOCK, round);
			} else if (i == 16) {
				tern_io_prep_fdatasync(io[i], &bed.file);
			} else {
				tern_io_prep_read(io[i], &bed.file, offset, BLOCK);
			}
			ck_assert_int_eq(tern_io_submit(io[i]), 0);
			if (i == 7) {
				struct tern_io *barrier = io_get(&bed);

				tern_io_prep_barrier(barrier);
				barrier->done = tern_io_release;
				ck_assert_int_eq(tern_io_submit(barrier), 0);
			}
		}
		for (struct tern_io *over; (over = tern_io_wait(bed.queue));)
			ck_assert_int_eq(over->result, over == io[16] ? 0 : BLOCK);
		for (unsigned i = 8; i < 16; i++)
			ck_assert(has_stamp(io[i]->buffer, io[i]->offset, BLOCK, round));
		for (unsigned i = 0; i < COUNT(io); i++)
			tern_io_release(io[i]);
	}
	bed_end(&bed);
}

static void appending_files_grow_at_their_end(void)
{
	struct bed bed;
	struct tern_io *io;
	struct tern_io_file file;

	make(&bed, true);
	ck_assert_int_eq(fcntl(bed.file.fd, F_SETFL, O_APPEND), 0);
	file = adopt(bed.file.fd);
	ck_assert(file.appends);
	io = io_get(&bed);
	for (unsigned i = 0; i < 10; i++) {
		tern_io_prep_write(io, &file, i % 2 ? TERN_IO_NEXT : 0, 100);
		stamp(io->buffer, 8 * BLOCK + 100 * i, 100, i);
		ck_assert_int_eq(io_do(io), 100);
	}
	tern_io_release(io);
	ck_assert(file_has_stamp(bed.file.fd, 0, 8 * BLOCK, 0));
	for (unsigned i = 0; i < 10; i++)
		ck_assert(file_has_stamp(bed.file.fd, 8 * BLOCK + 100 * i, 100, i));
	bed_end(&bed);
}

static const struct test tests[] = {
	{"TERN_IO_NEXT goes on where the file stands, and leaves it where the bytes end",
	 next_goes_on_where_the_file_stands},
	{"many TERN_IO_NEXT at once keep their order", many_nexts_at_once_keep_their_order},
	{"pipes and sockets work, and a read takes what comes first", pipes_and_sockets_work},
	{"streams are waited for, also those that do not block", streams_are_waited_for},
	{"a pipe without a reader is -EPIPE", a_pipe_without_a_reader_is_epipe},
	{"the last of ordered writes stands", the_last_of_ordered_writes_stands},
	{"after a barrier reads see what was written before",
	 after_a_barrier_reads_see_what_was_written},
	{"appending files grow at their end", appending_files_grow_at_their_end},
};

int main(int argc, char **argv)
{
	return run_io_tests("positions", tests, COUNT(tests), argc, argv);
}
