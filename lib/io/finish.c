/* SPDX-License-Identifier: MIT */
/*
 * A request comes home. What is short is continued; then the accounts, then what waits behind it,
 * then its done: which may submit it again at full depth, release it, and destroy the queue.
 */
#include <errno.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/fatal.h"
#include "io.h"

void tern_io_complete(struct tern_io *io, int64_t result)
{
	struct tern_loop *home = io->queue->home;

	if (tern__io_state(io) != TERN__IO_STARTED)
		tern__fatal("tern_io_complete", "request %p is not with an engine", (void *)io);
	tern__store(&io->state, (uint8_t)TERN__IO_OVER); /* tern__io_state may see it at once */
	io->came = result;
	tern__loop_give(home, &io->node, tern__loop_is_mine(home));
}

/* The file's own position goes along, as with read(2). */
static void move_position(const struct tern_io *io)
{
	if (io->offset != TERN_IO_NEXT || !tern__io_moves(io) || io->position < 0 || !io->moved)
		return;
	if (io->file.appends && io->op != TERN_IO_READ)
		lseek(io->file.fd, 0, SEEK_END);
	else
		lseek(io->file.fd, io->position + (int64_t)io->moved, SEEK_SET);
}

static void account(struct tern_io *io, int64_t result)
{
	struct tern_io_queue *q = io->queue;
	struct tern_io_stats *s = &q->stats;

	tern__loop_completed(q->home);
	q->home->out_by_sources -= !!q->engine.reap;
	s->outstanding--;
	q->came++;
	if (io->op == TERN_IO_WRITEBACK)
		s->writebacks--;
	if (io->slot >= 0)
		tern__io_leave_slot(io);
	if (io->timed) {
		tern__timers_remove(&q->home->timers, &io->timer);
		io->timer.loop = NULL;
	}
	if (result < 0)
		s->failed++;
	if (result == -ECANCELED)
		s->canceled++;
	if (io->op == TERN_IO_READ)
		s->bytes_read += io->moved;
	else if (tern__io_moves(io))
		s->bytes_written += io->moved < io->length ? io->moved : io->length;
	tern__histogram_add(&s->latency[io->op], tern__loop_turn_ns(q->home) - io->since_ns, 1);
}

/* Calls back about a write-back. False: the queue is gone. */
static bool tell_write_error(struct tern_io_queue *q, const struct tern_io_error *error)
{
	struct tern__io_entry entry = {.outer = q->entry};

	if (!q->opts.write_error)
		return true;
	q->entry = &entry;
	q->opts.write_error(q, error);
	if (entry.gone)
		return false;
	q->entry = entry.outer;
	return true;
}

static void finish_writeback(struct tern_io *io)
{
	struct tern_io_queue *q = io->queue;
	struct tern_io_error error = {io->file.fd, io->offset, io->length, (int)-io->result};

	/* who took it back himself knows */
	if (error.error > 0 && !io->taken_back) {
		if (!q->has_error) {
			q->error = error;
			q->has_error = true;
			q->error_told = false;
		}
		if (!tell_write_error(q, &error))
			return;
	}
	tern__io_recycle(io);
	tern__io_note_room(q);
}

/* Nothing of the queue may be touched afterwards, unless it is still there. */
static void enter_done(struct tern_io *io)
{
	struct tern_io_queue *q = io->queue;
	struct tern__io_entry entry = {.outer = q->entry};

	q->entry = &entry;
	io->done(io);
	if (!entry.gone)
		q->entry = entry.outer;
}

static void finish(struct tern_io *io, int64_t result)
{
	struct tern_io_queue *q = io->queue;
	bool stops = q->opts.stop_on_error && result < 0 && result != -ECANCELED;

	if (io->state != TERN__IO_DROPPED) {
		q->started--;
		if (io->op == TERN_IO_BARRIER)
			q->barrier = false;
	}
	move_position(io);
	account(io, result);
	io->result = result;
	if (stops && !q->stopper)
		q->stopper = io;
	tern__io_start(q);
	if (q->stopper == io && (io->done || io->op == TERN_IO_WRITEBACK))
		q->stopper = NULL;
	if (io->op == TERN_IO_WRITEBACK) {
		finish_writeback(io);
		return;
	}
	tern__io_note_room(q);
	if (!io->done) {
		io->state = TERN__IO_FINISHED;
		tern__fifo_push(&q->finished, &io->node);
		return;
	}
	io->state = TERN__IO_LENT;
	enter_done(io);
}

static int64_t moved_of(const struct tern_io *io)
{
	return (int64_t)(io->moved < io->length ? io->moved : io->length);
}

/* After a transfer of so many bytes: whether the request is over, and with which result. */
static bool has_moved(struct tern_io *io, int64_t bytes, int64_t *result)
{
	const struct tern_io_file *f = &io->file;
	bool reads = io->op == TERN_IO_READ;

	io->moved += (uint64_t)bytes;
	*result = moved_of(io);
	if (io->moved >= tern__io_total(io)) {
		io->cutting = io->flags & TERN_IO_TAIL;
		return !io->cutting;
	}
	if (reads && (!bytes || !f->seekable))
		return true;
	if (f->direct && io->moved % f->offset_align) {
		if (reads) /* the file ends here: it could not be read on from */
			return true;
		bytes -= (int64_t)(io->moved % f->offset_align);
		io->moved -= io->moved % f->offset_align;
	}
	*result = -EIO; /* a write that does not get on, and does not say why */
	return bytes <= 0;
}

/* Whether the request is over, and with which result; else it is to be started again. */
static bool is_over(struct tern_io *io, int64_t *result)
{
	int64_t came = *result;

	if (came == -EINTR)
		return false;
	if (came == -EAGAIN) {
		io->blocking = true;
		return false;
	}
	if (came < 0 || !tern__io_moves(io))
		return true;
	if (io->cutting) {
		*result = moved_of(io);
		return true;
	}
	return has_moved(io, came, result);
}

void tern__io_arrive(struct tern_io *io, int64_t result)
{
	if (io->state == TERN__IO_STARTED)
		io->state = TERN__IO_OVER;
	if (io->state == TERN__IO_DROPPED || is_over(io, &result))
		finish(io, result);
	else
		tern__io_start_again(io);
}

void tern__io_deliver(struct tern_node *node)
{
	struct tern_io *io = tern_container_of(node, struct tern_io, node);

	tern__io_arrive(io, io->came);
}
