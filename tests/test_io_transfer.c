/* SPDX-License-Identifier: MIT */
/* Bytes, as the file and the buffers have them: ends of files, tails, vectors, buffers of yours. */
#include <sys/stat.h>
#include <unistd.h>

#include "io_engines.h"

#define BLOCK 4096
#define SIZE  (16 * BLOCK)

static void make(struct bed *bed, size_t size, enum tern_io_direct direct)
{
	bed_make(bed, (struct tern_io_opts){0});
	bed->file = scratch_file(size, direct);
}

static off_t size_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_size;
}

static void *memory(size_t size)
{
	void *ret = NULL;

	ck_assert_int_eq(posix_memalign(&ret, 4096, size), 0);
	memset(ret, 0x5a, size);
	return ret;
}

static void reads_end_where_the_file_does(void)
{
	static const size_t sizes[] = {SIZE, SIZE - 1, SIZE - 512, SIZE - BLOCK + 1, 1, 0};

	for (unsigned i = 0; i < 2 * COUNT(sizes); i++) {
		const size_t size = sizes[i / 2];
		struct bed bed;
		struct tern_io *io;

		make(&bed, size, i % 2 ? TERN_IO_BUFFERED : TERN_IO_DIRECT_PREFER);
		io = io_get(&bed);
		tern_io_prep_read(io, &bed.file, 0, SIZE);
		ck_assert_int_eq(io_do(io), size);
		ck_assert(has_stamp(io->buffer, 0, size, 0));
		for (uint64_t at = SIZE; at <= 3 * SIZE; at += SIZE) {
			tern_io_prep_read(io, &bed.file, at, BLOCK);
			ck_assert_int_eq(io_do(io), 0);
		}
		tern_io_release(io);
		bed_end(&bed);
	}
}

static void a_file_may_end_in_the_middle_of_a_block(void)
{
	for (unsigned direct = 0; direct <= 1; direct++) {
		struct bed bed;
		struct tern_io *io;

		make(&bed, 0, direct ? TERN_IO_DIRECT_PREFER : TERN_IO_BUFFERED);
		for (unsigned blocks = 0; blocks < 6; blocks++) {
			uint64_t length = blocks * 1000 + 1;

			io = io_get(&bed);
			tern_io_prep_write(io, &bed.file, 2 * BLOCK, length);
			io->flags = TERN_IO_TAIL;
			stamp(io->buffer, 2 * BLOCK, length, blocks);
			ck_assert_int_eq(io_once(io), (int64_t)length);
			ck_assert_int_eq(size_of(bed.file.fd), 2 * BLOCK + (off_t)length);
			ck_assert(file_has_stamp(bed.file.fd, 2 * BLOCK, length, blocks));
		}
		bed_end(&bed);
	}
}

static void a_tail_cuts_what_the_file_had(void)
{
	struct bed bed;
	struct tern_io *io;

	make(&bed, SIZE, TERN_IO_DIRECT_PREFER);
	io = io_get(&bed);
	tern_io_prep_writeback(io, &bed.file, 3 * BLOCK, 4 * BLOCK);
	io->flags = TERN_IO_TAIL; /* though it is of whole blocks */
	stamp(io->buffer, 3 * BLOCK, 4 * BLOCK, 3);
	ck_assert_int_eq(tern_io_submit(io), 0);
	ck_assert_int_eq(tern_io_sync(bed.queue), 0);
	ck_assert_int_eq(size_of(bed.file.fd), 7 * BLOCK);
	ck_assert(file_has_stamp(bed.file.fd, 0, 3 * BLOCK, 0));
	ck_assert(file_has_stamp(bed.file.fd, 3 * BLOCK, 4 * BLOCK, 3));
	bed_end(&bed);
}

static void vectors_of_your_buffers(void)
{
	struct bed bed;
	struct tern_io *io;
	struct iovec iov[5];
	char *bytes = memory(SIZE);

	make(&bed, SIZE, TERN_IO_DIRECT_PREFER);
	io = io_get(&bed);
	for (unsigned i = 0; i < COUNT(iov); i++) /* last in memory, first in the file */
		iov[i] = (struct iovec){bytes + (4 - i) * 2 * BLOCK, 2 * BLOCK};
	tern_io_prep_readv(io, &bed.file, BLOCK, iov, COUNT(iov));
	ck_assert_int_eq(io_do(io), 10 * BLOCK);
	for (unsigned i = 0; i < COUNT(iov); i++)
		ck_assert(has_stamp(iov[i].iov_base, (1 + 2 * i) * BLOCK, 2 * BLOCK, 0));
	for (unsigned i = 0; i < COUNT(iov); i++)
		stamp(iov[i].iov_base, (1 + 2 * i) * BLOCK, 2 * BLOCK, 9);
	tern_io_prep_writev(io, &bed.file, BLOCK, iov, COUNT(iov));
	ck_assert_int_eq(io_do(io), 10 * BLOCK);
	ck_assert(file_has_stamp(bed.file.fd, BLOCK, 10 * BLOCK, 9));
	tern_io_prep_readv(io, &bed.file, SIZE - 3 * BLOCK, iov, COUNT(iov)); /* over the end */
	ck_assert_int_eq(io_once(io), 3 * BLOCK);
	ck_assert(has_stamp(iov[0].iov_base, SIZE - 3 * BLOCK, 2 * BLOCK, 0));
	ck_assert(has_stamp(iov[1].iov_base, SIZE - BLOCK, BLOCK, 0));
	bed_end(&bed);
	free(bytes);
}

static void one_great_buffer_of_yours(void)
{
	const size_t size = 5 << 20;
	struct bed bed;
	struct tern_io *io;
	char *bytes = memory(size);

	make(&bed, size, TERN_IO_DIRECT_PREFER);
	io = io_get(&bed);
	tern_io_prep_read(io, &bed.file, 0, size);
	io->buffer = bytes;
	ck_assert_int_eq(io_do(io), size);
	ck_assert(has_stamp(bytes, 0, size, 0));
	stamp(bytes, 0, size, 1);
	tern_io_prep_write(io, &bed.file, 0, size);
	ck_assert_ptr_ne(io->buffer, bytes); /* its own, again */
	io->buffer = bytes;
	ck_assert_int_eq(io_once(io), size);
	ck_assert(file_has_stamp(bed.file.fd, 0, size, 1));
	bed_end(&bed);
	free(bytes);
}

static void odd_places_where_any_will_do(void)
{
	struct bed bed;
	struct tern_io *io;
	char *bytes = memory(SIZE);

	make(&bed, SIZE, TERN_IO_BUFFERED);
	ck_assert_uint_eq(bed.file.offset_align, 1);
	ck_assert_uint_eq(bed.file.memory_align, 1);
	io = io_get(&bed);
	tern_io_prep_read(io, &bed.file, 12345, 6789);
	io->buffer = bytes + 3;
	ck_assert_int_eq(io_do(io), 6789);
	ck_assert(has_stamp(bytes + 3, 12345, 6789, 0));
	ck_assert_int_eq(bytes[2], 0x5a);
	ck_assert_int_eq(bytes[3 + 6789], 0x5a);
	tern_io_prep_write(io, &bed.file, 777, 3);
	stamp(io->buffer, 777, 3, 1);
	ck_assert_int_eq(io_once(io), 3);
	ck_assert(file_has_stamp(bed.file.fd, 0, 777, 0));
	ck_assert(file_has_stamp(bed.file.fd, 777, 3, 1));
	ck_assert(file_has_stamp(bed.file.fd, 780, SIZE - 780, 0));
	bed_end(&bed);
	free(bytes);
}

static void nothing_to_move_moves_nothing(void)
{
	struct bed bed;
	struct tern_io *io;
	struct iovec iov = {NULL, 0};

	make(&bed, SIZE, TERN_IO_BUFFERED);
	io = io_get(&bed);
	tern_io_prep_read(io, &bed.file, 0, 0);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_write(io, &bed.file, 0, 0);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_readv(io, &bed.file, 0, &iov, 1);
	ck_assert_int_eq(io_once(io), 0);
	ck_assert(file_has_stamp(bed.file.fd, 0, SIZE, 0));
	bed_end(&bed);
}

static void durable_writes_are_written(void)
{
	struct bed bed;
	struct iovec iov[2];
	struct tern_io *io;
	char *bytes = memory(2 * BLOCK);

	make(&bed, SIZE, TERN_IO_DIRECT_PREFER);
	io = io_get(&bed);
	tern_io_prep_write(io, &bed.file, 0, BLOCK);
	io->flags = TERN_IO_DURABLE;
	stamp(io->buffer, 0, BLOCK, 1);
	ck_assert_int_eq(io_do(io), BLOCK);
	stamp(bytes, BLOCK, 2 * BLOCK, 1);
	iov[0] = (struct iovec){bytes, BLOCK};
	iov[1] = (struct iovec){bytes + BLOCK, BLOCK};
	tern_io_prep_writev(io, &bed.file, BLOCK, iov, 2);
	io->flags = TERN_IO_DURABLE;
	ck_assert_int_eq(io_once(io), 2 * BLOCK);
	io = io_get(&bed);
	tern_io_prep_writeback(io, &bed.file, 3 * BLOCK, BLOCK);
	io->flags = TERN_IO_DURABLE;
	stamp(io->buffer, 3 * BLOCK, BLOCK, 1);
	ck_assert_int_eq(tern_io_submit(io), 0);
	ck_assert_int_eq(tern_io_sync(bed.queue), 0);
	ck_assert(file_has_stamp(bed.file.fd, 0, 4 * BLOCK, 1));
	ck_assert(file_has_stamp(bed.file.fd, 4 * BLOCK, SIZE - 4 * BLOCK, 0));
	bed_end(&bed);
	free(bytes);
}

static const struct test tests[] = {
	{"reads end where the file does", reads_end_where_the_file_does},
	{"a file may end in the middle of a block", a_file_may_end_in_the_middle_of_a_block},
	{"a tail cuts what the file had", a_tail_cuts_what_the_file_had},
	{"vectors of your buffers", vectors_of_your_buffers},
	{"one great buffer of yours", one_great_buffer_of_yours},
	{"odd places, where any will do", odd_places_where_any_will_do},
	{"nothing to move moves nothing", nothing_to_move_moves_nothing},
	{"durable writes are written", durable_writes_are_written},
};

int main(int argc, char **argv)
{
	return run_io_tests("transfers", tests, COUNT(tests), argc, argv);
}
