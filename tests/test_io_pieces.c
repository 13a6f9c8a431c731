/* SPDX-License-Identifier: MIT */
/* What an engine is given for a request: short transfers continued, iovecs, tails, great lengths.
 */
#include "io_hand.h"

#define BLOCK 4096

static struct tern_io *next(struct bed *bed, struct hand *hand, const struct tern_io *io,
			    int64_t result)
{
	ck_assert_ptr_eq(hand->held[0], io);
	hand_complete(hand, 0, result);
	turn(bed);
	return hand->n ? hand->held[0] : NULL;
}

static struct tern_io *start(struct bed *bed, struct hand *hand, struct tern_io *io)
{
	ck_assert_int_eq(tern_io_submit(io), 0);
	turn(bed);
	ck_assert_uint_eq(hand->n, 1);
	return io;
}

static void short_transfers_are_continued(void)
{
	const struct tern_io_file file = no_file(1);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = io_get(&bed);
	for (unsigned writing = 0; writing <= 1; writing++) {
		static const unsigned steps[] = {1, 1000, 2900, 90, 5};
		uint64_t moved = 0;

		if (writing)
			tern_io_prep_write(io, &file, 70000, BLOCK);
		else
			tern_io_prep_read(io, &file, 70000, BLOCK);
		start(&bed, &hand, io);
		for (unsigned i = 0; i < COUNT(steps); i++) {
			ck_assert_uint_eq(hand.last.op, writing ? TERN_IO_WRITE : TERN_IO_READ);
			ck_assert_int_eq(hand.last.offset, (int64_t)(70000 + moved));
			ck_assert_uint_eq(hand.last.length, BLOCK - moved);
			ck_assert_ptr_eq(hand.last.buffer, (char *)io->buffer + moved);
			ck_assert_uint_eq(hand.last.iov_count, 0);
			ck_assert_int_eq(hand.last.fd, 1000);
			ck_assert_ptr_nonnull(next(&bed, &hand, io, steps[i]));
			moved += steps[i];
		}
		ck_assert_uint_eq(tern_io_outstanding(bed.queue), 1);
		ck_assert_ptr_null(next(&bed, &hand, io, BLOCK - (int64_t)moved));
		ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
		ck_assert_int_eq(io->result, BLOCK);
		ck_assert_uint_eq(io->length, BLOCK); /* it is described as it was */
		ck_assert_uint_eq(io->offset, 70000);
	}
	tern_io_release(io);
	bed_end(&bed);
}

static void a_read_ends_with_the_file_and_any_with_an_error(void)
{
	const struct tern_io_file file = no_file(1);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = io_get(&bed);
	tern_io_prep_read(io, &file, 0, BLOCK);
	start(&bed, &hand, io);
	ck_assert_ptr_nonnull(next(&bed, &hand, io, 600));
	ck_assert_ptr_null(next(&bed, &hand, io, 0));
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, 600);

	tern_io_prep_read(io, &file, 0, BLOCK);
	start(&bed, &hand, io);
	ck_assert_ptr_nonnull(next(&bed, &hand, io, 600));
	ck_assert_ptr_null(next(&bed, &hand, io, -EIO));
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, -EIO);

	tern_io_prep_write(io, &file, 0, BLOCK);
	start(&bed, &hand, io);
	ck_assert_ptr_nonnull(next(&bed, &hand, io, 600));
	ck_assert_ptr_null(next(&bed, &hand, io, -ENOSPC));
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, -ENOSPC);
	tern_io_release(io);
	bed_end(&bed);
}

/* A write that moves nothing, again and again, would never be over. */
static void a_write_that_moves_nothing_is_an_error(void)
{
	const struct tern_io_file file = no_file(1);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = io_get(&bed);
	tern_io_prep_write(io, &file, 0, BLOCK);
	start(&bed, &hand, io);
	for (unsigned i = 0; i < 10 && hand.n; i++)
		next(&bed, &hand, io, 0);
	ck_assert_uint_eq(hand.n, 0);
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_lt(io->result, 0);
	tern_io_release(io);
	bed_end(&bed);
}

static void direct_transfers_go_on_from_whole_blocks(void)
{
	const struct tern_io_file file = no_file(512);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = io_get(&bed);
	tern_io_prep_write(io, &file, 0, BLOCK);
	start(&bed, &hand, io);
	ck_assert_ptr_nonnull(next(&bed, &hand, io, 1000));
	ck_assert_int_eq(hand.last.offset, 512);
	ck_assert_uint_eq(hand.last.length, BLOCK - 512);
	ck_assert_ptr_eq(hand.last.buffer, (char *)io->buffer + 512);
	ck_assert_ptr_null(next(&bed, &hand, io, BLOCK - 512));
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, BLOCK);

	tern_io_prep_read(io, &file, 0, BLOCK); /* such a read has come to the file's end */
	start(&bed, &hand, io);
	ck_assert_ptr_null(next(&bed, &hand, io, 1000));
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, 1000);
	tern_io_release(io);
	bed_end(&bed);
}

static char memory[8][1000];

/* Where in the caller's buffers the bytes of a piece go, one by one. */
static const char *place_of(const struct tern_io_piece *piece, uint64_t n)
{
	if (!piece->iov_count)
		return n < piece->length ? (char *)piece->buffer + n : NULL;
	for (uint32_t i = 0; i < piece->iov_count; i++) {
		if (n < piece->iov[i].iov_len)
			return (char *)piece->iov[i].iov_base + n;
		n -= piece->iov[i].iov_len;
	}
	return NULL;
}

static void iovecs_are_continued_inside_and_at_their_ends(void)
{
	const struct tern_io_file file = no_file(1);
	struct iovec iov[9], before[9];
	struct hand hand;
	struct bed bed;
	struct tern_io *io;
	uint64_t seed = 5;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = io_get(&bed);
	for (unsigned i = 0; i < 8; i++)
		iov[i + (i > 3)] = (struct iovec){memory[i], 1000};
	iov[4] = (struct iovec){memory[4], 0};
	memcpy(before, iov, sizeof(iov));
	for (unsigned round = 0; round < 500; round++) {
		uint64_t moved = 0;

		tern_io_prep_writev(io, &file, 300, iov, 9);
		ck_assert_uint_eq(io->length, 8000);
		start(&bed, &hand, io);
		while (hand.n) {
			struct tern_io_piece piece = hand_piece(&hand, 0);
			uint32_t step = 1 + draw(&seed, draw(&seed, 2) ? 1500 : 8000);

			ck_assert_int_eq(piece.offset, (int64_t)(300 + moved));
			ck_assert_uint_le(piece.length, 8000 - moved);
			ck_assert_uint_gt(piece.length, 0);
			for (uint64_t n = 0; n < piece.length; n += 125)
				ck_assert_ptr_eq(place_of(&piece, n), memory[0] + moved + n);
			ck_assert_ptr_null(place_of(&piece, piece.length));
			if (round < 8) /* right at an end */
				step = 1000;
			step = step < piece.length ? step : (uint32_t)piece.length;
			moved += step;
			next(&bed, &hand, io, step);
		}
		ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
		ck_assert_int_eq(io->result, 8000);
		ck_assert_int_eq(memcmp(iov, before, sizeof(iov)), 0); /* yours, and as it was */
	}
	tern_io_release(io);
	bed_end(&bed);
}

static void a_tail_is_padded_and_cut(void)
{
	const struct tern_io_file file = no_file(512);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;
	char zeros[512] = {0};

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	for (unsigned length = 1000; length <= 1024; length += 24) {
		io = io_get(&bed);
		tern_io_prep_write(io, &file, 5120, length);
		io->flags = TERN_IO_TAIL;
		memset(io->buffer, 'x', 4096);
		start(&bed, &hand, io);
		ck_assert_uint_eq(hand.last.op, TERN_IO_WRITE);
		ck_assert_uint_eq(hand.last.length, 1024);
		ck_assert_int_eq(memcmp((char *)io->buffer + length, zeros, 1024 - length), 0);
		ck_assert_int_eq(((char *)io->buffer)[length - 1], 'x');
		ck_assert_ptr_nonnull(next(&bed, &hand, io, 512)); /* short of all, too */
		ck_assert_uint_eq(hand.last.length, 512);
		ck_assert_ptr_nonnull(next(&bed, &hand, io, 512));
		ck_assert_uint_eq(hand.last.op, TERN_IO_TRUNCATE);
		ck_assert_uint_eq(hand.last.length, 5120 + length);
		ck_assert_ptr_null(next(&bed, &hand, io, 0));
		ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
		ck_assert_int_eq(io->result, length);
		tern_io_release(io);
	}
	bed_end(&bed);
}

static void a_tail_that_cannot_be_cut_has_failed(void)
{
	const struct tern_io_file file = no_file(512);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = io_get(&bed);
	tern_io_prep_write(io, &file, 0, 1000);
	io->flags = TERN_IO_TAIL;
	start(&bed, &hand, io);
	ck_assert_ptr_nonnull(next(&bed, &hand, io, 1024));
	ck_assert_ptr_null(next(&bed, &hand, io, -EPERM));
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, -EPERM);
	tern_io_release(io);
	bed_end(&bed);
}

static void great_lengths_come_in_pieces(void)
{
	const struct tern_io_file file = no_file(4096);
	const uint64_t length = UINT64_C(5) << 29; /* 2.5 GiB */
	struct hand hand;
	struct bed bed;
	struct tern_io *io;
	uint64_t moved = 0;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = io_get(&bed);
	tern_io_prep_read(io, &file, 0, length);
	io->buffer = (void *)4096; /* nobody touches it */
	start(&bed, &hand, io);
	while (hand.n) {
		struct tern_io_piece piece = hand_piece(&hand, 0);

		ck_assert_uint_le(piece.length, 1 << 30);
		ck_assert_uint_eq(piece.length % 4096, 0);
		ck_assert_int_eq(piece.offset, (int64_t)moved);
		ck_assert_uint_eq((uintptr_t)piece.buffer, 4096 + moved);
		moved += piece.length;
		next(&bed, &hand, io, (int64_t)piece.length);
	}
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, (int64_t)length);
	tern_io_release(io);
	bed_end(&bed);
}

static void many_vectors_come_in_pieces(void)
{
	const struct tern_io_file file = no_file(1);
	static struct iovec iov[3000];
	struct hand hand;
	struct bed bed;
	struct tern_io *io;
	unsigned pieces = 0;

	for (unsigned i = 0; i < COUNT(iov); i++)
		iov[i] = (struct iovec){memory, 2};
	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = io_get(&bed);
	tern_io_prep_readv(io, &file, 0, iov, COUNT(iov));
	start(&bed, &hand, io);
	for (; hand.n; pieces++) {
		ck_assert_uint_le(hand.last.iov_count, 1024);
		ck_assert_uint_eq(hand.last.length, 2 * hand.last.iov_count);
		next(&bed, &hand, io, (int64_t)hand.last.length);
	}
	ck_assert_uint_eq(pieces, 3);
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, 6000);
	tern_io_release(io);
	bed_end(&bed);
}

static void durable_is_of_writes_and_writebacks(void)
{
	const struct tern_io_file file = no_file(1);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	for (unsigned back = 0; back <= 1; back++) {
		io = io_get(&bed);
		if (back)
			tern_io_prep_writeback(io, &file, 0, BLOCK);
		else
			tern_io_prep_write(io, &file, 0, BLOCK);
		ck_assert_uint_eq(io->flags, 0);
		io->flags = TERN_IO_DURABLE;
		start(&bed, &hand, io);
		ck_assert(hand.last.durable);
		next(&bed, &hand, io, 100);
		ck_assert(hand.last.durable);
		next(&bed, &hand, io, BLOCK - 100);
		if (!back) {
			ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
			tern_io_prep_write(io, &file, 0, BLOCK);
			start(&bed, &hand, io);
			ck_assert(!hand.last.durable);
			hand_finish(&bed, &hand);
			ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
			tern_io_release(io);
		}
	}
	bed_end(&bed);
}

static void a_stream_is_read_once(void)
{
	struct tern_io_file file = no_file(1);
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	file.seekable = false;
	hand_bed(&bed, &hand, (struct tern_io_opts){.ordered = true});
	io = io_get(&bed);
	tern_io_prep_read(io, &file, 0, BLOCK); /* or TERN_IO_NEXT */
	start(&bed, &hand, io);
	ck_assert_int_eq(hand.last.offset, -1);
	ck_assert_ptr_null(next(&bed, &hand, io, 10));
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, 10);
	tern_io_prep_write(io, &file, TERN_IO_NEXT, BLOCK);
	start(&bed, &hand, io);
	ck_assert_ptr_nonnull(next(&bed, &hand, io, 10)); /* and written to its end */
	ck_assert_int_eq(hand.last.offset, -1);
	ck_assert_uint_eq(hand.last.length, BLOCK - 10);
	ck_assert_ptr_null(next(&bed, &hand, io, BLOCK - 10));
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, BLOCK);
	tern_io_release(io);
	bed_end(&bed);
}

static const struct test tests[] = {
	{"short transfers are continued", short_transfers_are_continued},
	{"a read ends with the file, and any with an error",
	 a_read_ends_with_the_file_and_any_with_an_error},
	{"a write that moves nothing is an error", a_write_that_moves_nothing_is_an_error},
	{"direct transfers go on from whole blocks", direct_transfers_go_on_from_whole_blocks},
	{"iovecs are continued inside, and at their ends",
	 iovecs_are_continued_inside_and_at_their_ends},
	{"a tail is padded with zeros, and cut", a_tail_is_padded_and_cut},
	{"a tail that cannot be cut has failed", a_tail_that_cannot_be_cut_has_failed},
	{"great lengths come in pieces", great_lengths_come_in_pieces},
	{"many vectors come in pieces", many_vectors_come_in_pieces},
	{"durable is of writes and write-backs, in all their pieces",
	 durable_is_of_writes_and_writebacks},
	{"a stream is read once, and written to the end", a_stream_is_read_once},
};

int main(int argc, char **argv)
{
	return run_tests("pieces", tests, COUNT(tests), argc, argv);
}
