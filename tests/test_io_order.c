/* SPDX-License-Identifier: MIT */
/* In which order requests start and come home: ordered queues, barriers, depth, stop_on_error. */
#include "io_hand.h"

#define BLOCK 4096

/* What came home, in order. */
static struct tern_io *came[HANDS];
static unsigned n_came;

static void note(struct tern_io *io)
{
	ck_assert_uint_lt(n_came, COUNT(came));
	came[n_came++] = io;
}

static struct tern_io *read_of(struct bed *bed, uint64_t block)
{
	const struct tern_io_file file = no_file(1);
	struct tern_io *io = io_get(bed);

	tern_io_prep_read(io, &file, block * BLOCK, BLOCK);
	io->done = note;
	return io;
}

static struct tern_io *submit_read(struct bed *bed, uint64_t block)
{
	struct tern_io *io = read_of(bed, block);

	ck_assert_int_eq(tern_io_submit(io), 0);
	return io;
}

static struct tern_io *submit_barrier(struct bed *bed)
{
	struct tern_io *io = io_get(bed);

	tern_io_prep_barrier(io);
	io->done = note;
	ck_assert_int_eq(tern_io_submit(io), 0);
	return io;
}

static void end_of(struct bed *bed)
{
	for (unsigned i = 0; i < n_came; i++)
		tern_io_release(came[i]);
	n_came = 0;
	bed_end(bed);
}

static void an_ordered_queue_does_one_at_a_time(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io[10];

	hand_bed(&bed, &hand, (struct tern_io_opts){.ordered = true});
	for (unsigned i = 0; i < COUNT(io); i++)
		io[i] = submit_read(&bed, i);
	for (unsigned i = 0; i < COUNT(io); i++) {
		turn(&bed);
		ck_assert_uint_eq(hand.n, 1);
		ck_assert_ptr_eq(hand.held[0], io[i]);
		ck_assert_uint_eq(n_came, i);
		hand_complete(&hand, 0, i % 3 == 1 ? -EIO : BLOCK); /* errors stop nobody */
	}
	turn(&bed);
	ck_assert_uint_eq(n_came, COUNT(io));
	for (unsigned i = 0; i < COUNT(io); i++) {
		ck_assert_ptr_eq(came[i], io[i]);
		ck_assert_int_eq(io[i]->result, i % 3 == 1 ? -EIO : BLOCK);
	}
	end_of(&bed);
}

static void an_unordered_queue_starts_all_and_takes_depth(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io[10], *one_more;

	hand_bed(&bed, &hand, (struct tern_io_opts){.depth = COUNT(io)});
	for (unsigned i = 0; i < COUNT(io); i++)
		io[i] = submit_read(&bed, i);
	turn(&bed);
	ck_assert_uint_eq(hand.n, COUNT(io));
	one_more = read_of(&bed, 99);
	ck_assert_int_eq(tern_io_submit(one_more), -EAGAIN);
	ck_assert_uint_eq(tern_io_outstanding(bed.queue), COUNT(io));
	hand_complete(&hand, 7, BLOCK);
	turn(&bed);
	ck_assert_ptr_eq(came[0], io[7]);
	ck_assert_int_eq(tern_io_submit(one_more), 0);
	turn(&bed);
	ck_assert_ptr_eq(hand.held[hand.n - 1], one_more);
	hand_finish(&bed, &hand);
	end_of(&bed);
}

static void a_barrier_waits_and_holds_back(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *before[3], *barrier, *after[2];

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	for (unsigned i = 0; i < COUNT(before); i++)
		before[i] = submit_read(&bed, i);
	barrier = submit_barrier(&bed);
	for (unsigned i = 0; i < COUNT(after); i++)
		after[i] = submit_read(&bed, i);
	turn(&bed);
	for (unsigned i = 0; i < COUNT(before); i++) {
		ck_assert_uint_eq(hand.n, COUNT(before) - i);
		ck_assert_uint_eq(hand.starts, COUNT(before));
		ck_assert_uint_eq(n_came, i);
		hand_complete(&hand, 0, i == 1 ? -EIO : BLOCK);
		turn(&bed);
	}
	turn(&bed);
	ck_assert_uint_eq(n_came, 4);
	ck_assert_ptr_eq(came[2], before[2]);
	ck_assert_ptr_eq(came[3], barrier);
	ck_assert_int_eq(barrier->result, 0);
	ck_assert_uint_eq(hand.n, 2);
	ck_assert_ptr_eq(hand.held[0], after[0]);
	ck_assert_ptr_eq(hand.held[1], after[1]);
	hand_finish(&bed, &hand);
	end_of(&bed);
}

static void nothing_later_starts_before_the_barrier_is_over(void)
{
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	submit_read(&bed, 0);
	submit_barrier(&bed);
	submit_read(&bed, 1);
	hand_complete(&hand, 0, BLOCK);
	ck_assert_uint_eq(tern_io_poke(bed.queue, 1), 1);
	ck_assert_uint_eq(n_came, 1);
	ck_assert_uint_eq(hand.starts, 1);
	ck_assert_uint_eq(tern_io_poke(bed.queue, 1), 1);
	ck_assert_uint_eq(n_came, 2);
	ck_assert_uint_eq(hand.starts, 2);
	hand_finish(&bed, &hand);
	end_of(&bed);
}

static void one_barrier_taken_back_opens_no_other(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *second;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	submit_read(&bed, 0);
	submit_barrier(&bed);
	submit_read(&bed, 1);
	second = submit_barrier(&bed);
	hand_complete(&hand, 0, BLOCK);
	ck_assert(tern_io_cancel(second));
	ck_assert_uint_eq(tern_io_poke(bed.queue, 1), 1);
	ck_assert_uint_eq(tern_io_poke(bed.queue, 1), 1); /* the second; the first is out */
	ck_assert_uint_eq(hand.starts, 1);
	hand_finish(&bed, &hand);
	ck_assert_uint_eq(hand.starts, 2);
	end_of(&bed);
}

static void barriers_alone_come_home(void)
{
	struct hand hand;
	struct bed bed;

	for (int ordered = 0; ordered <= 1; ordered++) {
		hand_bed(&bed, &hand, (struct tern_io_opts){.ordered = ordered});
		for (unsigned i = 0; i < 5; i++)
			submit_barrier(&bed);
		ck_assert_uint_eq(n_came, 0);
		ck_assert_uint_eq(tern_io_outstanding(bed.queue), 5);
		ck_assert_int_eq(tern_loop_run(bed.loop), 0);
		ck_assert_uint_eq(n_came, 5);
		ck_assert_uint_eq(hand.starts, 0);
		end_of(&bed);
	}
}

/* Whatever the order: what is started at one time, no barrier parts. */
static void no_two_on_either_side_of_a_barrier_run_at_once(void)
{
	struct hand hand;
	struct bed bed;
	uint64_t seed = 11, epoch = 0;

	hand_bed(&bed, &hand, (struct tern_io_opts){.depth = 40, .requests_max = 40});
	for (unsigned i = 0; i < 20000; i++) {
		while (n_came)
			tern_io_release(came[--n_came]);
		if (tern_io_outstanding(bed.queue) < 40 && draw(&seed, 2)) {
			bool barrier = !draw(&seed, 6);

			epoch += barrier;
			if (barrier)
				submit_barrier(&bed);
			else
				submit_read(&bed, epoch);
		} else if (hand.n) {
			hand_complete(&hand, draw(&seed, hand.n), draw(&seed, 3) ? BLOCK : -EIO);
		}
		if (draw(&seed, 2))
			turn(&bed);
		for (unsigned j = 1; j < hand.n; j++)
			ck_assert_int_eq(hand_piece(&hand, j).offset, hand_piece(&hand, 0).offset);
	}
	while (tern_io_outstanding(bed.queue)) {
		while (n_came)
			tern_io_release(came[--n_came]);
		hand_complete_all(&hand);
		turn(&bed);
	}
	end_of(&bed);
}

static void after_an_error_the_rest_is_canceled(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io[6], *later;

	hand_bed(&bed, &hand, (struct tern_io_opts){.ordered = true, .stop_on_error = true});
	for (unsigned i = 0; i < COUNT(io); i++)
		io[i] = i == 4 ? submit_barrier(&bed) : submit_read(&bed, i);
	turn(&bed);
	hand_complete(&hand, 0, BLOCK);
	turn(&bed);
	hand_complete(&hand, 0, -ENOSPC);
	while (tern_io_outstanding(bed.queue))
		turn(&bed);
	ck_assert_uint_eq(hand.starts, 2);
	ck_assert_uint_eq(n_came, COUNT(io));
	for (unsigned i = 0; i < COUNT(io); i++) {
		ck_assert_ptr_eq(came[i], io[i]);
		ck_assert_int_eq(io[i]->result, !i ? BLOCK : i == 1 ? -ENOSPC : -ECANCELED);
	}
	later = submit_read(&bed, 1);
	hand_finish(&bed, &hand);
	ck_assert_int_eq(later->result, BLOCK);
	end_of(&bed);
}

static struct tern_io *from_done;
static struct bed *its_bed;

static void note_and_submit(struct tern_io *io)
{
	note(io);
	from_done = submit_read(its_bed, 77);
}

static void what_the_failed_ones_done_submits_runs(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *bad, *canceled;

	its_bed = &bed;
	hand_bed(&bed, &hand, (struct tern_io_opts){.ordered = true, .stop_on_error = true});
	bad = read_of(&bed, 0);
	bad->done = note_and_submit;
	ck_assert_int_eq(tern_io_submit(bad), 0);
	canceled = submit_read(&bed, 1);
	turn(&bed);
	hand_complete(&hand, 0, -EIO);
	hand_finish(&bed, &hand);
	ck_assert_int_eq(bad->result, -EIO);
	ck_assert_int_eq(canceled->result, -ECANCELED);
	ck_assert_int_eq(from_done->result, BLOCK);
	ck_assert_uint_eq(hand.starts, 2);
	end_of(&bed);
}

/* A write-back that fails has no done; it stops its successors as well. */
static void a_failed_writeback_stops_them_too(void)
{
	const struct tern_io_file file = no_file(1);
	struct hand hand;
	struct bed bed;
	struct tern_io *back, *next;

	hand_bed(&bed, &hand, (struct tern_io_opts){.ordered = true, .stop_on_error = true});
	back = io_get(&bed);
	tern_io_prep_writeback(back, &file, 0, BLOCK);
	ck_assert_int_eq(tern_io_submit(back), 0);
	next = submit_read(&bed, 1);
	turn(&bed);
	hand_complete(&hand, 0, -EIO);
	hand_finish(&bed, &hand);
	ck_assert_int_eq(next->result, -ECANCELED);
	ck_assert_int_eq(tern_io_sync(bed.queue), -EIO);
	end_of(&bed);
}

static const struct test tests[] = {
	{"an ordered queue does one at a time, and errors stop nobody",
	 an_ordered_queue_does_one_at_a_time},
	{"an unordered queue starts all, and takes depth requests",
	 an_unordered_queue_starts_all_and_takes_depth},
	{"a barrier waits for all before and holds back all after", a_barrier_waits_and_holds_back},
	{"nothing later starts before the barrier is over",
	 nothing_later_starts_before_the_barrier_is_over},
	{"one barrier taken back opens no other", one_barrier_taken_back_opens_no_other},
	{"barriers alone come home", barriers_alone_come_home},
	{"no two on either side of a barrier run at once",
	 no_two_on_either_side_of_a_barrier_run_at_once},
	{"stop_on_error: after an error the rest is canceled", after_an_error_the_rest_is_canceled},
	{"stop_on_error: what the failed one's done submits runs",
	 what_the_failed_ones_done_submits_runs},
	{"stop_on_error: a failed write-back stops them too", a_failed_writeback_stops_them_too},
};

int main(int argc, char **argv)
{
	return run_tests("order of I/O", tests, COUNT(tests), argc, argv);
}
