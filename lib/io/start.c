/* SPDX-License-Identifier: MIT */
/*
 * Who starts when. What was submitted waits in order; from its head an unordered queue starts all
 * there is, up to a barrier, an ordered one a request at a time. A barrier starts when nothing else
 * is started, and is over at its next delivery: until then nothing else starts.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "io.h"

#define RETRY_NS TERN__MS

static struct tern_io *io_of(struct tern_node *node)
{
	return tern_container_of(node, struct tern_io, node);
}

/* Where the first byte goes: -1, a file without positions. */
static int64_t find_position(const struct tern_io *io)
{
	if (!tern__io_moves(io))
		return (int64_t)io->offset;
	if (!io->file.seekable)
		return -1;
	/* a closed descriptor is the engine's to find */
	return io->offset == TERN_IO_NEXT ? lseek(io->file.fd, 0, SEEK_CUR) : (int64_t)io->offset;
}

/* 0: an engine has it, or it is over. */
static int begin(struct tern_io *io)
{
	struct tern_io_queue *q = io->queue;
	bool moves = tern__io_moves(io) && !io->cutting;

	io->state = TERN__IO_STARTED;
	if (io->op == TERN_IO_BARRIER) {
		q->barrier = true;
		tern_io_complete(io, 0);
		return 0;
	}
	if (moves && io->moved == tern__io_total(io)) { /* nothing is to be moved */
		tern_io_complete(io, 0);
		return 0;
	}
	return q->engine.start(q->state, io);
}

/* Once, when its turn has come. */
static void prepare(struct tern_io *io)
{
	uint64_t total = tern__io_total(io);

	io->position = find_position(io);
	if (total > io->length)
		memset((char *)io->buffer + io->length, 0, total - io->length);
	io->prepared = true;
}

static bool may_start(const struct tern_io_queue *q, const struct tern_io *io)
{
	if (!q->started)
		return true;
	return !q->barrier && !q->opts.ordered && io->op != TERN_IO_BARRIER;
}

void tern__io_drop(struct tern_io *io, int error)
{
	io->state = TERN__IO_DROPPED;
	io->came = error;
	tern__loop_push_own(io->queue->home, &io->node);
}

/* Back to the head: it is tried again when something is over, or soon. */
static void put_off(struct tern_io *io)
{
	struct tern_io_queue *q = io->queue;

	io->state = TERN__IO_WAITING;
	q->started--;
	tern__fifo_push_front(&q->waiting, &io->node);
	if (!q->started && !q->retry.loop) {
		tern__timer_arm(q->home, &q->retry, RETRY_NS);
		q->home->timers_own++;
		/* nobody hears of a timer without prepare: then the loop comes round till then */
		q->source.unsettled = !q->home->prepares;
		if (q->source.unsettled && q->home->listening)
			tern__gate_leave_readable(q->home);
	}
}

/* False: not now. Otherwise an engine's thread may have it, or be done with it. */
static bool try_to_begin(struct tern_io *io)
{
	int e;

	io->queue->started++;
	e = begin(io);
	if (e == -EAGAIN)
		put_off(io);
	else if (e)
		tern_io_complete(io, e);
	return e != -EAGAIN;
}

void tern__io_start(struct tern_io_queue *q)
{
	while (q->waiting.first) {
		struct tern_io *io = io_of(q->waiting.first);

		if (q->stopper) {
			tern__fifo_pop(&q->waiting);
			tern__io_drop(io, -ECANCELED);
			continue;
		}
		if (!may_start(q, io))
			return;
		tern__fifo_pop(&q->waiting);
		if (!io->prepared)
			prepare(io);
		if (!try_to_begin(io))
			return;
	}
}

void tern__io_start_again(struct tern_io *io)
{
	io->queue->started--;
	try_to_begin(io);
}

void tern__io_retry(struct tern_timer *timer)
{
	struct tern_io_queue *q = tern_container_of(timer, struct tern_io_queue, retry);

	q->home->timers_own--;
	q->source.unsettled = false;
	tern__io_start(q);
}
