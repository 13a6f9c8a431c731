/* SPDX-License-Identifier: MIT */
/*
 * What an event loop that polls tern's descriptor hears of I/O queues: all that there is to do, and
 * nothing else. With an engine of our own that is told when to be ready.
 */
#include <poll.h>
#include <tern/io.h>
#include <tern/io_engine.h>

#include "harness.h"

#define BLOCK 4096

struct slow {
	struct tern_io *held[8];
	unsigned n, flushed;
	unsigned refuses; /* so many starts return -EAGAIN */
	int wake_fd;
	bool over; /* what is held is over */
};

static struct slow slow;
static struct tern_loop *loop;
static struct tern_io_queue *queue;
static unsigned dones, rooms;

static int slow_open(void **state, const struct tern_io_engine *engine,
		     const struct tern_io_engine_params *params)
{
	slow.wake_fd = params->wake_fd;
	return 0;
}

static void slow_close(void *state)
{
}

static int slow_start(void *state, struct tern_io *io)
{
	if (slow.refuses) {
		slow.refuses--;
		return -EAGAIN;
	}
	slow.held[slow.n++] = io;
	return 0;
}

static void slow_flush(void *state)
{
	slow.flushed = slow.n;
}

static bool slow_ready(void *state)
{
	return slow.over && slow.n;
}

static void slow_reap(void *state)
{
	while (slow.n)
		tern_io_complete(slow.held[--slow.n], BLOCK);
}

static const struct tern_io_engine slow_engine = {
	.size = sizeof(slow_engine),
	.name = "slow",
	.open = slow_open,
	.close = slow_close,
	.start = slow_start,
	.flush = slow_flush,
	.ready = slow_ready,
	.reap = slow_reap,
};

static void on_done(struct tern_io *io)
{
	dones++;
	tern_io_release(io);
}

static void on_room(struct tern_io_queue *q)
{
	rooms++;
}

static void make(uint32_t requests_max)
{
	const struct tern_io_opts opts = {
		.size = sizeof(opts),
		.engine = &slow_engine,
		.requests_max = requests_max,
		.writebacks_max = 1,
		.room = on_room,
	};

	memset(&slow, 0, sizeof(slow));
	dones = rooms = 0;
	loop = loop_new();
	ck_assert_int_eq(tern_io_queue_create(&queue, loop, &opts), 0);
}

static void end(void)
{
	ck_assert_int_eq(tern_io_queue_destroy(queue), 0);
	tern_loop_destroy(loop);
}

static struct tern_io *describe(enum tern_io_op op)
{
	const struct tern_io_file file = {
		.fd = 1000, .seekable = true, .memory_align = 1, .offset_align = 1};
	struct tern_io *io = tern_io_get(queue);

	ck_assert_ptr_nonnull(io);
	if (op == TERN_IO_WRITEBACK) {
		tern_io_prep_writeback(io, &file, 0, BLOCK);
	} else {
		tern_io_prep_read(io, &file, 0, BLOCK);
		io->done = on_done;
	}
	return io;
}

static void submit(void)
{
	ck_assert_int_eq(tern_io_submit(describe(TERN_IO_READ)), 0);
}

static bool readable(void)
{
	struct pollfd p = {.fd = tern_loop_fd(loop), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void come_over(void)
{
	const uint64_t one = 1;

	slow.over = true;
	ck_assert_int_eq(write(slow.wake_fd, &one, sizeof(one)), sizeof(one));
}

/* As an event loop that never prepares. */
static void poll_until_over(unsigned n)
{
	struct pollfd p = {.fd = tern_loop_fd(loop), .events = POLLIN};

	while (dones < n) {
		ck_assert_int_eq(poll(&p, 1, -1), 1);
		tern_loop_dispatch(loop, 0);
		if (slow.flushed && !slow.over)
			come_over();
	}
}

static void without_prepare_all_is_handed_over(void)
{
	make(0);
	submit();
	submit();
	poll_until_over(2);
	slow.over = false;
	slow.flushed = 0;
	submit();
	poll_until_over(3);
	end();
}

static void what_is_put_off_alone_is_tried_again(void)
{
	make(0);
	slow.refuses = 3;
	submit();
	poll_until_over(1);
	ck_assert_uint_eq(slow.refuses, 0);
	end();
}

static void what_is_submitted_after_prepare_ends_the_poll(void)
{
	make(0);
	ck_assert_int_eq((int)tern_loop_prepare(loop), -1);
	ck_assert(!readable());
	submit();
	ck_assert(readable());
	tern_loop_prepare(loop);
	ck_assert_uint_eq(slow.flushed, 1);
	ck_assert(!readable());
	come_over();
	ck_assert_int_eq(tern_loop_run(loop), 0);
	end();
}

/* Polled by an event loop that prepares; true: it went quiet. */
static bool goes_quiet(void)
{
	for (unsigned i = 0; i < 3 && readable(); i++) {
		tern_loop_dispatch(loop, 0);
		tern_loop_prepare(loop);
	}
	return !readable();
}

static void a_wake_for_nothing_is_heard_once(void)
{
	make(0);
	tern_loop_prepare(loop);
	come_over();
	ck_assert(readable());
	ck_assert(goes_quiet());
	come_over();
	ck_assert_int_eq(tern_io_queue_destroy(queue), 0);
	ck_assert(goes_quiet());
	tern_loop_destroy(loop);
}

static void each_who_was_refused_is_told_of_room(void)
{
	struct tern_io *io[3];

	make(4);
	ck_assert_int_eq(tern_io_submit(describe(TERN_IO_WRITEBACK)), 0);
	io[0] = describe(TERN_IO_WRITEBACK);
	ck_assert_int_eq(tern_io_submit(io[0]), -EAGAIN);
	io[1] = describe(TERN_IO_READ);
	io[2] = describe(TERN_IO_READ);
	ck_assert_ptr_null(tern_io_get(queue));
	tern_io_release(io[2]);
	tern_loop_prepare(loop);
	ck_assert_uint_eq(rooms, 1); /* for a request, not for a write-back */
	come_over();
	tern_loop_prepare(loop);
	tern_loop_prepare(loop);
	ck_assert_uint_eq(rooms, 2);
	tern_io_release(io[0]);
	tern_io_release(io[1]);
	end();
}

static const struct test tests[] = {
	{"without prepare all is handed over", without_prepare_all_is_handed_over},
	{"what is put off alone is tried again", what_is_put_off_alone_is_tried_again},
	{"what is submitted after prepare ends the poll",
	 what_is_submitted_after_prepare_ends_the_poll},
	{"a wake for nothing is heard once", a_wake_for_nothing_is_heard_once},
	{"each who was refused is told of room", each_who_was_refused_is_told_of_room},
};

int main(int argc, char **argv)
{
	return run_tests("I/O by the descriptor", tests, COUNT(tests), argc, argv);
}
