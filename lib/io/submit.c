/* SPDX-License-Identifier: MIT */
/* Describing requests, handing them over, and taking them back. */
#include <errno.h>

#include "../base/clock.h"
#include "../base/fatal.h"
#include "io.h"

static void prep(struct tern_io *io, enum tern_io_op op, const struct tern_io_file *file,
		 uint64_t offset, uint64_t length)
{
	tern__io_enter(io->queue, "tern_io_prep");
	if (tern__io_state(io) != TERN__IO_LENT)
		tern__fatal("tern_io_prep", "request %p is not yours", (void *)io);
	io->op = (uint8_t)op;
	io->flags = 0;
	io->file = *file;
	io->offset = offset;
	io->length = length;
	io->buffer = io->own_buffer;
	io->iov = NULL;
	io->iov_count = 0;
}

void tern_io_prep_read(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
		       uint64_t length)
{
	prep(io, TERN_IO_READ, file, offset, length);
}

void tern_io_prep_write(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			uint64_t length)
{
	prep(io, TERN_IO_WRITE, file, offset, length);
}

void tern_io_prep_writeback(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			    uint64_t length)
{
	prep(io, TERN_IO_WRITEBACK, file, offset, length);
}

static void prep_vectors(struct tern_io *io, enum tern_io_op op, const struct tern_io_file *file,
			 uint64_t offset, const struct iovec *iov, uint32_t iov_count)
{
	uint64_t length = 0;

	for (uint32_t i = 0; i < iov_count; i++)
		length += iov[i].iov_len;
	prep(io, op, file, offset, length);
	io->iov = iov;
	io->iov_count = iov_count;
}

void tern_io_prep_readv(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			const struct iovec *iov, uint32_t iov_count)
{
	prep_vectors(io, TERN_IO_READ, file, offset, iov, iov_count);
}

void tern_io_prep_writev(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			 const struct iovec *iov, uint32_t iov_count)
{
	prep_vectors(io, TERN_IO_WRITE, file, offset, iov, iov_count);
}

void tern_io_prep_fsync(struct tern_io *io, const struct tern_io_file *file)
{
	prep(io, TERN_IO_FSYNC, file, 0, 0);
}

void tern_io_prep_fdatasync(struct tern_io *io, const struct tern_io_file *file)
{
	prep(io, TERN_IO_FDATASYNC, file, 0, 0);
}

void tern_io_prep_allocate(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			   uint64_t length)
{
	prep(io, TERN_IO_ALLOCATE, file, offset, length);
}

void tern_io_prep_discard(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			  uint64_t length)
{
	prep(io, TERN_IO_DISCARD, file, offset, length);
}

void tern_io_prep_truncate(struct tern_io *io, const struct tern_io_file *file, uint64_t length)
{
	prep(io, TERN_IO_TRUNCATE, file, 0, length);
}

void tern_io_prep_barrier(struct tern_io *io)
{
	static const struct tern_io_file none = {.fd = -1};

	prep(io, TERN_IO_BARRIER, &none, 0, 0);
}

static void late(struct tern_timer *timer)
{
	struct tern_io *io = tern_container_of(timer, struct tern_io, timer);
	struct tern_io_queue *q = io->queue;

	io->timed = false;
	q->stats.late++;
	if (q->opts.late)
		q->opts.late(io);
}

int tern_io_submit(struct tern_io *io)
{
	struct tern_io_queue *q = io->queue;
	struct tern_io_stats *s = &q->stats;
	bool writeback;
	int e;

	tern__io_enter(q, "tern_io_submit");
	if (tern__io_state(io) != TERN__IO_LENT)
		tern__fatal("tern_io_submit", "request %p is not yours", (void *)io);
	e = tern__io_check(io);
	if (e)
		return e;
	writeback = io->op == TERN_IO_WRITEBACK;
	if (s->outstanding == q->opts.depth ||
	    (writeback && s->writebacks == q->opts.writebacks_max)) {
		q->wants |= writeback ? TERN__IO_WRITE_BACK : TERN__IO_SUBMIT;
		return -EAGAIN;
	}
	s->submitted++;
	s->outstanding++;
	s->writebacks += writeback;
	io->result = 0;
	io->moved = 0;
	io->prepared = io->blocking = io->cutting = io->taken_back = false;
	tern__io_use_slot(io);
	io->since_ns = tern__loop_turn_ns(q->home);
	tern__loop_submitted(q->home, 1, true);
	q->home->out_by_sources += !!q->engine.reap;
	io->timed = io->deadline_ns;
	if (io->timed) {
		tern_timer_init(&io->timer, late);
		tern__timer_arm(q->home, &io->timer, io->deadline_ns);
	}
	io->state = TERN__IO_WAITING;
	tern__fifo_push(&q->waiting, &io->node);
	tern__io_start(q);
	tern__io_note_started(q);
	return 0;
}

bool tern_io_cancel(struct tern_io *io)
{
	struct tern_io_queue *q = io->queue;

	tern__io_enter(q, "tern_io_cancel");
	if (tern__io_state(io) == TERN__IO_WAITING && !io->moved && !io->cutting) {
		tern__fifo_remove(&q->waiting, &io->node);
		io->taken_back = true;
		tern__io_drop(io, -ECANCELED);
		tern__io_start(q);
		tern__io_note_started(q);
		return true;
	}
	if (tern__io_state(io) != TERN__IO_STARTED || io->op == TERN_IO_BARRIER || io->moved ||
	    !q->engine.cancel || !q->engine.cancel(q->state, io))
		return false;
	io->taken_back = true;
	return true;
}
