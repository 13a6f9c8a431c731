/* SPDX-License-Identifier: MIT */
/* Disk requests as futures, with an engine that the test moves. */
#include "futures.h"
#include "io_hand.h"

#define BLOCK 4096

static struct tern_io *read_of(struct bed *bed, uint64_t block)
{
	const struct tern_io_file file = no_file(1);
	struct tern_io *io = io_get(bed);

	tern_io_prep_read(io, &file, block * BLOCK, BLOCK);
	return io;
}

static void a_request_comes_home_as_a_result(void)
{
	static const int64_t results[] = {BLOCK, 100, -EIO};
	struct tern_future_run run;
	struct tern_io_future f;
	struct came came = {.dones = 0};
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, (struct tern_io_opts){.depth = 4});
	ck_assert_int_eq(tern_loop_run(bed.loop), 0);
	for (unsigned i = 0; i < COUNT(results); i++) {
		struct tern_io *io = read_of(&bed, i);

		tern_io_future_init(&f, io);
		ck_assert(tern_future_has_property(&f.future, TERN_FUTURE_ASYNC));
		ck_assert_int_eq(tern_future_run(&run, bed.loop, &f.future, note_came, &came), 0);
		ck_assert_uint_eq(tern_io_outstanding(bed.queue), 1);
		turn(&bed);
		ck_assert_uint_eq(came.dones, i);
		hand_complete(&hand, 0, results[i]);
		if (results[i] == 100) { /* the end of the file */
			turn(&bed);
			hand_complete(&hand, 0, 0);
		}
		ck_assert_int_eq(tern_loop_run(bed.loop), 0);
		ck_assert_uint_eq(came.dones, i + 1);
		ck_assert_int_eq(came.result, results[i]);
		tern_io_release(io);
	}
	bed_end(&bed);
}

static void a_full_queue_is_awaited(void)
{
	struct tern_future_run run[3];
	struct tern_io_future f[3];
	struct came came = {.dones = 0};
	uint64_t later = now_ns() + 5 * MS;
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, (struct tern_io_opts){.depth = 1, .requests_max = 3});
	for (unsigned i = 0; i < 3; i++) {
		tern_io_future_init(&f[i], read_of(&bed, i));
		ck_assert_int_eq(tern_future_run(&run[i], bed.loop, &f[i].future, note_came, &came),
				 0);
	}
	loop_until(bed.loop, is_past, &later);
	ck_assert_uint_eq(hand.starts, 1);
	ck_assert_int_eq(f[1].future.state, TERN_FUTURE_IDLE);
	tern_future_run_cancel(&run[2]); /* it has not been submitted */
	while (came.dones < 3) {
		if (hand.n)
			hand_complete(&hand, 0, BLOCK);
		turn(&bed);
	}
	ck_assert_int_eq(f[0].future.result, BLOCK);
	ck_assert_int_eq(f[1].future.result, BLOCK);
	ck_assert_int_eq(f[2].future.result, -ECANCELED);
	ck_assert_uint_eq(hand.starts, 2);
	for (unsigned i = 0; i < 3; i++)
		tern_io_release(f[i].io);
	bed_end(&bed);
}

static void what_cannot_be_submitted_says_why(void)
{
	struct tern_io_future f;
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	tern_io_future_init(&f, read_of(&bed, 0));
	f.io->op = 99;
	ck_assert_int_eq(tern_future_poll(&f.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(f.future.result, -EINVAL);
	ck_assert_ptr_nonnull(f.io->refused);
	tern_io_release(f.io);
	bed_end(&bed);
}

static void cancel_in_each_state(void)
{
	struct tern_future_run run;
	struct tern_io_future f;
	struct came came = {.dones = 0};
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	ck_assert_int_eq(tern_loop_run(bed.loop), 0);
	tern_io_future_init(&f, read_of(&bed, 0));
	tern_future_cancel(&f.future);
	ck_assert_int_eq(tern_future_poll(&f.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(f.future.result, -ECANCELED);
	ck_assert_uint_eq(hand.starts, 0);
	for (int takes_back = 0; takes_back <= 1; takes_back++) {
		uint64_t later = now_ns() + 2 * MS;

		hand.takes_back = takes_back;
		came.dones = 0;
		tern_io_future_init(&f, f.io);
		ck_assert_int_eq(tern_future_run(&run, bed.loop, &f.future, note_came, &came), 0);
		turn(&bed);
		ck_assert_uint_eq(hand.n, 1);
		tern_future_run_cancel(&run);
		loop_until(bed.loop, is_past, &later);
		/* the engine has the buffer: it is over when the engine is through with it */
		ck_assert_uint_eq(came.dones, takes_back);
		if (!takes_back)
			hand_complete(&hand, 0, BLOCK);
		ck_assert_int_eq(tern_loop_run(bed.loop), 0);
		ck_assert_int_eq(came.result, takes_back ? -ECANCELED : BLOCK);
		ck_assert_uint_eq(hand.n, 0);
	}
	tern_io_release(f.io);
	bed_end(&bed);
}

/* A timeout goes by; the request, which cannot be taken back, is awaited before it is released. */
static void a_timeout_leaves_the_buffer_until_it_is_released(void)
{
	struct tern_future_run run, end;
	struct tern_timeout timeout;
	struct tern_io_future f;
	struct came came = {.dones = 0}, ended = {.dones = 0};
	uint64_t later;
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	tern_io_future_init(&f, read_of(&bed, 0));
	tern_timeout_init(&timeout, &f.future, MS);
	ck_assert_int_eq(tern_future_run(&run, bed.loop, &timeout.future, note_came, &came), 0);
	later = now_ns() + 5 * MS;
	loop_until(bed.loop, is_past, &later);
	ck_assert_uint_eq(came.dones, 1);
	ck_assert_int_eq(came.result, -ETIMEDOUT);
	ck_assert_int_eq(
		tern_future_run(&end, bed.loop, &timeout.select.released, note_came, &ended), 0);
	memset(&run, 0xa5, sizeof(run));
	turn(&bed);
	ck_assert_uint_eq(ended.dones, 0);
	hand_complete(&hand, 0, BLOCK);
	ck_assert_int_eq(tern_loop_run(bed.loop), 0);
	ck_assert_uint_eq(ended.dones, 1);
	tern_io_release(f.io);
	bed_end(&bed);
}

static const struct test tests[] = {
	{"a request comes home as a result", a_request_comes_home_as_a_result},
	{"a full queue is awaited", a_full_queue_is_awaited},
	{"what cannot be submitted says why", what_cannot_be_submitted_says_why},
	{"cancel in each state", cancel_in_each_state},
	{"a timeout leaves the buffer until it is released",
	 a_timeout_leaves_the_buffer_until_it_is_released},
};

int main(int argc, char **argv)
{
	return run_tests("I/O as futures", tests, COUNT(tests), argc, argv);
}
