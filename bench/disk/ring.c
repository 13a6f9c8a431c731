/* SPDX-License-Identifier: MIT */
/*
 * The ring: one issuer, task work when we ask for it, the descriptors of ring and file and the
 * buffers registered. What the kernel refuses to do without blocking is given to its threads.
 */
#include "ring.h"

#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>

struct io_uring ring;

static bool fixed_file, fixed_buffers;
static char how[64];
const char *disk_how = how;

void ring_start(void)
{
	const unsigned best = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			      IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
			      IORING_SETUP_CLAMP;
	const unsigned older = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
	struct iovec all = {ios[0].buffer, disk.depth * disk.block};
	unsigned entries = (unsigned)disk.depth, flags = best;
	int error = io_uring_queue_init(entries, &ring, flags);
	bool fixed_ring;

	if (error == -EINVAL)
		error = io_uring_queue_init(entries, &ring, flags = older);
	if (error == -EINVAL)
		error = io_uring_queue_init(entries, &ring, flags = 0);
	if (error) {
		errno = -error;
		die("io_uring");
	}
	fixed_ring = io_uring_register_ring_fd(&ring) == 1;
	fixed_file = !io_uring_register_files(&ring, &disk.fd, 1);
	fixed_buffers = !io_uring_register_buffers(&ring, &all, 1);
	snprintf(how, sizeof(how), "flags 0x%x%s%s%s", flags, fixed_ring ? ", fixed ring" : "",
		 fixed_file ? ", fixed file" : "", fixed_buffers ? ", fixed buffers" : "");
}

static void put(struct io *io, unsigned flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring); /* there is one for each in flight */
	int fd = fixed_file ? 0 : disk.fd;
	unsigned length = (unsigned)disk.block;

	if (fixed_buffers && disk.write)
		io_uring_prep_write_fixed(sqe, fd, io->buffer, length, io->offset, 0);
	else if (fixed_buffers)
		io_uring_prep_read_fixed(sqe, fd, io->buffer, length, io->offset, 0);
	else if (disk.write)
		io_uring_prep_write(sqe, fd, io->buffer, length, io->offset);
	else
		io_uring_prep_read(sqe, fd, io->buffer, length, io->offset);
	io_uring_sqe_set_flags(sqe, flags | (fixed_file ? IOSQE_FIXED_FILE : 0));
	io_uring_sqe_set_data(sqe, io);
}

void ring_fill(void)
{
	for (uint64_t i = 0; i < disk.depth; i++)
		if (disk_next(&ios[i]))
			put(&ios[i], 0);
}

unsigned ring_reap(void)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&ring, head, cqe)
	{
		struct io *io = io_uring_cqe_get_data(cqe);
		n++;
		if (cqe->res == -EAGAIN) {
			put(io, IOSQE_ASYNC);
			continue;
		}
		disk_over(io, cqe->res);
		if (disk_next(io))
			put(io, 0);
	}
	io_uring_cq_advance(&ring, n);
	return n;
}
