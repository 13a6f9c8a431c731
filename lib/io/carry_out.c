/* SPDX-License-Identifier: MIT */
/* The system calls behind each operation, and what a descriptor without O_NONBLOCK would wait for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "carry_out.h"

/* EINVAL and its like, if poll(2) cannot: then the next attempt will tell. */
static void await(const struct tern_io_piece *p)
{
	struct pollfd fd = {.fd = p->fd, .events = p->op == TERN_IO_READ ? POLLIN : POLLOUT};

	poll(&fd, 1, -1);
}

/* At offset -1 they are readv and writev. Not by their names, which not every C library has. */
static ssize_t transfer(long number, const struct tern_io_piece *p, const struct iovec *iov, int n,
			int flags)
{
	long low = (long)p->offset, high = (long)((uint64_t)p->offset >> 32); /* 64 bits: unused */

	return syscall(number, p->fd, iov, (long)n, low, high, flags);
}

static ssize_t move(const struct tern_io_piece *p)
{
	struct iovec one = {p->buffer, p->length};
	const struct iovec *iov = p->iov_count ? p->iov : &one;
	int n = p->iov_count ? (int)p->iov_count : 1;

	if (p->op == TERN_IO_READ)
		return transfer(SYS_preadv2, p, iov, n, 0);
	return transfer(SYS_pwritev2, p, iov, n, p->durable ? RWF_DSYNC : 0);
}

static int64_t call(const struct tern_io_piece *p)
{
	switch (p->op) {
	case TERN_IO_READ:
	case TERN_IO_WRITE:
		if (p->blocking)
			await(p);
		return move(p);
	case TERN_IO_FSYNC:
		return fsync(p->fd);
	case TERN_IO_FDATASYNC:
		return fdatasync(p->fd);
	case TERN_IO_ALLOCATE:
		return fallocate(p->fd, 0, p->offset, (off_t)p->length);
	case TERN_IO_DISCARD:
		return fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, p->offset,
				 (off_t)p->length);
	case TERN_IO_TRUNCATE:
		return ftruncate(p->fd, (off_t)p->length);
	default:
		errno = EOPNOTSUPP;
		return -1;
	}
}

int64_t tern__carry_out(const struct tern_io_piece *piece)
{
	int64_t n = call(piece);

	return n < 0 ? -errno : n;
}
