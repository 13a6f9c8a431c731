/* SPDX-License-Identifier: MIT */
/* I/O queues on kernels that know less: flags of a ring, operations. */
#include <sys/stat.h>
#include <unistd.h>

#include "wrapped.h"

#include "harness.h"

struct io_uring;
struct io_uring_probe;

/* No operation is known, beyond those that are taken for granted. */
WRAPPED(struct io_uring_probe *, io_uring_get_probe_ring, struct io_uring *ring);
struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring)
{
	return NULL;
}

static int refuse(void **state, const struct tern_io_engine *engine,
		  const struct tern_io_engine_params *params)
{
	return -EINVAL;
}

static void what_a_kernel_does_not_know_has_a_fallback(void)
{
	struct tern_io_engine older = *tern_io_engine_sync();
	const struct tern_io_opts opts = {
		.size = sizeof(opts), .engine = &older, .fallback = tern_io_engine_sync()};
	struct tern_loop *loop = loop_new();
	struct tern_io_queue *queue;

	older.name = "older";
	older.open = refuse;
	ck_assert_int_eq(tern_io_queue_create(&queue, loop, &opts), 0);
	ck_assert_str_eq(tern_io_queue_engine(queue), "sync: older refused (Invalid argument)");
	ck_assert_int_eq(tern_io_queue_destroy(queue), 0);
	tern_loop_destroy(loop);
}

static int64_t do_it(struct tern_io *io)
{
	ck_assert_int_eq(tern_io_submit(io), 0);
	ck_assert_ptr_eq(tern_io_wait(io->queue), io);
	return io->result;
}

static off_t size_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_size;
}

static void a_file_is_cut_without_the_ring(void)
{
	char path[] = "/tmp/tern-older-XXXXXX";
	const struct tern_io_opts opts = {.size = sizeof(opts), .fallback = tern_io_engine_sync()};
	struct tern_loop *loop = loop_new();
	struct tern_io_queue *queue;
	struct tern_io_file file;
	struct tern_io *io;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	unlink(path);
	ck_assert_int_eq(tern_io_adopt(&file, fd, TERN_IO_BUFFERED), 0);
	ck_assert_int_eq(tern_io_queue_create(&queue, loop, &opts), 0);
	io = tern_io_get(queue);

	tern_io_prep_truncate(io, &file, 12345);
	ck_assert_int_eq(do_it(io), 0);
	ck_assert_int_eq(size_of(fd), 12345);

	file.offset_align = 512; /* as if it were direct */
	tern_io_prep_write(io, &file, 512, 100);
	io->flags = TERN_IO_TAIL;
	ck_assert_int_eq(do_it(io), 100);
	ck_assert_int_eq(size_of(fd), 612);

	tern_io_release(io);
	ck_assert_int_eq(tern_io_queue_destroy(queue), 0);
	tern_loop_destroy(loop);
	close(fd);
}

static const struct test tests[] = {
	{"an engine that says -EINVAL cannot be had, and the fallback can",
	 what_a_kernel_does_not_know_has_a_fallback},
	{"where the ring knows no truncate, files are cut all the same",
	 a_file_is_cut_without_the_ring},
};

int main(int argc, char **argv)
{
	return run_tests("io_older", tests, COUNT(tests), argc, argv);
}
