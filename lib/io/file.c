/* SPDX-License-Identifier: MIT */
/*
 * Opening files for queues: direct I/O where it is wanted and to be had, and what it demands.
 *
 * The file is opened without O_DIRECT and gets it afterwards, so that a file system that refuses it
 * can be told from a file that cannot be opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io.h"

#define UNKNOWN_ALIGN 4096

#ifndef STATX_DIOALIGN /* as of Linux 6.1; older headers lack it */
#define STATX_DIOALIGN 0x2000U
#endif

/* What is read of struct statx, which is of one size for ever; not every C library has it. */
struct statx_dio {
	uint32_t mask, more[37];
	uint32_t memory_align, offset_align;
	uint32_t rest[24];
};

/*
 * What the file system demands. Where the kernel does not tell, tmpfs takes anything, and others
 * are safe with a page.
 */
static int find_alignment(struct tern_io_file *f)
{
	struct statx_dio sx;
	struct statfs fs;

	if (syscall(SYS_statx, f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx))
		return -errno;
	if (sx.mask & STATX_DIOALIGN) {
		if (!sx.offset_align)
			return -EINVAL;
		f->memory_align = sx.memory_align;
		f->offset_align = sx.offset_align;
		return 0;
	}
	f->memory_align = f->offset_align =
		!fstatfs(f->fd, &fs) && fs.f_type == TMPFS_MAGIC ? 1 : UNKNOWN_ALIGN;
	return 0;
}

static int set_direct(int fd, int flags, bool direct)
{
	int wanted = direct ? flags | O_DIRECT : flags & ~O_DIRECT;

	return wanted == flags || !fcntl(fd, F_SETFL, wanted) ? 0 : -errno;
}

/* O_DIRECT on a pipe means something else. */
static int make_direct(struct tern_io_file *f, int flags)
{
	int e = f->seekable ? find_alignment(f) : -EINVAL;

	if (!e)
		e = set_direct(f->fd, flags, true);
	f->direct = !e;
	return e;
}

int tern_io_adopt(struct tern_io_file *ret, int fd, enum tern_io_direct direct)
{
	struct tern_io_file f = {.fd = fd};
	int flags = fcntl(fd, F_GETFL), e = 0;

	if (flags < 0)
		return -errno;
	if (direct > TERN_IO_DIRECT)
		return -EINVAL;
	f.seekable = lseek(fd, 0, SEEK_CUR) >= 0;
	f.appends = flags & O_APPEND;
	if (direct != TERN_IO_BUFFERED)
		e = make_direct(&f, flags);
	if (e && direct == TERN_IO_DIRECT)
		return e;
	if (!f.direct) {
		f.memory_align = f.offset_align = 1;
		f.why = -e;
		e = f.seekable ? set_direct(fd, flags, false) : 0;
		if (e)
			return e;
	}
	*ret = f;
	return 0;
}

int tern_io_open(struct tern_io_file *ret, const char *path, int flags, mode_t mode,
		 enum tern_io_direct direct)
{
	int fd, e;

	if (flags & O_DIRECT)
		return -EINVAL;
	fd = open(path, flags | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	e = tern_io_adopt(ret, fd, direct);
	if (e)
		close(fd);
	return e;
}
