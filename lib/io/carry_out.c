/* SPDX-License-Identifier: MIT */
/* The system calls behind each operation, and what a descriptor without O_NONBLOCK would wait for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "carry_out.h"

/* EINVAL and its like, if poll(2) cannot: then the next attempt will tell. */
static void await(const struct tern_io_piece *p)
{
	struct pollfd fd = {.fd = p->fd, .events = p->op == TERN_IO_READ ? POLLIN : POLLOUT};

	poll(&fd, 1, -1);
}

/* At offset -1 preadv2 and pwritev2 are readv and writev. */
static ssize_t move(const struct tern_io_piece *p)
{
	struct iovec one = {p->buffer, p->length};
	const struct iovec *iov = p->iov_count ? p->iov : &one;
	int n = p->iov_count ? (int)p->iov_count : 1;

	if (p->op == TERN_IO_READ)
		return preadv2(p->fd, iov, n, p->offset, 0);
	return pwritev2(p->fd, iov, n, p->offset, p->durable ? RWF_DSYNC : 0);
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
