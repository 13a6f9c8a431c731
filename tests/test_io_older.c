/* SPDX-License-Identifier: MIT */
/* I/O queues on kernels that know less: flags of a ring, operations. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef TERN_URING
#include <liburing.h>
#endif

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

	tern_io_register(queue, &file); /* changes nothing */
	file.offset_align = 512;	/* as if it were direct */
	tern_io_prep_write(io, &file, 512, 100);
	io->flags = TERN_IO_TAIL;
	ck_assert_int_eq(do_it(io), 100);
	ck_assert_int_eq(size_of(fd), 612);

	tern_io_release(io);
	ck_assert_int_eq(tern_io_queue_destroy(queue), 0);
	tern_loop_destroy(loop);
	close(fd);
}

#ifdef TERN_URING
static unsigned polls; /* that were handed over */

/* A newer ring waits by itself where nothing can be read; an older one says -EAGAIN. */
static void read_as_before(struct io_uring *ring)
{
	for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
		struct io_uring_sqe *sqe = &ring->sq.sqes[i & ring->sq.ring_mask];

		polls += sqe->opcode == IORING_OP_POLL_ADD;
		if ((sqe->opcode == IORING_OP_READ || sqe->opcode == IORING_OP_READ_FIXED) &&
		    sqe->off == (uint64_t)-1 && !(sqe->flags & IOSQE_ASYNC))
			sqe->rw_flags = RWF_NOWAIT;
	}
}

WRAPPED(int, io_uring_submit_and_get_events, struct io_uring *ring);
int __wrap_io_uring_submit_and_get_events(struct io_uring *ring)
{
	read_as_before(ring);
	return __real_io_uring_submit_and_get_events(ring);
}

WRAPPED(int, io_uring_submit_and_wait, struct io_uring *ring, unsigned n);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned n)
{
	read_as_before(ring);
	return __real_io_uring_submit_and_wait(ring, n);
}

/* A pipe that does not block and has nothing, and a file; on a ring, or this is no place for it. */
struct scene {
	struct tern_loop *loop;
	struct tern_io_queue *queue;
	struct tern_io_file end, file;
	struct tern_io *io;
	int fds[2];
};

static bool scene_open(struct scene *s)
{
	const struct tern_io_opts opts = {.size = sizeof(opts), .depth = 1};

	s->loop = loop_new();
	if (tern_io_queue_create(&s->queue, s->loop, &opts)) {
		tern_loop_destroy(s->loop);
		return false;
	}
	ck_assert_int_eq(pipe2(s->fds, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(tern_io_adopt(&s->end, s->fds[0], TERN_IO_BUFFERED), 0);
	ck_assert_int_eq(tern_io_open(&s->file, "/proc/self/exe", O_RDONLY, 0, TERN_IO_BUFFERED),
			 0);
	s->io = tern_io_get(s->queue);
	return true;
}

static void scene_close(struct scene *s)
{
	tern_io_release(s->io);
	ck_assert_int_eq(tern_io_queue_destroy(s->queue), 0);
	tern_loop_destroy(s->loop);
	close(s->file.fd);
	close(s->fds[1]);
}

static void submit_read(struct scene *s)
{
	tern_io_prep_read(s->io, &s->end, 0, 100);
	ck_assert_int_eq(tern_io_submit(s->io), 0);
}

static void what_has_nothing_is_polled(void)
{
	struct scene s;

	if (!scene_open(&s))
		return;
	for (unsigned round = 0; round < 6; round++) {
		if (round == 3)
			ck_assert_int_eq(tern_io_register(s.queue, &s.end), 0);
		submit_read(&s);
		for (unsigned turns = 0; turns < 4; turns++)
			ck_assert_uint_eq(tern_io_poke(s.queue, 0), 0);
		ck_assert_uint_eq(polls, round + 1);
		ck_assert_int_eq(write(s.fds[1], "abc", 3), 3);
		ck_assert_ptr_eq(tern_io_wait(s.queue), s.io);
		ck_assert_int_eq(s.io->result, 3);
		ck_assert_int_eq(memcmp(s.io->buffer, "abc", 3), 0);
		tern_io_prep_read(s.io, &s.file, 0, 4);
		ck_assert_int_eq(do_it(s.io), 4);
		ck_assert_int_eq(memcmp(s.io->buffer, "\177ELF", 4), 0);
	}
	close(s.fds[0]);
	scene_close(&s);
}

static void a_poll_that_fails_is_the_result(void)
{
	struct scene s;

	if (!scene_open(&s))
		return;
	for (unsigned round = 0; round < 3; round++) {
		submit_read(&s); /* alone, it is handed over at once, and has found nothing */
		close(s.end.fd); /* so it cannot be waited for */
		ck_assert_ptr_eq(tern_io_wait(s.queue), s.io);
		ck_assert_int_eq(s.io->result, -EBADF);
		ck_assert_uint_eq(polls, 2 * round + 1);
		close(s.fds[1]);
		ck_assert_int_eq(pipe2(s.fds, O_CLOEXEC | O_NONBLOCK), 0);
		ck_assert_int_eq(tern_io_adopt(&s.end, s.fds[0], TERN_IO_BUFFERED), 0);
		submit_read(&s); /* the request is as good as new */
		ck_assert_uint_eq(tern_io_poke(s.queue, 0), 0);
		ck_assert_int_eq(write(s.fds[1], "abc", 3), 3);
		ck_assert_ptr_eq(tern_io_wait(s.queue), s.io);
		ck_assert_int_eq(s.io->result, 3);
		ck_assert_uint_eq(polls, 2 * round + 2);
	}
	close(s.fds[0]);
	scene_close(&s);
}
#endif

static const struct test tests[] = {
	{"an engine that says -EINVAL cannot be had, and the fallback can",
	 what_a_kernel_does_not_know_has_a_fallback},
	{"where the ring knows no truncate, files are cut all the same",
	 a_file_is_cut_without_the_ring},
#ifdef TERN_URING
	{"where the ring says -EAGAIN the file is polled, then read", what_has_nothing_is_polled},
	{"a poll that fails is the result, and harms no later request",
	 a_poll_that_fails_is_the_result},
#endif
};

int main(int argc, char **argv)
{
	return run_tests("io_older", tests, COUNT(tests), argc, argv);
}
