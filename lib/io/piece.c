/* SPDX-License-Identifier: MIT */
/* What an engine is asked to do: the part of a request that is not done yet. */
#include "io.h"

#define BYTES_MAX (UINT64_C(1) << 30) /* below what one read(2) moves at most */
#define IOVS_MAX  1024		      /* as the kernel has it */

uint64_t tern__io_total(const struct tern_io *io)
{
	uint64_t align = io->file.offset_align;

	return io->flags & TERN_IO_TAIL && align > 1 ? (io->length + align - 1) / align * align
						     : io->length;
}

/* From where `moved` is: whole vectors, or what is left of one. */
static void take_vectors(struct tern_io_piece *piece, const struct tern_io *io)
{
	const struct iovec *iov = io->iov, *end = io->iov + io->iov_count;
	uint64_t skip = io->moved;

	while (skip >= iov->iov_len)
		skip -= iov++->iov_len;
	if (skip || iov->iov_len > BYTES_MAX) {
		piece->buffer = (char *)iov->iov_base + skip;
		piece->length = iov->iov_len - skip;
		return;
	}
	piece->iov = iov;
	piece->length = 0;
	while (iov < end && piece->iov_count < IOVS_MAX &&
	       (!piece->iov_count || piece->length + iov->iov_len <= BYTES_MAX)) {
		piece->length += iov++->iov_len;
		piece->iov_count++;
	}
}

struct tern_io_piece tern_io_piece(const struct tern_io *io)
{
	struct tern_io_piece piece = {
		.op = io->op == TERN_IO_WRITEBACK ? TERN_IO_WRITE : io->op,
		.durable = io->flags & TERN_IO_DURABLE,
		.blocking = io->blocking,
		.fd = io->file.fd,
		.slot = io->slot,
		.offset = io->position,
		.length = io->length,
	};

	if (io->cutting) {
		piece.op = TERN_IO_TRUNCATE;
		piece.length = io->offset + io->length;
	}
	if (!tern__io_moves(io) || io->cutting)
		return piece;
	if (piece.offset >= 0)
		piece.offset += (int64_t)io->moved;
	if (io->iov_count) {
		take_vectors(&piece, io);
	} else {
		piece.buffer = (char *)io->buffer + io->moved;
		piece.length = tern__io_total(io) - io->moved;
	}
	if (piece.length > BYTES_MAX && !piece.iov_count)
		piece.length = BYTES_MAX;
	return piece;
}
