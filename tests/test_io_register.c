/* SPDX-License-Identifier: MIT */
/*
 * Registered files on each engine: with a ring they do what others do and stay open, elsewhere they
 * are refused, and do the same.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_engines.h"

#define BLOCK  4096
#define BLOCKS 16

static void make(struct bed *bed)
{
	bed_make(bed, (struct tern_io_opts){0});
	bed->file = scratch_file(BLOCKS * BLOCK, TERN_IO_DIRECT_PREFER);
}

static bool keeps(void)
{
	return io_engine == IO_URING;
}

/* As it is to be on this engine. */
static void try_to_register(struct tern_io_queue *queue, struct tern_io_file *file)
{
	const struct tern_io_file before = *file;
	int e = tern_io_register(queue, file);

	ck_assert_int_eq(e, keeps() ? 0 : -ENOTSUP);
	ck_assert(keeps() || same_file(file, &before));
}

static int64_t read_at(struct bed *bed, const struct tern_io_file *file, uint64_t block,
		       unsigned number)
{
	struct tern_io *io = io_get(bed);
	int64_t result;

	tern_io_prep_read(io, file, block * BLOCK, BLOCK);
	result = io_do(io);
	ck_assert(result < 0 || has_stamp(io->buffer, block * BLOCK, BLOCK, number));
	tern_io_release(io);
	return result;
}

static int64_t write_at(struct bed *bed, const struct tern_io_file *file, uint64_t block,
			unsigned number)
{
	struct tern_io *io = io_get(bed);

	tern_io_prep_write(io, file, block * BLOCK, BLOCK);
	stamp(io->buffer, block * BLOCK, BLOCK, number);
	return io_once(io);
}

/* In buffers that are not the queue's own. */
static void vectors(struct bed *bed, const struct tern_io_file *file)
{
	char *bytes = aligned_alloc(BLOCK, 3 * BLOCK);
	const struct iovec iov[] = {{bytes, BLOCK}, {bytes + BLOCK, 2 * BLOCK}};
	struct tern_io *io = io_get(bed);

	stamp(bytes, 8 * BLOCK, 3 * BLOCK, 2);
	tern_io_prep_writev(io, file, 8 * BLOCK, iov, COUNT(iov));
	ck_assert_int_eq(io_do(io), 3 * BLOCK);
	memset(bytes, 0, 3 * BLOCK);
	tern_io_prep_readv(io, file, 8 * BLOCK, iov, COUNT(iov));
	ck_assert_int_eq(io_do(io), 3 * BLOCK);
	ck_assert(has_stamp(bytes, 8 * BLOCK, 3 * BLOCK, 2));
	tern_io_prep_read(io, file, 0, BLOCK);
	io->buffer = bytes;
	ck_assert_int_eq(io_once(io), BLOCK);
	ck_assert(has_stamp(bytes, 0, BLOCK, 0));
	free(bytes);
}

static void what_moves_nothing(struct bed *bed, const struct tern_io_file *file)
{
	struct tern_io *io = io_get(bed);
	const char zeros[BLOCK] = {0};
	struct stat st;

	tern_io_prep_allocate(io, file, BLOCKS * BLOCK, BLOCK);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_discard(io, file, 4 * BLOCK, BLOCK);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_read(io, file, 4 * BLOCK, BLOCK);
	ck_assert_int_eq(io_do(io), BLOCK);
	ck_assert_int_eq(memcmp(io->buffer, zeros, BLOCK), 0);
	tern_io_prep_fsync(io, file);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_fdatasync(io, file);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_truncate(io, file, (BLOCKS - 1) * BLOCK);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_write(io, file, (BLOCKS - 1) * BLOCK, 100);
	stamp(io->buffer, (BLOCKS - 1) * BLOCK, 100, 3);
	io->flags = TERN_IO_TAIL;
	ck_assert_int_eq(io_once(io), 100);
	ck_assert_int_eq(fstat(file->fd, &st), 0);
	ck_assert_int_eq(st.st_size, (BLOCKS - 1) * BLOCK + 100);
	ck_assert(file_has_stamp(file->fd, (BLOCKS - 1) * BLOCK, 100, 3));
}

static void registered_ones_do_what_others_do(void)
{
	for (unsigned direct = 0; direct <= 1; direct++) {
		struct bed bed;

		bed_make(&bed, (struct tern_io_opts){0});
		bed.file = scratch_file(BLOCKS * BLOCK,
					direct ? TERN_IO_DIRECT_PREFER : TERN_IO_BUFFERED);
		try_to_register(bed.queue, &bed.file);
		ck_assert_int_eq(write_at(&bed, &bed.file, 1, 1), BLOCK);
		ck_assert_int_eq(read_at(&bed, &bed.file, 1, 1), BLOCK);
		ck_assert_int_eq(read_at(&bed, &bed.file, 2, 0), BLOCK);
		ck_assert(file_has_stamp(bed.file.fd, BLOCK, BLOCK, 1));
		vectors(&bed, &bed.file);
		what_moves_nothing(&bed, &bed.file);
		ck_assert_int_eq(tern_io_unregister(bed.queue, &bed.file), keeps() ? 0 : -ENOENT);
		ck_assert_int_eq(read_at(&bed, &bed.file, 1, 1), BLOCK);
		bed_end(&bed);
	}
}

/* The number goes to a file of other contents, the old one's if it is still open otherwise. */
static int replace(int fd)
{
	struct tern_io_file other = scratch_file(BLOCKS * BLOCK, TERN_IO_BUFFERED);
	int kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	ck_assert_int_ge(kept, 0);
	for (unsigned i = 0; i < BLOCKS; i++) {
		char bytes[BLOCK];

		stamp(bytes, i * BLOCK, BLOCK, 9);
		ck_assert_int_eq(pwrite(other.fd, bytes, BLOCK, i * BLOCK), BLOCK);
	}
	ck_assert_int_eq(dup3(other.fd, fd, O_CLOEXEC), fd);
	close(other.fd);
	return kept;
}

static void the_queue_has_it_open(void)
{
	struct tern_io_file copy;
	struct tern_io *io;
	struct bed bed;
	int kept;

	if (!keeps())
		return;
	make(&bed);
	try_to_register(bed.queue, &bed.file);
	copy = bed.file;
	close(copy.fd);
	ck_assert_int_eq(read_at(&bed, &copy, 1, 0), BLOCK);
	bed.file = scratch_file(BLOCK, TERN_IO_BUFFERED);
	ck_assert_int_eq(bed.file.fd, copy.fd); /* the least that is free */
	ck_assert_int_eq(read_at(&bed, &copy, 1, 0), BLOCK);
	close(bed.file.fd);

	bed.file = scratch_file(BLOCKS * BLOCK, TERN_IO_BUFFERED);
	try_to_register(bed.queue, &bed.file);
	kept = replace(bed.file.fd);
	ck_assert_int_eq(write_at(&bed, &bed.file, 2, 1), BLOCK);
	ck_assert_int_eq(read_at(&bed, &bed.file, 2, 1), BLOCK);
	io = io_get(&bed);
	tern_io_prep_fsync(io, &bed.file);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_discard(io, &bed.file, 3 * BLOCK, BLOCK);
	ck_assert_int_eq(io_once(io), 0);
	ck_assert(file_has_stamp(kept, 2 * BLOCK, BLOCK, 1));
	ck_assert(!file_has_stamp(kept, 3 * BLOCK, BLOCK, 0));
	ck_assert(file_has_stamp(bed.file.fd, 0, BLOCKS * BLOCK, 9));

	ck_assert_int_eq(tern_io_unregister(bed.queue, &bed.file), 0);
	ck_assert_int_eq(read_at(&bed, &bed.file, 2, 9), BLOCK); /* by the number again */
	close(kept);
	bed_end(&bed);
}

static unsigned harmed, over;

static void look(struct tern_io *io)
{
	over++;
	harmed += io->result < 0;
	tern_io_release(io);
}

/* Some of these are begun by threads of the kernel's, which look the file up then. */
static void submit_many(struct bed *bed, const struct tern_io_file *file)
{
	for (unsigned i = 0; i < 32; i++) {
		struct tern_io *io = io_get(bed);

		if (i % 4 == 0)
			tern_io_prep_read(io, file, i % BLOCKS * BLOCK, BLOCK);
		else if (i % 4 == 1)
			tern_io_prep_fsync(io, file);
		else if (i % 4 == 2)
			tern_io_prep_allocate(io, file, i % BLOCKS * BLOCK, BLOCK);
		else
			tern_io_prep_write(io, file, i % BLOCKS * BLOCK, BLOCK);
		io->done = look;
		ck_assert_int_eq(tern_io_submit(io), 0);
	}
}

static void what_is_outstanding_is_not_harmed(void)
{
	struct bed bed;

	make(&bed);
	for (unsigned round = 0; round < 10; round++) {
		struct tern_io_file file = bed.file, copy;

		file.fd = fcntl(bed.file.fd, F_DUPFD_CLOEXEC, 0);
		try_to_register(bed.queue, &file);
		copy = file;
		harmed = over = 0;
		submit_many(&bed, &file);
		if (keeps()) {
			ck_assert_int_eq(tern_io_unregister(bed.queue, &file), 0);
			close(file.fd);
		}
		tern_io_drain(bed.queue);
		ck_assert_uint_eq(over, 32);
		ck_assert_uint_eq(harmed, 0);
		if (!keeps())
			close(file.fd);
		ck_assert_int_eq(read_at(&bed, &copy, 0, 0), -EBADF);
	}
	bed_end(&bed);
}

static void another_queue_takes_it_for_a_plain_one(void)
{
	struct bed bed, other;
	struct tern_io_file copy;
	int fd;

	make(&bed);
	other = bed;
	other.queue = bed_queue(&bed, (struct tern_io_opts){.depth = 4});
	try_to_register(bed.queue, &bed.file);
	copy = bed.file;
	ck_assert_int_eq(read_at(&other, &copy, 1, 0), BLOCK);
	if (keeps()) {
		fd = fcntl(copy.fd, F_DUPFD_CLOEXEC, 0);
		close(copy.fd);
		ck_assert_int_eq(read_at(&other, &copy, 1, 0), -EBADF);
		ck_assert_int_eq(read_at(&bed, &copy, 1, 0), BLOCK);
		ck_assert_int_eq(tern_io_register(other.queue, &copy), -EBADF);
		ck_assert_int_eq(read_at(&bed, &copy, 1, 0), BLOCK);
		ck_assert_int_eq(dup3(fd, copy.fd, O_CLOEXEC), copy.fd);
		close(fd);
	}
	try_to_register(other.queue, &copy);
	ck_assert_int_eq(read_at(&other, &copy, 1, 0), BLOCK);
	ck_assert_int_eq(tern_io_queue_destroy(other.queue), 0);
	bed_end(&bed);
}

static void a_ring_has_64(void)
{
	struct tern_io_file files[65];
	struct bed bed;

	if (!keeps())
		return;
	make(&bed);
	for (unsigned i = 0; i < COUNT(files); i++) {
		files[i] = bed.file;
		files[i].fd = fcntl(bed.file.fd, F_DUPFD_CLOEXEC, 0);
		ck_assert_int_eq(tern_io_register(bed.queue, &files[i]), i < 64 ? 0 : -ENOSPC);
	}
	ck_assert_int_eq(tern_io_unregister(bed.queue, &files[7]), 0);
	ck_assert_int_eq(tern_io_register(bed.queue, &files[64]), 0);
	for (unsigned i = 0; i < COUNT(files); i++) {
		close(files[i].fd);
		ck_assert_int_eq(read_at(&bed, &files[i], i % BLOCKS, 0), i == 7 ? -EBADF : BLOCK);
	}
	bed_end(&bed);
}

static void what_is_not_open_is_refused(void)
{
	struct tern_io_file file, before;
	struct bed bed;

	make(&bed);
	file = before = (struct tern_io_file){.fd = -1};
	ck_assert_int_eq(tern_io_register(bed.queue, &file), -EBADF);
	ck_assert(same_file(&file, &before));
	ck_assert_int_eq(tern_io_unregister(bed.queue, &file), -ENOENT);
	file = bed.file;
	file.fd = fcntl(bed.file.fd, F_DUPFD_CLOEXEC, 0);
	close(file.fd);
	before = file;
	ck_assert_int_eq(tern_io_register(bed.queue, &file), keeps() ? -EBADF : -ENOTSUP);
	ck_assert(same_file(&file, &before));
	ck_assert_int_eq(tern_io_unregister(bed.queue, &file), -ENOENT);
	try_to_register(bed.queue, &bed.file);
	ck_assert_int_eq(read_at(&bed, &bed.file, 1, 0), BLOCK);
	bed_end(&bed);
}

static void destroy_lets_go_of_it(void)
{
	struct bed bed, other;
	struct tern_io_file end;
	int fds[2];
	char byte;

	make(&bed);
	other = bed;
	other.queue = bed_queue(&bed, (struct tern_io_opts){0});
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(tern_io_adopt(&end, fds[1], TERN_IO_BUFFERED), 0);
	try_to_register(other.queue, &end);
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), keeps() ? -1 : 0);
	ck_assert_int_eq(tern_io_queue_destroy(other.queue), 0);
	/* an older kernel may be a moment behind */
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, 0), 0);
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);
	close(fds[0]);
	bed_end(&bed);
}

static void a_low_limit_of_descriptors(void)
{
	struct rlimit limit, low;
	struct bed bed;

	if (scaled(20) == 1)
		return; /* valgrind keeps the limit to itself, and the kernel has another */
	make(&bed);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){.rlim_cur = 63, .rlim_max = limit.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_int_eq(tern_io_register(bed.queue, &bed.file), keeps() ? -EMFILE : -ENOTSUP);
	ck_assert_uint_eq(bed.file.registered, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_uint_eq(low.rlim_cur, 63); /* the program's own affair */
	ck_assert_int_eq(read_at(&bed, &bed.file, 1, 0), BLOCK);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	try_to_register(bed.queue, &bed.file);
	ck_assert_int_eq(read_at(&bed, &bed.file, 1, 0), BLOCK);
	bed_end(&bed);
}

static const struct test tests[] = {
	{"registered files do what others do", registered_ones_do_what_others_do},
	{"the queue has the file open, whatever has its number", the_queue_has_it_open},
	{"what is outstanding is not harmed by the end of it", what_is_outstanding_is_not_harmed},
	{"another queue takes it for a plain one", another_queue_takes_it_for_a_plain_one},
	{"a ring has 64, and room again after one goes", a_ring_has_64},
	{"what is not open is refused", what_is_not_open_is_refused},
	{"destroy lets go of it", destroy_lets_go_of_it},
	{"a low limit of descriptors is told, and harms no request", a_low_limit_of_descriptors},
};

int main(int argc, char **argv)
{
	return run_io_tests("registered files", tests, COUNT(tests), argc, argv);
}
