/* SPDX-License-Identifier: MIT */
/* The rules that a request must keep, looked at before anything happens to it. */
#include <errno.h>

#include "io.h"

static int refuse(struct tern_io *io, const char *rule)
{
	io->refused = rule;
	return -EINVAL;
}

static bool is_write(const struct tern_io *io)
{
	return io->op == TERN_IO_WRITE || io->op == TERN_IO_WRITEBACK;
}

static int check_vectors(struct tern_io *io)
{
	const struct tern_io_file *f = &io->file;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < io->iov_count; i++) {
		const struct iovec *v = &io->iov[i];

		if (f->direct && (uintptr_t)v->iov_base % f->memory_align)
			return refuse(io, "a vector's address is no multiple of memory_align");
		if (f->direct && v->iov_len % f->offset_align)
			return refuse(io, "a vector's length is no multiple of offset_align");
		if (!v->iov_base && v->iov_len)
			return refuse(io, "a vector has no buffer");
		sum += v->iov_len;
		if (sum < v->iov_len || sum > INT64_MAX)
			return refuse(io, "the vectors are longer than a file can be");
	}
	return sum == io->length ? 0 : refuse(io, "length is not the sum of the vectors");
}

static int check_tail(struct tern_io *io)
{
	const struct tern_io_queue *q = io->queue;

	if (io->iov_count)
		return refuse(io, "a tail needs one buffer");
	if (io->offset == TERN_IO_NEXT || io->file.appends || !io->file.seekable)
		return refuse(io, "a tail needs an offset");
	if (io->flags & TERN_IO_DURABLE)
		return refuse(io, "a tail cannot be durable: sync the file");
	if (io->buffer == io->own_buffer && tern__io_total(io) > q->buffer_stride)
		return refuse(io, "the tail's padding is beyond the buffer");
	return 0;
}

/* The buffer and the alignment of what moves bytes. */
static int check_transfer(struct tern_io *io)
{
	const struct tern_io_file *f = &io->file;

	if (io->iov_count)
		return check_vectors(io);
	if (io->length && !io->buffer)
		return refuse(io, "there is no buffer");
	if (io->buffer == io->own_buffer && io->length > io->queue->opts.buffer_size)
		return refuse(io, "length is more than buffer_size");
	if (!f->direct)
		return 0;
	if ((uintptr_t)io->buffer % f->memory_align)
		return refuse(io, "the buffer's address is no multiple of memory_align");
	if (io->length % f->offset_align && !(io->flags & TERN_IO_TAIL))
		return refuse(io, "length is no multiple of offset_align");
	return 0;
}

static int check_place(struct tern_io *io)
{
	const struct tern_io_file *f = &io->file;

	if (io->offset == TERN_IO_NEXT) {
		if (!tern__io_moves(io))
			return refuse(io, "TERN_IO_NEXT is for reads and writes");
		if (!io->queue->opts.ordered)
			return refuse(io, "TERN_IO_NEXT needs an ordered queue");
		return io->length > INT64_MAX ? refuse(io, "length is past what a file can have")
					      : 0;
	}
	if (io->offset > INT64_MAX || io->length > INT64_MAX - io->offset)
		return refuse(io, "offset or length is past what a file can have");
	if (tern__io_moves(io) && !f->seekable && io->offset)
		return refuse(io, "the file has no positions: offset must be 0 or TERN_IO_NEXT");
	if (tern__io_moves(io) && f->direct && io->offset % f->offset_align)
		return refuse(io, "offset is no multiple of offset_align");
	return 0;
}

static int check_writeback(struct tern_io *io)
{
	if (!io->queue->opts.writebacks_max)
		return refuse(io, "this queue takes no write-backs");
	return io->done ? refuse(io, "a write-back has no done") : 0;
}

int tern__io_check(struct tern_io *io)
{
	int e = 0;

	io->refused = NULL;
	if (io->op == TERN_IO_NONE || io->op >= TERN_IO_OPS)
		return refuse(io, "there is no such op");
	if (io->flags & ~(is_write(io) ? TERN_IO_DURABLE | TERN_IO_TAIL : 0u))
		return refuse(io, "a flag that is unknown, or not for this op");
	if (io->op == TERN_IO_BARRIER)
		return 0;
	if (io->file.fd < 0)
		return -EBADF;
	if (io->file.direct && (!io->file.memory_align || !io->file.offset_align))
		return refuse(io, "the file's alignment is 0");
	if (io->op == TERN_IO_WRITEBACK)
		e = check_writeback(io);
	if (!e)
		e = check_place(io);
	if (!e && tern__io_moves(io))
		e = check_transfer(io);
	if (!e && io->flags & TERN_IO_TAIL)
		e = check_tail(io);
	if (!e && (io->op == TERN_IO_ALLOCATE || io->op == TERN_IO_DISCARD) && !io->length)
		e = refuse(io, "length is 0");
	return e;
}
