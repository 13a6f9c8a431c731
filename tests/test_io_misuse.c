/* SPDX-License-Identifier: MIT */
/* Queues that cannot be made, and calls that only a programming error can make. */
#include "io_hand.h"

static void good_read(struct tern_io *io)
{
	const struct tern_io_file file = no_file(512);

	tern_io_prep_read(io, &file, 8192, 4096);
	io->done = tern_io_release;
}

static void options_out_of_range_make_nothing(void)
{
	static const struct tern_io_opts bad[] = {
		{.size = sizeof(size_t) - 1},
		{.size = sizeof(bad[0]), .depth = 32769},
		{.size = sizeof(bad[0]), .depth = TERN_NONE},
		{.size = sizeof(bad[0]), .depth = TERN_FOREVER},
		{.size = sizeof(bad[0]), .requests_max = (1u << 20) + 1},
		{.size = sizeof(bad[0]), .requests_max = TERN_NONE},
		{.size = sizeof(bad[0]), .buffer_size = (1u << 30) + 1},
		{.size = sizeof(bad[0]), .buffer_size = TERN_FOREVER},
		{.size = sizeof(bad[0]), .writebacks_max = TERN_FOREVER},
		{.size = sizeof(bad[0]), .stop_on_error = true},
	};
	struct tern_loop *loop = loop_new();
	struct hand hand;

	hand_init(&hand);
	for (unsigned i = 0; i < COUNT(bad); i++) {
		struct tern_io_queue *queue = (void *)&hand;
		struct tern_io_opts opts = bad[i];
		int e;

		opts.engine = &hand.table;
		e = tern_io_queue_create(&queue, loop, &opts);
		ck_assert_msg(e == -EINVAL, "row %u: %d", i, e);
		ck_assert_ptr_eq(queue, (void *)&hand);
	}
	tern_loop_destroy(loop);
}

static void options_of_a_newer_library(void)
{
	struct {
		struct tern_io_opts opts;
		uint64_t more;
	} newer = {.opts.size = sizeof(newer)};
	struct tern_loop *loop = loop_new();
	struct tern_io_queue *queue = NULL;
	struct hand hand;

	hand_init(&hand);
	newer.opts.engine = &hand.table;
	newer.more = 1;
	ck_assert_int_eq(tern_io_queue_create(&queue, loop, &newer.opts), -E2BIG);
	ck_assert_ptr_null(queue);
	newer.more = 0;
	ck_assert_int_eq(tern_io_queue_create(&queue, loop, &newer.opts), 0);
	ck_assert_int_eq(tern_io_queue_destroy(queue), 0);
	tern_loop_destroy(loop);
}

static struct tern_io *outstanding(struct bed *bed, struct hand *hand)
{
	struct tern_io *io;

	hand_bed(bed, hand, (struct tern_io_opts){0});
	io = io_get(bed);
	good_read(io);
	ck_assert_int_eq(tern_io_submit(io), 0);
	return io;
}

static void submitting_twice_is_fatal(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io = outstanding(&bed, &hand);

	expect_fatal("tern_io_submit", io);
	tern_io_submit(io);
}

static void releasing_what_is_outstanding_is_fatal(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io = outstanding(&bed, &hand);

	expect_fatal("tern_io_release", io);
	tern_io_release(io);
}

static void *submit_elsewhere(void *arg)
{
	tern_io_submit(arg);
	return NULL;
}

static void another_threads_call_is_fatal(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	turn(&bed);
	io = io_get(&bed);
	good_read(io);
	expect_fatal("tern_io_submit", NULL);
	thread_join(thread_new(submit_elsewhere, io));
}

static const struct test tests[] = {
	{"options out of range make nothing", options_out_of_range_make_nothing},
	{"options of a newer library are taken while the tail is zero", options_of_a_newer_library},
	{"fatal: submitting what is outstanding", submitting_twice_is_fatal},
	{"fatal: releasing what is outstanding", releasing_what_is_outstanding_is_fatal},
	{"fatal: a call of another thread", another_threads_call_is_fatal},
};

int main(int argc, char **argv)
{
	return run_tests("misuse of I/O", tests, COUNT(tests), argc, argv);
}
