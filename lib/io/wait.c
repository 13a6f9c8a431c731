/* SPDX-License-Identifier: MIT */
/*
 * A queue without callbacks, or with a user who blocks: what is over is brought home at once, this
 * queue's alone. Its nodes all lie in the piece of memory that its requests take.
 */
#include "../base/clock.h"
#include "../base/fatal.h"
#include "io.h"

static void fetch(struct tern_io_queue *q, bool flushes)
{
	if (flushes && q->engine.flush)
		q->engine.flush(q->state);
	if (q->started && q->engine.ready && q->engine.ready(q->state)) {
		q->home->maybe_rung = true;
		q->engine.reap(q->state);
	}
}

/* At most max of what has come by now (0: all of it). Returns how many requests are over. */
static uint32_t bring(struct tern_io_queue *q, uint32_t max, bool flushes)
{
	uint64_t before = q->came;
	uint32_t n;

	fetch(q, flushes);
	n = tern__part_count(q->home, q->requests, q->requests_end);
	q->bringing = true;
	while (n-- && (!max || q->came - before < max))
		tern__part_run(q->home, q->requests, q->requests_end);
	q->bringing = false;
	tern__io_hand_over(q);
	return (uint32_t)(q->came - before);
}

/* Until something of the queue's may have come. */
static void block(struct tern_io_queue *q)
{
	bool put_off = q->waiting.first && !q->started;

	if (put_off)
		tern__io_start(q);
	if (q->engine.wait && q->started)
		q->engine.wait(q->state);
	else
		tern__part_await(q->home, put_off ? (int64_t)TERN__MS : -1);
}

/* An engine that waits hands over in the same call. */
static void bring_or_block(struct tern_io_queue *q)
{
	uint64_t before = q->came;

	if (!bring(q, 0, !q->engine.wait) && q->came == before && q->stats.outstanding &&
	    !tern__part_count(q->home, q->requests, q->requests_end))
		block(q);
}

uint32_t tern_io_poke(struct tern_io_queue *q, uint32_t max)
{
	tern__io_enter(q, "tern_io_poke");
	return q->bringing || q->entry ? 0 : bring(q, max, true);
}

static void enter_blocking(struct tern_io_queue *q, const char *call)
{
	tern__io_enter(q, call);
	if (q->bringing || q->entry)
		tern__fatal(call, "queue %p is in a callback of its own", (void *)q);
}

struct tern_io *tern_io_wait(struct tern_io_queue *q)
{
	struct tern_node *node;
	struct tern_io *io;

	enter_blocking(q, "tern_io_wait");
	while (!(node = tern__fifo_pop(&q->finished))) {
		if (!q->stats.outstanding)
			return NULL;
		bring_or_block(q);
	}
	io = tern_container_of(node, struct tern_io, node);
	io->state = TERN__IO_LENT;
	if (q->stopper == io)
		q->stopper = NULL;
	return io;
}

uint64_t tern_io_drain(struct tern_io_queue *q)
{
	uint64_t before = q->came;

	enter_blocking(q, "tern_io_drain");
	while (q->stats.outstanding)
		bring_or_block(q);
	return q->came - before;
}

int tern_io_sync(struct tern_io_queue *q)
{
	tern_io_drain(q);
	if (!q->has_error)
		return 0;
	q->has_error = false;
	return -q->error.error;
}

bool tern_io_write_error(const struct tern_io_queue *q, struct tern_io_error *error)
{
	if (q->has_error)
		*error = q->error;
	return q->has_error;
}
