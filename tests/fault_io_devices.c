/* SPDX-License-Identifier: MIT */
/* Queues on devices and file systems that are full, read-only, cut off or coarse, on each engine.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "io_devices.h"
#include "io_engines.h"

#define BLOCK  4096
#define SIZE   (4 << 20)
#define BLOCKS (SIZE / BLOCK)
#define ROOM   (1 << 20) /* of the small file system; and of what is left of the cut device */

static char device[32];
static struct loop_device loop;

static void make_at(struct bed *bed, const char *path, int flags, enum tern_io_direct direct)
{
	bed_make(bed, (struct tern_io_opts){.depth = 16});
	ck_assert_int_eq(
		tern_io_open(&bed->file, path, flags, (flags & O_CREAT) ? 0600 : 0, direct), 0);
}

static void make(struct bed *bed)
{
	make_at(bed, device, O_RDWR, TERN_IO_DIRECT);
	ck_assert(bed->file.direct);
}

/* Writes, or write-backs, of all blocks, with as many out as there may be. */
static void write_all(struct bed *bed, unsigned number, bool back)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		const uint64_t offset = (uint64_t)(i * 37 % BLOCKS) * BLOCK;
		struct tern_io *io;
		int e;

		while (!(io = tern_io_get(bed->queue)))
			tern_io_poke(bed->queue, 0);
		if (back)
			tern_io_prep_writeback(io, &bed->file, offset, BLOCK);
		else
			tern_io_prep_write(io, &bed->file, offset, BLOCK);
		io->done = back ? NULL : tern_io_release;
		stamp(io->buffer, offset, BLOCK, number);
		while ((e = tern_io_submit(io)) == -EAGAIN)
			tern_io_poke(bed->queue, 0);
		ck_assert_int_eq(e, 0);
	}
	ck_assert_int_eq(tern_io_sync(bed->queue), 0);
}

static void check_read(struct tern_io *io)
{
	ck_assert_int_eq(io->result, BLOCK);
	ck_assert(has_stamp(io->buffer, io->offset, BLOCK, *(unsigned *)io->user));
	tern_io_release(io);
}

static void read_all(struct bed *bed, unsigned number)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct tern_io *io;
		int e;

		while (!(io = tern_io_get(bed->queue)))
			tern_io_poke(bed->queue, 0);
		tern_io_prep_read(io, &bed->file, (uint64_t)i * BLOCK, BLOCK);
		io->user = &number;
		io->done = check_read;
		while ((e = tern_io_submit(io)) == -EAGAIN)
			tern_io_poke(bed->queue, 0);
		ck_assert_int_eq(e, 0);
	}
	tern_io_drain(bed->queue);
}

static void all_of_it_is_written_and_read(void)
{
	struct bed bed;
	struct tern_io *io;

	make(&bed);
	for (unsigned number = 1; number <= 2; number++) {
		write_all(&bed, number, number == 2);
		io = io_get(&bed);
		tern_io_prep_fdatasync(io, &bed.file);
		ck_assert_int_eq(io_once(io), 0);
		read_all(&bed, number);
	}
	io = io_get(&bed);
	tern_io_prep_read(io, &bed.file, SIZE, BLOCK);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_write(io, &bed.file, SIZE, BLOCK);
	ck_assert_int_eq(io_once(io), -ENOSPC);
	bed_end(&bed);
}

static void discarded_blocks_are_zeros(void)
{
	static const char zeros[BLOCK];
	struct bed bed;
	struct tern_io *io;

	make(&bed);
	write_all(&bed, 3, false);
	io = io_get(&bed);
	tern_io_prep_discard(io, &bed.file, 8 * BLOCK, 8 * BLOCK);
	ck_assert_int_eq(io_do(io), 0);
	for (unsigned i = 7; i <= 16; i++) {
		tern_io_prep_read(io, &bed.file, (uint64_t)i * BLOCK, BLOCK);
		ck_assert_int_eq(io_do(io), BLOCK);
		if (i == 7 || i == 16)
			ck_assert(has_stamp(io->buffer, (uint64_t)i * BLOCK, BLOCK, 3));
		else
			ck_assert_int_eq(memcmp(io->buffer, zeros, BLOCK), 0);
	}
	tern_io_release(io);
	bed_end(&bed);
}

static void coarse_sectors_are_asked_for(void)
{
	struct bed bed;
	struct tern_io *io;

	make(&bed);
	ck_assert_uint_eq(bed.file.offset_align, BLOCK);
	io = io_get(&bed);
	tern_io_prep_write(io, &bed.file, 512, BLOCK);
	ck_assert_int_eq(tern_io_submit(io), -EINVAL);
	ck_assert_ptr_nonnull(strstr(io->refused, "offset"));
	tern_io_prep_write(io, &bed.file, 0, 512);
	ck_assert_int_eq(tern_io_submit(io), -EINVAL);
	ck_assert_ptr_nonnull(strstr(io->refused, "length"));
	tern_io_release(io);
	bed_end(&bed);
}

static void writing_where_it_is_forbidden_is_eperm(void)
{
	struct bed bed;
	struct tern_io *io;
	struct tern_io_error error;

	make(&bed);
	io = io_get(&bed);
	tern_io_prep_read(io, &bed.file, 0, BLOCK);
	ck_assert_int_eq(io_do(io), BLOCK);
	for (unsigned flags = 0; flags <= TERN_IO_DURABLE; flags++) {
		tern_io_prep_write(io, &bed.file, 0, BLOCK);
		io->flags = (uint8_t)flags;
		ck_assert_int_eq(io_do(io), -EPERM);
	}
	tern_io_prep_writeback(io, &bed.file, 5 * BLOCK, BLOCK);
	ck_assert_int_eq(tern_io_submit(io), 0);
	tern_io_drain(bed.queue);
	ck_assert(tern_io_write_error(bed.queue, &error));
	ck_assert_int_eq(error.fd, bed.file.fd);
	ck_assert_uint_eq(error.offset, 5 * BLOCK);
	ck_assert_uint_eq(error.length, BLOCK);
	ck_assert_int_eq(error.error, EPERM);
	ck_assert_int_eq(tern_io_sync(bed.queue), -EPERM);
	bed_end(&bed);
}

/* Its file is shorter than the device: what is not there cannot be read. */
static void what_is_cut_off_is_eio(void)
{
	struct bed bed;
	struct tern_io *io;

	make(&bed);
	io = io_get(&bed);
	tern_io_prep_read(io, &bed.file, ROOM - BLOCK, BLOCK);
	ck_assert_int_eq(io_do(io), BLOCK);
	tern_io_prep_read(io, &bed.file, 2 * ROOM, BLOCK);
	ck_assert_int_eq(io_do(io), -EIO);
	tern_io_prep_read(io, &bed.file, ROOM - 2 * BLOCK, 4 * BLOCK);
	ck_assert_int_eq(io_do(io), -EIO);
	tern_io_prep_read(io, &bed.file, 0, BLOCK);
	ck_assert_int_eq(io_once(io), BLOCK);
	bed_end(&bed);
}

static unsigned failed;

static void note_error(struct tern_io_queue *queue, const struct tern_io_error *error)
{
	ck_assert_int_eq(error->error, ENOSPC);
	failed++;
}

static void fill_up(struct bed *bed)
{
	for (unsigned i = 0; i < 2 * ROOM / 16384; i++) {
		struct tern_io *io;
		int e;

		while (!(io = tern_io_get(bed->queue)))
			tern_io_poke(bed->queue, 0);
		tern_io_prep_writeback(io, &bed->file, (uint64_t)i * 16384, 16384);
		stamp(io->buffer, (uint64_t)i * 16384, 16384, 1);
		while ((e = tern_io_submit(io)) == -EAGAIN)
			tern_io_poke(bed->queue, 0);
		ck_assert_int_eq(e, 0);
	}
	ck_assert_int_eq(tern_io_sync(bed->queue), -ENOSPC);
	ck_assert_int_eq(tern_io_sync(bed->queue), 0);
}

static void a_full_file_system_is_enospc(void)
{
	struct bed bed;
	struct tern_io *io;
	uint64_t there = 0;

	bed_make(&bed, (struct tern_io_opts){.ordered = true, .write_error = note_error});
	ck_assert_int_eq(tern_io_open(&bed.file, MOUNTED "/full", O_RDWR | O_CREAT | O_TRUNC, 0600,
				      TERN_IO_DIRECT_PREFER),
			 0);
	failed = 0;
	fill_up(&bed);
	ck_assert_uint_ge(failed, ROOM / 16384);
	io = io_get(&bed);
	tern_io_prep_write(io, &bed.file, 3 * ROOM, BLOCK);
	ck_assert_int_eq(io_do(io), -ENOSPC);
	tern_io_prep_allocate(io, &bed.file, 0, 2 * ROOM);
	ck_assert_int_eq(io_do(io), -ENOSPC);
	while (there < ROOM / 2 && file_has_stamp(bed.file.fd, there, 16384, 1))
		there += 16384;
	ck_assert_uint_eq(there, ROOM / 2);
	tern_io_prep_discard(io, &bed.file, 0, ROOM / 2); /* room again */
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_write(io, &bed.file, 0, BLOCK);
	ck_assert_int_eq(io_once(io), BLOCK);
	bed_end(&bed);
	unlink(MOUNTED "/full");
}

static void without_direct_io_preferring_says_so_and_works(void)
{
	struct tern_io_file file;
	struct bed bed;
	struct tern_io *io;

	ck_assert_int_eq(tern_io_open(&file, MOUNTED "/f", O_RDWR | O_CREAT, 0600, TERN_IO_DIRECT),
			 -EINVAL);
	make_at(&bed, MOUNTED "/f", O_RDWR | O_CREAT, TERN_IO_DIRECT_PREFER);
	ck_assert(!bed.file.direct);
	ck_assert_int_eq(bed.file.why, EINVAL);
	ck_assert_uint_eq(bed.file.offset_align, 1);
	write_all(&bed, 1, true);
	read_all(&bed, 1);
	io = io_get(&bed);
	tern_io_prep_read(io, &bed.file, 3, 5);
	ck_assert_int_eq(io_once(io), 5);
	bed_end(&bed);
}

static const char *coarse(void)
{
	const char *why = loop_device(&loop, SIZE, BLOCK, 0);

	strcpy(device, loop.path);
	return why;
}

static const char *read_only(void)
{
	const char *why = loop_device(&loop, SIZE, 512, 1);

	strcpy(device, loop.path);
	return why;
}

static const char *cut(void)
{
	const char *why = loop_device(&loop, SIZE, 512, 0);

	strcpy(device, loop.path);
	return why || !ftruncate(loop.backing, ROOM) ? why : "the file cannot be cut";
}

static const char *memory(void)
{
	return zram_device(device, SIZE);
}

static const char *small(void)
{
	return mount_here("tmpfs", "tern", "size=1m");
}

static const char *ramfs(void)
{
	return mount_here("ramfs", "tern", NULL);
}

static const struct test coarse_tests[] = {
	{"coarse sectors are asked for", coarse_sectors_are_asked_for},
	{"all of a loop device is written and read", all_of_it_is_written_and_read},
};
static const struct test zram_tests[] = {
	{"all of a zram device is written and read", all_of_it_is_written_and_read},
	{"discarded blocks are zeros", discarded_blocks_are_zeros},
};
static const struct test read_only_tests[] = {
	{"writing where it is forbidden is -EPERM", writing_where_it_is_forbidden_is_eperm},
};
static const struct test cut_tests[] = {
	{"what is cut off is -EIO", what_is_cut_off_is_eio},
};
static const struct test small_tests[] = {
	{"a full file system is -ENOSPC, and nothing is lost", a_full_file_system_is_enospc},
};
static const struct test ramfs_tests[] = {
	{"without direct I/O, preferring says so and works",
	 without_direct_io_preferring_says_so_and_works},
};

#define TESTS(tests) tests, COUNT(tests)

static const struct {
	const char *name;
	const char *(*make)(void);
	const struct test *tests;
	size_t n;
} devices[] = {
	{"sectors", coarse, TESTS(coarse_tests)},
	{"zram", memory, TESTS(zram_tests)},
	{"read-only", read_only, TESTS(read_only_tests)},
	{"cut", cut, TESTS(cut_tests)},
	{"full", small, TESTS(small_tests)},
	{"ramfs", ramfs, TESTS(ramfs_tests)},
};

/* fault_io_devices DEVICE [ENGINE [TEST]] */
int main(int argc, char **argv)
{
	for (size_t i = 0; i < COUNT(devices); i++) {
		const char *why;

		if (argc < 2 || strcmp(argv[1], devices[i].name) != 0)
			continue;
		why = geteuid() ? "only root has devices" : devices[i].make();
		if (why) {
			puts(why);
			return 77;
		}
		return run_io_tests(devices[i].name, devices[i].tests, devices[i].n, argc - 1,
				    argv + 1);
	}
	fputs("usage: fault_io_devices sectors|zram|read-only|cut|full|ramfs [ENGINE [TEST]]\n",
	      stderr);
	return 2;
}
