/* SPDX-License-Identifier: MIT */
/* Bad input: the error, which rule it breaks, and that nothing was lost or submitted by half. */
#include <stdint.h>

#include "io_hand.h"

#define ALIGN 512
#define SIZE  65536 /* of buffers, as it is if nothing is said */

static char memory[SIZE] __attribute__((aligned(4096)));
static struct iovec iov[1100];

/* Each spoils a good read of 4096 bytes at 8192 in an unordered queue. */
static void long_for_its_buffer(struct tern_io *io)
{
	io->length = SIZE + ALIGN;
}

static void tail_long_for_its_buffer(struct tern_io *io)
{
	io->op = TERN_IO_WRITE;
	io->flags = TERN_IO_TAIL;
	io->length = SIZE + 1;
}

static void odd_offset(struct tern_io *io)
{
	io->offset += 100;
}

static void odd_length(struct tern_io *io)
{
	io->length = 100;
}

static void odd_memory(struct tern_io *io)
{
	io->buffer = memory + 1;
}

static void use_iov(struct tern_io *io, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		iov[i] = (struct iovec){.iov_base = memory, .iov_len = ALIGN};
	tern_io_prep_readv(io, &io->file, 8192, iov, n);
}

static void odd_iov_memory(struct tern_io *io)
{
	use_iov(io, 3);
	iov[1].iov_base = memory + 8;
}

static void odd_iov_length(struct tern_io *io)
{
	use_iov(io, 3);
	iov[0].iov_len = ALIGN - 8;
	iov[1].iov_len = ALIGN + 8; /* though the sum is even */
}

static void no_memory_in_iov(struct tern_io *io)
{
	use_iov(io, 2);
	iov[1].iov_base = NULL;
}

static void sum_that_is_none(struct tern_io *io)
{
	use_iov(io, 2);
	io->length = ALIGN;
}

static void tail_of_vectors(struct tern_io *io)
{
	use_iov(io, 2);
	io->op = TERN_IO_WRITE;
	io->flags = TERN_IO_TAIL;
}

static void durable_tail(struct tern_io *io)
{
	io->op = TERN_IO_WRITE;
	io->flags = TERN_IO_TAIL | TERN_IO_DURABLE;
}

static void tail_at_an_appending_files_end(struct tern_io *io)
{
	io->op = TERN_IO_WRITE;
	io->flags = TERN_IO_TAIL;
	io->file.appends = true;
}

static void nothing_allocated(struct tern_io *io)
{
	tern_io_prep_allocate(io, &io->file, 0, 0);
}

static void place_in_a_stream(struct tern_io *io)
{
	io->file.seekable = false;
	io->offset = ALIGN;
}

static void done_of_a_writeback(struct tern_io *io)
{
	io->op = TERN_IO_WRITEBACK;
	io->done = tern_io_release;
}

static void sum_past_all_bounds(struct tern_io *io)
{
	use_iov(io, 3);
	iov[0].iov_len = iov[1].iov_len = iov[2].iov_len = SIZE_MAX - ALIGN + 1;
	tern_io_prep_readv(io, &io->file, 8192, iov, 3);
	if (SIZE_MAX < INT64_MAX) /* then they cannot be so long */
		io->length = INT64_MAX;
}

static void offset_past_files(struct tern_io *io)
{
	io->offset = (uint64_t)INT64_MAX + 1;
}

static void end_past_files(struct tern_io *io)
{
	io->offset = (uint64_t)INT64_MAX + 1 - ALIGN;
}

static void size_past_files(struct tern_io *io)
{
	tern_io_prep_truncate(io, &io->file, (uint64_t)INT64_MAX + 1);
}

static void hole_past_files(struct tern_io *io)
{
	tern_io_prep_discard(io, &io->file, INT64_MAX - 4096, 8192);
}

static void next_allocated(struct tern_io *io)
{
	tern_io_prep_allocate(io, &io->file, TERN_IO_NEXT, 8192);
}

static void next_where_none_is(struct tern_io *io)
{
	io->offset = TERN_IO_NEXT;
}

static void no_op(struct tern_io *io)
{
	io->op = TERN_IO_NONE;
}

static void first_unknown_op(struct tern_io *io)
{
	io->op = TERN_IO_OPS;
}

static void last_unknown_op(struct tern_io *io)
{
	io->op = UINT8_MAX;
}

static void unknown_flag(struct tern_io *io)
{
	io->op = TERN_IO_WRITE;
	io->flags = 0x40;
}

static void writeback(struct tern_io *io)
{
	io->done = NULL;
	io->op = TERN_IO_WRITEBACK;
}

static void negative_descriptor(struct tern_io *io)
{
	io->file.fd = -1;
}

static void negative_descriptor_of_fsync(struct tern_io *io)
{
	io->file.fd = -5;
	io->op = TERN_IO_FSYNC;
}

static const struct {
	void (*spoil)(struct tern_io *io);
	int error;
	const char *rule; /* a word of it */
} rules[] = {
	{long_for_its_buffer, -EINVAL, "buffer_size"},
	{tail_long_for_its_buffer, -EINVAL, "buffer_size"},
	{odd_offset, -EINVAL, "offset"},
	{odd_length, -EINVAL, "length"},
	{odd_memory, -EINVAL, "buffer"},
	{odd_iov_memory, -EINVAL, "vector's address"},
	{odd_iov_length, -EINVAL, "vector's length"},
	{no_memory_in_iov, -EINVAL, "vector"},
	{sum_that_is_none, -EINVAL, "sum"},
	{tail_of_vectors, -EINVAL, "tail"},
	{durable_tail, -EINVAL, "durable"},
	{tail_at_an_appending_files_end, -EINVAL, "tail"},
	{nothing_allocated, -EINVAL, "length"},
	{place_in_a_stream, -EINVAL, "no positions"},
	{done_of_a_writeback, -EINVAL, ""},
	{sum_past_all_bounds, -EINVAL, ""},
	{offset_past_files, -EINVAL, "offset"},
	{end_past_files, -EINVAL, "offset"},
	{size_past_files, -EINVAL, ""},
	{hole_past_files, -EINVAL, "offset"},
	{next_allocated, -EINVAL, "TERN_IO_NEXT"},
	{next_where_none_is, -EINVAL, "ordered"},
	{no_op, -EINVAL, "op"},
	{first_unknown_op, -EINVAL, "op"},
	{last_unknown_op, -EINVAL, "op"},
	{unknown_flag, -EINVAL, "flag"},
	{writeback, -EINVAL, "write-back"},
	{negative_descriptor, -EBADF, NULL},
	{negative_descriptor_of_fsync, -EBADF, NULL},
};

static void good_read(struct tern_io *io)
{
	const struct tern_io_file file = no_file(ALIGN);

	tern_io_prep_read(io, &file, 8192, 4096);
	io->done = tern_io_release;
}

static void a_broken_rule_is_named_and_nothing_happens(void)
{
	for (unsigned i = 0; i < COUNT(rules); i++) {
		struct tern_io_stats stats = {.size = sizeof(stats)};
		struct hand hand;
		struct bed bed;
		struct tern_io *io;
		int e;

		hand_bed(&bed, &hand, (struct tern_io_opts){.writebacks_max = TERN_NONE});
		io = io_get(&bed);
		good_read(io);
		rules[i].spoil(io);
		e = tern_io_submit(io);
		ck_assert_msg(e == rules[i].error, "row %u: %d", i, e);
		if (rules[i].rule)
			ck_assert_msg(io->refused && strstr(io->refused, rules[i].rule),
				      "row %u: %s", i, io->refused ? io->refused : "(nothing)");
		turn(&bed);
		ck_assert_uint_eq(hand.starts, 0);
		ck_assert_uint_eq(tern_io_outstanding(bed.queue), 0);
		ck_assert_int_eq(tern_io_stats(bed.queue, &stats), 0);
		ck_assert_uint_eq(stats.submitted, 0);
		ck_assert(!tern_loop_alive(bed.loop));
		ck_assert_int_eq(tern_io_queue_destroy(bed.queue), -EBUSY);

		good_read(io);
		ck_assert_int_eq(tern_io_submit(io), 0);
		hand_finish(&bed, &hand);
		ck_assert_uint_eq(hand.starts, 1);
		bed_end(&bed);
	}
}

/* Right at each limit: no complaint. */
static void limits_themselves_are_kept(void)
{
	const struct tern_io_file file = no_file(ALIGN), any = no_file(1);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = io_get(&bed);
	tern_io_prep_read(io, &file, INT64_MAX / ALIGN * ALIGN - SIZE, SIZE);
	ck_assert_int_eq(tern_io_submit(io), 0);
	hand_finish(&bed, &hand);
	ck_assert_int_eq(tern_io_wait(bed.queue)->result, SIZE);
	tern_io_prep_read(io, &any, INT64_MAX - 7, 7);
	io->buffer = memory + 1;
	ck_assert_int_eq(tern_io_submit(io), 0);
	hand_finish(&bed, &hand);
	ck_assert_int_eq(tern_io_wait(bed.queue)->result, 7);
	use_iov(io, COUNT(iov)); /* more than a system call takes */
	tern_io_prep_readv(io, &file, 0, iov, COUNT(iov));
	ck_assert_int_eq(tern_io_submit(io), 0);
	hand_finish(&bed, &hand);
	ck_assert_int_eq(tern_io_wait(bed.queue)->result, COUNT(iov) * ALIGN);
	tern_io_prep_write(io, &file, 0, SIZE - 1);
	io->flags = TERN_IO_TAIL;
	ck_assert_int_eq(tern_io_submit(io), 0);
	hand_finish(&bed, &hand);
	ck_assert_int_eq(tern_io_wait(bed.queue)->result, SIZE - 1);
	tern_io_release(io);
	bed_end(&bed);
}

static void without_buffers_one_must_be_given(void)
{
	const struct tern_io_file file = no_file(ALIGN);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){.buffer_size = TERN_NONE});
	io = io_get(&bed);
	tern_io_prep_read(io, &file, 0, ALIGN);
	ck_assert_ptr_null(io->buffer);
	ck_assert_int_eq(tern_io_submit(io), -EINVAL);
	ck_assert_ptr_nonnull(strstr(io->refused, "buffer"));
	io->buffer = memory;
	io->done = tern_io_release;
	ck_assert_int_eq(tern_io_submit(io), 0);
	hand_finish(&bed, &hand);
	bed_end(&bed);
}

/* Where alignment is coarser than pages. */
static void a_tails_padding_needs_room_as_well(void)
{
	struct tern_io_file file = no_file(16384);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	file.memory_align = 1;
	hand_bed(&bed, &hand, (struct tern_io_opts){.buffer_size = 20000});
	io = io_get(&bed);
	tern_io_prep_write(io, &file, 0, 19000);
	io->flags = TERN_IO_TAIL;
	ck_assert_int_eq(tern_io_submit(io), -EINVAL);
	ck_assert_ptr_nonnull(strstr(io->refused, "padding"));
	io->length = 16000;
	io->done = tern_io_release;
	ck_assert_int_eq(tern_io_submit(io), 0);
	hand_finish(&bed, &hand);
	bed_end(&bed);
}

static const struct test tests[] = {
	{"a broken rule is named, and nothing happens", a_broken_rule_is_named_and_nothing_happens},
	{"the limits themselves are within them", limits_themselves_are_kept},
	{"without own buffers one must be given", without_buffers_one_must_be_given},
	{"a tail's padding needs room as well", a_tails_padding_needs_room_as_well},
};

int main(int argc, char **argv)
{
	return run_tests("bad input", tests, COUNT(tests), argc, argv);
}
