/* SPDX-License-Identifier: MIT */
/* Opening and adopting files: direct I/O required, preferred or not, and what is said of it. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "io_engines.h"

/* In a file system that has no direct I/O, on any machine. */
#define INDIRECT "/proc/self/comm"

static bool is_direct(int fd)
{
	return fcntl(fd, F_GETFL) & O_DIRECT;
}

/* Both ways of getting one say the same. */
static int get(struct tern_io_file *ret, const char *path, enum tern_io_direct direct)
{
	static const struct tern_io_file untouched = {.fd = -77, .why = 77};
	struct tern_io_file opened = untouched, adopted = untouched;
	int fd = open(path, O_RDWR | O_CLOEXEC), e;

	ck_assert_int_ge(fd, 0);
	e = tern_io_open(&opened, path, O_RDWR, 0, direct);
	ck_assert_int_eq(tern_io_adopt(&adopted, fd, direct), e);
	if (e) {
		ck_assert_int_eq(opened.fd, -77);
		ck_assert_int_eq(adopted.fd, -77);
		ck_assert(!is_direct(fd));
		close(fd);
		return e;
	}
	ck_assert(fcntl(opened.fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(adopted.fd, fd);
	ck_assert_int_eq(is_direct(fd), adopted.direct);
	ck_assert_int_eq(is_direct(opened.fd), opened.direct);
	close(fd);
	*ret = opened;
	opened.fd = adopted.fd;
	ck_assert_int_eq(opened.direct, adopted.direct);
	ck_assert_int_eq(opened.seekable, adopted.seekable);
	ck_assert_int_eq(opened.why, adopted.why);
	ck_assert_uint_eq(opened.memory_align, adopted.memory_align);
	ck_assert_uint_eq(opened.offset_align, adopted.offset_align);
	return 0;
}

static void without_direct_anything_is_aligned(void)
{
	struct tern_io_file file;

	ck_assert_int_eq(get(&file, INDIRECT, TERN_IO_BUFFERED), 0);
	ck_assert(!file.direct && file.seekable && !file.appends);
	ck_assert_uint_eq(file.memory_align, 1);
	ck_assert_uint_eq(file.offset_align, 1);
	ck_assert_int_eq(file.why, 0);
	close(file.fd);
}

static void where_it_is_refused_preferring_says_why(void)
{
	struct tern_io_file file;

	ck_assert_int_eq(get(&file, INDIRECT, TERN_IO_DIRECT), -EINVAL);
	ck_assert_int_eq(get(&file, INDIRECT, TERN_IO_DIRECT_PREFER), 0);
	ck_assert(!file.direct);
	ck_assert_uint_eq(file.memory_align, 1);
	ck_assert_uint_eq(file.offset_align, 1);
	ck_assert_int_eq(file.why, EINVAL);
	close(file.fd);
}

/* What is said to be enough is, and is no more than it must be. */
static void check_alignment(const struct tern_io_file *file)
{
	char *bytes = NULL;

	ck_assert_uint_ge(file->memory_align, 1);
	ck_assert_uint_ge(file->offset_align, 1);
	ck_assert_uint_eq(file->memory_align & (file->memory_align - 1), 0);
	ck_assert_uint_eq(file->offset_align & (file->offset_align - 1), 0);
	ck_assert_int_eq(posix_memalign((void **)&bytes, 8192, 32768), 0);
	memset(bytes, 0, 32768);
	ck_assert_int_eq(pwrite(file->fd, bytes + file->memory_align, file->offset_align,
				file->offset_align),
			 file->offset_align);
	if (file->offset_align > 1)
		ck_assert_int_eq(pwrite(file->fd, bytes, file->offset_align, 1), -1);
	free(bytes);
}

static void direct_files_of(const char *folder)
{
	struct tern_io_file file;
	char path[100];
	int fd, e;

	snprintf(path, sizeof(path), "%s/tern-open-XXXXXX", folder);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return;
	ck_assert_int_eq(get(&file, path, TERN_IO_DIRECT_PREFER), 0);
	e = file.direct ? 0 : -EINVAL;
	ck_assert_int_eq(file.why, -e);
	if (file.direct)
		check_alignment(&file);
	close(file.fd);
	ck_assert_int_eq(get(&file, path, TERN_IO_DIRECT), e);
	if (!e) {
		ck_assert(file.direct);
		close(file.fd);
	}
	close(fd);
	unlink(path);
}

static void what_is_said_of_direct_files_is_so(void)
{
	direct_files_of("/tmp");
	direct_files_of("/var/tmp");
	direct_files_of("/dev/shm");
	direct_files_of(".");
}

static void tmpfs_takes_anything(void)
{
	struct tern_io_file file;
	struct statfs fs;

	if (statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC)
		return;
	ck_assert_int_eq(
		tern_io_open(&file, "/dev/shm", O_RDWR | O_TMPFILE, 0600, TERN_IO_DIRECT_PREFER),
		0);
	ck_assert_uint_eq(file.memory_align, 1);
	ck_assert_uint_eq(file.offset_align, 1);
	ck_assert_int_eq(pwrite(file.fd, "odd", 3, 5), 3);
	close(file.fd);
}

static void adopting_sets_and_clears(void)
{
	struct tern_io_file file = scratch_file(4096, TERN_IO_DIRECT_PREFER);
	bool direct = file.direct;

	ck_assert_int_eq(is_direct(file.fd), direct);
	ck_assert_int_eq(tern_io_adopt(&file, file.fd, TERN_IO_BUFFERED), 0);
	ck_assert(!file.direct && !is_direct(file.fd));
	ck_assert_int_eq(tern_io_adopt(&file, file.fd, TERN_IO_DIRECT_PREFER), 0);
	ck_assert_int_eq(is_direct(file.fd), direct);
	close(file.fd);
}

static void pipes_are_left_as_they_are(void)
{
	struct tern_io_file file = {.fd = -77};
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_DIRECT), 0); /* packets, to a pipe */
	ck_assert_int_eq(tern_io_adopt(&file, fds[1], TERN_IO_DIRECT), -EINVAL);
	ck_assert_int_eq(file.fd, -77);
	for (enum tern_io_direct how = TERN_IO_BUFFERED; how <= TERN_IO_DIRECT_PREFER; how++) {
		ck_assert_int_eq(tern_io_adopt(&file, fds[1], how), 0);
		ck_assert(!file.seekable && !file.direct);
		ck_assert_uint_eq(file.offset_align, 1);
		ck_assert_int_eq(file.why, how ? EINVAL : 0);
		ck_assert(is_direct(fds[1]));
	}
	close(fds[0]);
	close(fds[1]);
}

static void appending_is_seen(void)
{
	struct tern_io_file file = scratch_file(0, TERN_IO_BUFFERED), append;

	ck_assert(!file.appends);
	ck_assert_int_eq(fcntl(file.fd, F_SETFL, O_APPEND), 0);
	ck_assert_int_eq(tern_io_adopt(&append, file.fd, TERN_IO_DIRECT_PREFER), 0);
	ck_assert(append.appends && append.seekable);
	ck_assert(fcntl(file.fd, F_GETFL) & O_APPEND);
	close(file.fd);
}

static void errors_are_those_of_the_system(void)
{
	struct tern_io_file file = {.fd = -77};

	ck_assert_int_eq(tern_io_open(&file, "/tmp/no/such/file", O_RDONLY, 0, TERN_IO_BUFFERED),
			 -ENOENT);
	ck_assert_int_eq(tern_io_open(&file, "/tmp", O_RDWR, 0, TERN_IO_BUFFERED), -EISDIR);
	ck_assert_int_eq(tern_io_open(&file, INDIRECT, O_RDONLY | O_DIRECT, 0, TERN_IO_BUFFERED),
			 -EINVAL);
	ck_assert_int_eq(tern_io_adopt(&file, -1, TERN_IO_BUFFERED), -EBADF);
	ck_assert_int_eq(file.fd, -77);
}

static void folders_can_be_synced(void)
{
	struct bed bed;
	struct tern_io *io;

	bed_make(&bed, (struct tern_io_opts){0});
	ck_assert_int_eq(
		tern_io_open(&bed.file, ".", O_RDONLY | O_DIRECTORY, 0, TERN_IO_DIRECT_PREFER), 0);
	ck_assert(!bed.file.direct);
	io = io_get(&bed);
	tern_io_prep_fsync(io, &bed.file);
	ck_assert_int_eq(io_once(io), 0);
	bed_end(&bed);
}

static const struct test tests[] = {
	{"without direct I/O anything is aligned", without_direct_anything_is_aligned},
	{"where it is refused, requiring fails, and preferring says why",
	 where_it_is_refused_preferring_says_why},
	{"what is said of direct files is so", what_is_said_of_direct_files_is_so},
	{"tmpfs takes anything", tmpfs_takes_anything},
	{"adopting sets O_DIRECT and clears it", adopting_sets_and_clears},
	{"pipes are left as they are", pipes_are_left_as_they_are},
	{"appending is seen", appending_is_seen},
	{"errors are those of the system", errors_are_those_of_the_system},
	{"folders can be synced", folders_can_be_synced},
};

int main(int argc, char **argv)
{
	return run_tests("opening", tests, COUNT(tests), argc, argv);
}
