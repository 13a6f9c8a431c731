/* SPDX-License-Identifier: MIT */
/* Write-backs: their limit, word of room, and that no error of theirs is lost. */

#include "io_hand.h"

#define BLOCK 4096

/* What the queue's callbacks were told. */
static struct tern_io_error errors[8];
static unsigned n_errors, rooms;
static struct tern_io_queue *told_of;

static void note_error(struct tern_io_queue *queue, const struct tern_io_error *error)
{
	ck_assert_uint_lt(n_errors, COUNT(errors));
	errors[n_errors++] = *error;
	told_of = queue;
}

static void note_room(struct tern_io_queue *queue)
{
	rooms++;
	told_of = queue;
}

static struct tern_io_opts told(uint32_t writebacks_max)
{
	return (struct tern_io_opts){
		.depth = 8,
		.writebacks_max = writebacks_max,
		.write_error = note_error,
		.room = note_room,
	};
}

static struct tern_io *back_of(struct bed *bed, uint64_t block)
{
	const struct tern_io_file file = no_file(1);
	struct tern_io *io = io_get(bed);

	tern_io_prep_writeback(io, &file, block * BLOCK, BLOCK);
	return io;
}

static void submit_back(struct bed *bed, uint64_t block)
{
	ck_assert_int_eq(tern_io_submit(back_of(bed, block)), 0);
}

static void a_writeback_is_a_write_that_releases_itself(void)
{
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, (struct tern_io_opts){.requests_max = 2, .depth = 2});
	for (unsigned i = 0; i < 10; i++) {
		submit_back(&bed, i);
		turn(&bed);
		ck_assert_uint_eq(hand.last.op, TERN_IO_WRITE);
		ck_assert_int_eq(hand.last.offset, (int64_t)i * BLOCK);
		ck_assert_uint_eq(tern_io_outstanding(bed.queue), 1);
		ck_assert_int_eq(tern_io_queue_destroy(bed.queue), -EBUSY);
		hand_complete(&hand, 0, BLOCK);
		turn(&bed);
		ck_assert_uint_eq(tern_io_outstanding(bed.queue), 0);
	}
	ck_assert_ptr_null(tern_io_wait(bed.queue));
	ck_assert_int_eq(tern_io_sync(bed.queue), 0);
	bed_end(&bed);
}

static void the_limit_is_eagain_and_room_is_told_once(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *late, *read;
	const struct tern_io_file file = no_file(1);

	hand_bed(&bed, &hand, told(2));
	submit_back(&bed, 0);
	submit_back(&bed, 1);
	late = back_of(&bed, 2);
	ck_assert_int_eq(tern_io_submit(late), -EAGAIN);
	read = io_get(&bed);
	tern_io_prep_read(read, &file, 0, BLOCK);
	ck_assert_int_eq(tern_io_submit(read), 0); /* others have room */
	hand_complete(&hand, 2, BLOCK);
	turn(&bed);
	ck_assert_uint_eq(rooms, 0); /* that made none for write-backs */
	hand_complete(&hand, 0, BLOCK);
	turn(&bed);
	ck_assert_uint_eq(rooms, 1);
	ck_assert_ptr_eq(told_of, bed.queue);
	hand_complete(&hand, 0, BLOCK);
	turn(&bed);
	ck_assert_uint_eq(rooms, 1);
	ck_assert_int_eq(tern_io_submit(late), 0);
	hand_finish(&bed, &hand);
	ck_assert_ptr_eq(tern_io_wait(bed.queue), read);
	tern_io_release(read);
	ck_assert_uint_eq(rooms, 1);
	bed_end(&bed);
}

static void full_depth_is_told_of_room_as_well(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io, *more;
	const struct tern_io_file file = no_file(1);

	hand_bed(&bed, &hand, told(0));
	for (unsigned i = 0; i < 8; i++) {
		io = io_get(&bed);
		tern_io_prep_read(io, &file, 0, BLOCK);
		io->done = tern_io_release;
		ck_assert_int_eq(tern_io_submit(io), 0);
	}
	more = io_get(&bed);
	tern_io_prep_read(more, &file, 0, BLOCK);
	more->done = tern_io_release;
	ck_assert_int_eq(tern_io_submit(more), -EAGAIN);
	ck_assert_int_eq(tern_io_submit(more), -EAGAIN);
	turn(&bed);
	ck_assert_uint_eq(rooms, 0);
	hand_complete(&hand, 3, BLOCK);
	turn(&bed);
	ck_assert_uint_eq(rooms, 1);
	ck_assert_int_eq(tern_io_submit(more), 0);
	hand_finish(&bed, &hand);
	ck_assert_uint_eq(rooms, 1);
	bed_end(&bed);
}

static void no_request_to_lend_is_told_of_room_as_well(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io_opts opts = told(0);
	struct tern_io *io;

	opts.requests_max = 2;
	hand_bed(&bed, &hand, opts);
	io = io_get(&bed);
	submit_back(&bed, 0);
	ck_assert_ptr_null(tern_io_get(bed.queue));
	hand_finish(&bed, &hand);
	turn(&bed);
	ck_assert_uint_eq(rooms, 1);
	tern_io_release(io);
	turn(&bed);
	ck_assert_uint_eq(rooms, 1);
	bed_end(&bed);
}

static void resubmit_in_room(struct tern_io_queue *queue)
{
	const struct tern_io_file file = no_file(1);

	while (rooms < 20) {
		struct tern_io *io = tern_io_get(queue);

		if (!io)
			return;
		tern_io_prep_writeback(io, &file, 0, BLOCK);
		if (tern_io_submit(io)) {
			tern_io_release(io);
			return;
		}
		rooms++;
	}
}

static void room_may_submit(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io_opts opts = told(2);

	opts.room = resubmit_in_room;
	hand_bed(&bed, &hand, opts);
	resubmit_in_room(bed.queue);
	ck_assert_uint_eq(rooms, 2);
	hand_finish(&bed, &hand);
	ck_assert_uint_eq(rooms, 20);
	bed_end(&bed);
}

static void fail_one(struct bed *bed, struct hand *hand, uint64_t block, int error)
{
	submit_back(bed, block);
	turn(bed);
	hand_complete(hand, hand->n - 1, -error);
	turn(bed);
}

static void an_error_is_told_and_kept_until_sync(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io_error error = {.fd = -7};

	hand_bed(&bed, &hand, told(0));
	ck_assert(!tern_io_write_error(bed.queue, &error));
	ck_assert_int_eq(error.fd, -7);
	fail_one(&bed, &hand, 3, ENOSPC);
	fail_one(&bed, &hand, 9, EIO);
	ck_assert_uint_eq(n_errors, 2);
	ck_assert_ptr_eq(told_of, bed.queue);
	ck_assert_int_eq(errors[0].fd, 1000);
	ck_assert_uint_eq(errors[0].offset, 3 * BLOCK);
	ck_assert_uint_eq(errors[0].length, BLOCK);
	ck_assert_int_eq(errors[0].error, ENOSPC);
	ck_assert_uint_eq(errors[1].offset, 9 * BLOCK);
	ck_assert_int_eq(errors[1].error, EIO);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(tern_io_write_error(bed.queue, &error));
		ck_assert_uint_eq(error.offset, 3 * BLOCK);
		ck_assert_int_eq(error.error, ENOSPC);
	}
	ck_assert_int_eq(tern_io_sync(bed.queue), -ENOSPC);
	ck_assert(!tern_io_write_error(bed.queue, &error));
	ck_assert_int_eq(tern_io_sync(bed.queue), 0);
	fail_one(&bed, &hand, 4, EDQUOT);
	ck_assert_int_eq(tern_io_sync(bed.queue), -EDQUOT);
	bed_end(&bed);
}

static void destroy_reports_once_what_nobody_asked_for(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0}); /* and nobody is told */
	fail_one(&bed, &hand, 3, ENOSPC);
	io = io_get(&bed);
	ck_assert_int_eq(tern_io_queue_destroy(bed.queue), -EBUSY);
	tern_io_release(io);
	ck_assert_int_eq(tern_io_queue_destroy(bed.queue), -EIO);
	submit_back(&bed, 1); /* it is as it was */
	hand_finish(&bed, &hand);
	ck_assert_int_eq(tern_io_sync(bed.queue), -ENOSPC); /* and who asks is told still */
	fail_one(&bed, &hand, 3, EDQUOT);
	ck_assert_int_eq(tern_io_queue_destroy(bed.queue), -EIO);
	bed_end(&bed);
}

/* The offset and length are those of the submit, wherever it failed. */
static void short_writebacks_go_on_and_fail_as_one(void)
{
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, told(0));
	submit_back(&bed, 2);
	turn(&bed);
	hand_complete(&hand, 0, 1000);
	turn(&bed);
	ck_assert_uint_eq(hand.n, 1);
	ck_assert_int_eq(hand.last.offset, 2 * BLOCK + 1000);
	ck_assert_uint_eq(hand.last.length, BLOCK - 1000);
	hand_complete(&hand, 0, -EIO);
	turn(&bed);
	ck_assert_uint_eq(n_errors, 1);
	ck_assert_uint_eq(errors[0].offset, 2 * BLOCK);
	ck_assert_uint_eq(errors[0].length, BLOCK);
	ck_assert_int_eq(tern_io_sync(bed.queue), -EIO);
	bed_end(&bed);
}

static void *complete_soon(void *arg)
{
	struct tern_io *io = arg;

	tern_io_complete(io, -EIO);
	return NULL;
}

static void sync_waits_for_those_that_are_out(void)
{
	struct hand hand;
	struct bed bed;
	pthread_t thread;
	struct tern_io *io;

	hand_bed(&bed, &hand, told(0));
	submit_back(&bed, 0);
	turn(&bed);
	io = hand.held[--hand.n];
	thread = thread_new(complete_soon, io);
	ck_assert_int_eq(tern_io_sync(bed.queue), -EIO);
	ck_assert_uint_eq(tern_io_outstanding(bed.queue), 0);
	thread_join(thread);
	bed_end(&bed);
}

static const struct test tests[] = {
	{"a write-back is a write that releases itself",
	 a_writeback_is_a_write_that_releases_itself},
	{"the limit is -EAGAIN, and room is told once", the_limit_is_eagain_and_room_is_told_once},
	{"who found full depth is told of room as well", full_depth_is_told_of_room_as_well},
	{"who found no request to lend is told of room as well",
	 no_request_to_lend_is_told_of_room_as_well},
	{"room may submit", room_may_submit},
	{"an error is told, and the first kept until sync reports it",
	 an_error_is_told_and_kept_until_sync},
	{"destroy reports once what nobody asked for", destroy_reports_once_what_nobody_asked_for},
	{"short write-backs go on, and fail as one", short_writebacks_go_on_and_fail_as_one},
	{"sync waits for those that are out", sync_waits_for_those_that_are_out},
};

int main(int argc, char **argv)
{
	return run_tests("write-backs", tests, COUNT(tests), argc, argv);
}
