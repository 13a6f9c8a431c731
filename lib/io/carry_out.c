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

static ssize_t write_vectors(const struct tern_io_piece *p, const struct iovec *iov, int n)
{
	return p->offset < 0 ? writev(p->fd, iov, n) : pwritev(p->fd, iov, n, p->offset);
}

/* At offset -1 it is writev. Not by name: not every C library has it; nor has every emulator. */
static ssize_t write_durably(const struct tern_io_piece *p, const struct iovec *iov, int n)
{
	long low = (long)p->offset, high = (long)((uint64_t)p->offset >> 32); /* 64 bits: unused */
	ssize_t moved = syscall(SYS_pwritev2, p->fd, iov, (long)n, low, high, RWF_DSYNC);

	if (moved >= 0 || errno != ENOSYS)
		return moved;
	moved = write_vectors(p, iov, n);
	return moved > 0 && fdatasync(p->fd) ? -1 : moved;
}

static ssize_t move(const struct tern_io_piece *p)
{
	struct iovec one = {p->buffer, p->length};
	const struct iovec *iov = p->iov_count ? p->iov : &one;
	int n = p->iov_count ? (int)p->iov_count : 1;

	if (p->op == TERN_IO_WRITE)
		return p->durable ? write_durably(p, iov, n) : write_vectors(p, iov, n);
	return p->offset < 0 ? readv(p->fd, iov, n) : preadv(p->fd, iov, n, p->offset);
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
