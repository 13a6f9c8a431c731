/* SPDX-License-Identifier: MIT */
/*
 * Millions of requests that the kernel's own threads carry out, on a ring that tells of them by a
 * flag: one that is raised late must not keep the loop asking for what it has got.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <tern/io.h>
#include <tern/io_engine.h>
#include <unistd.h>

#include "harness.h"

#define DEPTH  16
#define LENGTH 4096

static unsigned left;

static struct tern_io_queue *queue_new(struct tern_loop *loop)
{
	const struct tern_io_opts opts = {
		.size = sizeof(opts), .depth = DEPTH, .buffer_size = TERN_NONE};
	struct tern_io_queue *queue;

	return tern_io_queue_create(&queue, loop, &opts) ? NULL : queue;
}

/* fallocate(2) always goes to a thread, and is done at once. */
static void ask(struct tern_io *io, const struct tern_io_file *file)
{
	tern_io_prep_allocate(io, file, 0, LENGTH);
	ck_assert_int_eq(tern_io_submit(io), 0);
}

static void fill(struct tern_io_queue *queue, struct tern_io_file *file,
		 void (*done)(struct tern_io *io))
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tern_io_adopt(file, fd, TERN_IO_BUFFERED), 0);
	for (unsigned i = 0; i < DEPTH; i++) {
		struct tern_io *io = tern_io_get(queue);

		io->done = done;
		ask(io, file);
	}
}

static void waited_for(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_io_queue *queue = queue_new(loop);
	struct tern_io_file file;
	struct tern_io *io;

	left = scaled(2000000);
	fill(queue, &file, NULL);
	while ((io = tern_io_wait(queue))) {
		ck_assert_int_eq(io->result, 0);
		if (left && left--)
			ask(io, &file);
		else
			tern_io_release(io);
	}
	close(file.fd);
	ck_assert_int_eq(tern_io_queue_destroy(queue), 0);
	tern_loop_destroy(loop);
}

static void go_on(struct tern_io *io)
{
	const struct tern_io_file file = io->file;

	ck_assert_int_eq(io->result, 0);
	if (left && left--)
		ask(io, &file);
	else
		tern_io_release(io);
}

static void on_a_loop(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_io_queue *queue = queue_new(loop);
	struct tern_io_file file;

	left = scaled(2000000);
	fill(queue, &file, go_on);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(left, 0);
	close(file.fd);
	ck_assert_int_eq(tern_io_queue_destroy(queue), 0);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"a ring whose flag is raised late is waited for", waited_for},
	{"a ring whose flag is raised late does not stop its loop", on_a_loop},
};

int main(int argc, char **argv)
{
	struct tern_loop *loop; /* checks are for tests */
	struct tern_io_queue *queue;

	if (tern_loop_create(&loop, NULL))
		return EXIT_FAILURE;
	queue = queue_new(loop);
	if (!queue) {
		puts("no io_uring here");
		return 77;
	}
	tern_io_queue_destroy(queue);
	tern_loop_destroy(loop);
	return run_tests("io", tests, COUNT(tests), argc, argv);
}
