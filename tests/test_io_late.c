/* SPDX-License-Identifier: MIT */
/* Deadlines, which only tell; taking requests back; and what a queue says of what it has done. */
#include "io_hand.h"

#define BLOCK	4096
#define HOUR	UINT64_C(3600000000000)
#define AT_ONCE 1 /* ns */

static unsigned lates, dones;
static int64_t results[64];
static struct tern_io *last_late;
static bool inside;

static void note_late(struct tern_io *io)
{
	ck_assert(!inside);
	lates++;
	last_late = io;
}

static void note_done(struct tern_io *io)
{
	ck_assert(!inside);
	results[dones++] = io->result;
	tern_io_release(io);
}

static void make(struct bed *bed, struct hand *hand, struct tern_io_opts opts)
{
	opts.late = note_late;
	hand_bed(bed, hand, opts);
}

static struct tern_io *prepared(struct bed *bed, uint64_t deadline_ns)
{
	const struct tern_io_file file = no_file(1);
	struct tern_io *io = io_get(bed);

	tern_io_prep_write(io, &file, 0, BLOCK);
	io->done = note_done;
	io->deadline_ns = deadline_ns;
	return io;
}

static struct tern_io *submit(struct bed *bed, uint64_t deadline_ns)
{
	struct tern_io *io = prepared(bed, deadline_ns);

	inside = true;
	ck_assert_int_eq(tern_io_submit(io), 0);
	inside = false;
	return io;
}

static bool is_late(void *arg)
{
	return lates >= *(unsigned *)arg;
}

static void a_late_one_is_told_once_and_keeps_its_buffer(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io, *other;
	unsigned one = 1;

	make(&bed, &hand, (struct tern_io_opts){.requests_max = 2, .depth = 2});
	io = prepared(&bed, AT_ONCE);
	stamp(io->buffer, 0, BLOCK, 5);
	ck_assert_int_eq(tern_io_submit(io), 0);
	loop_until(bed.loop, is_late, &one);
	ck_assert_ptr_eq(last_late, io);
	ck_assert_uint_eq(dones, 0);
	ck_assert_uint_eq(tern_io_outstanding(bed.queue), 1);
	other = io_get(&bed);
	ck_assert_ptr_ne(other->buffer, io->buffer);
	ck_assert_ptr_null(tern_io_get(bed.queue)); /* it is not lent anew */
	ck_assert(has_stamp(io->buffer, 0, BLOCK, 5));
	for (unsigned i = 0; i < 100; i++)
		turn(&bed);
	ck_assert_uint_eq(lates, 1);
	hand_complete(&hand, 0, BLOCK);
	turn(&bed);
	ck_assert_uint_eq(dones, 1);
	ck_assert_int_eq(results[0], BLOCK);
	ck_assert_uint_eq(lates, 1);
	tern_io_release(other);
	bed_end(&bed);
}

static void one_in_time_is_not(void)
{
	struct hand hand;
	struct bed bed;

	make(&bed, &hand, (struct tern_io_opts){0});
	submit(&bed, HOUR);
	ck_assert_int_ge(tern_loop_prepare(bed.loop), 0); /* there is a time to wake at */
	hand_complete(&hand, 0, BLOCK);
	turn(&bed);
	ck_assert_uint_eq(dones, 1);
	ck_assert_uint_eq(lates, 0);
	ck_assert(!tern_loop_alive(bed.loop));
	ck_assert_int_eq(tern_loop_run(bed.loop), 0);
	bed_end(&bed);
}

static void never(struct tern_timer *timer)
{
	ck_abort_msg("too early");
}

static void a_deadline_that_was_kept_leaves_the_loops_timers_alone(void)
{
	struct tern_timer timers[3];
	struct hand hand;
	struct bed bed;

	make(&bed, &hand, (struct tern_io_opts){0});
	for (unsigned i = 0; i < 3; i++)
		submit(&bed, HOUR);
	hand_finish(&bed, &hand);
	for (unsigned i = 0; i < COUNT(timers); i++) {
		tern_timer_init(&timers[i], never);
		tern_timer_start(bed.loop, &timers[i], HOUR + i);
	}
	ck_assert_int_eq(tern_io_queue_destroy(bed.queue), 0);
	bed.queue = bed_queue(&bed, (struct tern_io_opts){.engine = &hand.table});
	for (unsigned i = 0; i < COUNT(timers); i++) {
		ck_assert(tern_loop_alive(bed.loop));
		ck_assert(tern_timer_stop(&timers[i]));
	}
	bed_end(&bed);
}

static void one_that_waits_behind_others_is_late_too(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *second;
	unsigned one = 1, two = 2;

	make(&bed, &hand, (struct tern_io_opts){.ordered = true});
	submit(&bed, 0);
	second = submit(&bed, AT_ONCE);
	loop_until(bed.loop, is_late, &one);
	ck_assert_ptr_eq(last_late, second);
	hand_complete(&hand, 0, BLOCK);
	turn(&bed);
	ck_assert_uint_eq(dones, 1);
	submit(&bed, AT_ONCE);
	loop_until(bed.loop, is_late, &two);
	hand_finish(&bed, &hand);
	ck_assert_uint_eq(dones, 3);
	ck_assert_uint_eq(lates, 2);
	bed_end(&bed);
}

static void waiting_tells_nobody_of_the_time(void)
{
	struct hand hand;
	struct bed bed;
	uint64_t due = now_ns() + 2000000;

	make(&bed, &hand, (struct tern_io_opts){0});
	submit(&bed, AT_ONCE);
	submit(&bed, AT_ONCE);
	while (!is_past(&due))
		tern_io_poke(bed.queue, 0);
	ck_assert_uint_eq(lates, 0);
	hand_complete_all(&hand);
	ck_assert_uint_eq(tern_io_drain(bed.queue), 2);
	ck_assert_uint_eq(dones, 2);
	turn(&bed);
	ck_assert_uint_eq(lates, 0);
	bed_end(&bed);
}

static void what_has_not_started_is_taken_back(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io[5];

	make(&bed, &hand, (struct tern_io_opts){.ordered = true, .stop_on_error = true});
	for (unsigned i = 0; i < COUNT(io); i++)
		io[i] = submit(&bed, 0);
	inside = true;
	ck_assert(tern_io_cancel(io[2]));
	ck_assert(tern_io_cancel(io[4]));
	ck_assert(!tern_io_cancel(io[2]));
	ck_assert(!tern_io_cancel(io[0]));
	inside = false;
	ck_assert_uint_eq(tern_io_outstanding(bed.queue), 5);
	hand_finish(&bed, &hand); /* and the others are not stopped by it */
	ck_assert_uint_eq(hand.starts, 3);
	ck_assert_uint_eq(dones, 5);
	ck_assert_int_eq(results[0], -ECANCELED);
	ck_assert_int_eq(results[1], -ECANCELED);
	for (unsigned i = 2; i < 5; i++)
		ck_assert_int_eq(results[i], BLOCK);
	bed_end(&bed);
}

static void what_an_engine_has_is_taken_back_if_that_can(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	make(&bed, &hand, (struct tern_io_opts){0});
	io = submit(&bed, HOUR);
	ck_assert(!tern_io_cancel(io));
	hand_complete(&hand, 0, BLOCK / 2);
	turn(&bed);
	hand.takes_back = true;
	ck_assert(!tern_io_cancel(io)); /* half of it is done */
	hand_complete(&hand, 0, BLOCK / 2);
	turn(&bed);
	ck_assert_int_eq(results[0], BLOCK);

	io = submit(&bed, HOUR);
	inside = true;
	ck_assert(tern_io_cancel(io));
	ck_assert(!tern_io_cancel(io));
	inside = false;
	ck_assert_uint_eq(tern_io_outstanding(bed.queue), 1);
	ck_assert_int_eq(tern_loop_run(bed.loop), 0);
	ck_assert_uint_eq(dones, 2);
	ck_assert_int_eq(results[1], -ECANCELED);
	bed_end(&bed);
}

static void without_the_barrier_the_rest_goes_on(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *barrier;

	make(&bed, &hand, (struct tern_io_opts){0});
	submit(&bed, 0);
	barrier = io_get(&bed);
	tern_io_prep_barrier(barrier);
	barrier->done = note_done;
	ck_assert_int_eq(tern_io_submit(barrier), 0);
	submit(&bed, 0);
	turn(&bed);
	ck_assert_uint_eq(hand.n, 1);
	ck_assert(tern_io_cancel(barrier));
	turn(&bed);
	ck_assert_uint_eq(hand.n, 2);
	hand_finish(&bed, &hand);
	ck_assert_uint_eq(dones, 3);
	bed_end(&bed);
}

static void a_writeback_taken_back_is_no_error(void)
{
	const struct tern_io_file file = no_file(1);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	make(&bed, &hand, (struct tern_io_opts){.ordered = true});
	submit(&bed, 0);
	io = io_get(&bed);
	tern_io_prep_writeback(io, &file, 0, BLOCK);
	ck_assert_int_eq(tern_io_submit(io), 0);
	ck_assert(tern_io_cancel(io));
	hand_finish(&bed, &hand);
	ck_assert_uint_eq(hand.starts, 1);
	ck_assert_int_eq(tern_io_sync(bed.queue), 0);
	bed_end(&bed);
}

static void sixteen_of_all_kinds(struct bed *bed, struct hand *hand)
{
	const struct tern_io_file file = no_file(1);

	for (unsigned i = 0; i < 16; i++) {
		struct tern_io *io = io_get(bed);

		if (i % 4 == 0)
			tern_io_prep_read(io, &file, 0, 1000);
		else if (i % 4 == 1)
			tern_io_prep_write(io, &file, 0, 100);
		else if (i % 4 == 2)
			tern_io_prep_writeback(io, &file, 0, 10);
		else
			tern_io_prep_fsync(io, &file);
		io->done = i % 4 == 2 ? NULL : note_done;
		ck_assert_int_eq(tern_io_submit(io), 0);
	}
	turn(bed);
	hand_complete(hand, 0, -EIO);  /* a read */
	hand_complete(hand, 14, -EIO); /* the last fsync */
	hand_complete(hand, 3, 500);   /* a read that has come to the end */
	turn(bed);
	for (unsigned i = 0; i < hand->n; i++)
		if (hand_piece(hand, i).op == TERN_IO_READ && hand_piece(hand, i).length == 500) {
			hand_complete(hand, i, 0);
			return;
		}
	ck_abort_msg("nobody reads on");
}

static void statistics_tell_what_was_done(void)
{
	struct tern_io_stats stats = {.size = sizeof(stats)};
	struct hand hand;
	struct bed bed;
	struct tern_io *io;
	unsigned one = 1;

	make(&bed, &hand, (struct tern_io_opts){0});
	sixteen_of_all_kinds(&bed, &hand);
	turn(&bed);
	ck_assert_int_eq(tern_io_stats(bed.queue, &stats), 0);
	ck_assert_uint_eq(stats.size, sizeof(stats));
	ck_assert_uint_eq(stats.submitted, 16);
	ck_assert_uint_eq(stats.outstanding, 13);
	ck_assert_uint_eq(stats.writebacks, 4);
	ck_assert_uint_eq(stats.failed, 2);
	ck_assert_uint_eq(stats.bytes_read, 500);
	hand_finish(&bed, &hand);
	io = submit(&bed, AT_ONCE);
	loop_until(bed.loop, is_late, &one);
	hand.takes_back = true;
	ck_assert(tern_io_cancel(io));
	turn(&bed);
	ck_assert_int_eq(tern_io_stats(bed.queue, &stats), 0);
	ck_assert_uint_eq(stats.outstanding, 0);
	ck_assert_uint_eq(stats.writebacks, 0);
	ck_assert_uint_eq(stats.submitted, 17);
	ck_assert_uint_eq(stats.failed, 3);
	ck_assert_uint_eq(stats.canceled, 1);
	ck_assert_uint_eq(stats.late, 1);
	ck_assert_uint_eq(stats.bytes_read, 2500);
	ck_assert_uint_eq(stats.bytes_written, 4 * 100 + 4 * 10);
	ck_assert_uint_eq(stats.latency[TERN_IO_READ].count, 4);
	ck_assert_uint_eq(stats.latency[TERN_IO_WRITE].count, 5);
	ck_assert_uint_eq(stats.latency[TERN_IO_WRITEBACK].count, 4);
	ck_assert_uint_eq(stats.latency[TERN_IO_FSYNC].count, 4);
	ck_assert_uint_eq(stats.latency[TERN_IO_BARRIER].count, 0);
	ck_assert_uint_gt(stats.latency[TERN_IO_READ].sum_ns, 0);
	ck_assert_int_eq(tern_io_sync(bed.queue), 0);
	bed_end(&bed);
}

static void statistics_keep_to_their_size(void)
{
	struct {
		struct tern_io_stats stats;
		uint64_t more;
	} newer = {.stats.size = sizeof(newer), .more = 7};
	struct tern_io_stats stats = {.size = sizeof(size_t) - 1, .submitted = 99};
	struct hand hand;
	struct bed bed;

	make(&bed, &hand, (struct tern_io_opts){0});
	submit(&bed, 0);
	hand_finish(&bed, &hand);
	ck_assert_int_eq(tern_io_stats(bed.queue, &stats), -EINVAL);
	stats.size = offsetof(struct tern_io_stats, submitted);
	ck_assert_int_eq(tern_io_stats(bed.queue, &stats), 0);
	ck_assert_uint_eq(stats.submitted, 99);
	ck_assert_int_eq(tern_io_stats(bed.queue, &newer.stats), 0);
	ck_assert_uint_eq(newer.stats.submitted, 1);
	ck_assert_uint_eq(newer.more, 0);
	bed_end(&bed);
}

static const struct test tests[] = {
	{"a late one is told of once, and keeps its buffer",
	 a_late_one_is_told_once_and_keeps_its_buffer},
	{"of one in time nobody is told", one_in_time_is_not},
	{"a deadline that was kept leaves the loop's timers alone",
	 a_deadline_that_was_kept_leaves_the_loops_timers_alone},
	{"one that waits behind others is late too", one_that_waits_behind_others_is_late_too},
	{"poke and drain tell nobody of the time", waiting_tells_nobody_of_the_time},
	{"what has not started is taken back", what_has_not_started_is_taken_back},
	{"what an engine has is taken back if that can",
	 what_an_engine_has_is_taken_back_if_that_can},
	{"without the barrier the rest goes on", without_the_barrier_the_rest_goes_on},
	{"a write-back taken back is no error", a_writeback_taken_back_is_no_error},
	{"statistics tell what was done", statistics_tell_what_was_done},
	{"statistics keep to their size", statistics_keep_to_their_size},
};

int main(int argc, char **argv)
{
	return run_tests("late and taken back", tests, COUNT(tests), argc, argv);
}
