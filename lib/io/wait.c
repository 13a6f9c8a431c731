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

/*
 * At most max of what has come by now (0: all of it). False: the queue is gone, in the child of a
 * fork that one of its callbacks called.
 */
static bool bring(struct tern_io_queue *q, uint32_t max, bool flushes)
{
	struct tern__io_entry entry = {.outer = q->entry};
	uint64_t before = q->came;
	uint32_t n;

	fetch(q, flushes);
	q->home->turn_ns = 0;
	n = tern__part_count(q->home, q->requests, q->requests_end);
	q->bringing = true;
	q->entry = &entry;
	while (n-- && (!max || q->came - before < max)) {
		tern__part_run(q->home, q->requests, q->requests_end);
		if (entry.gone)
			return false;
		tern__io_enter(q, "tern_io_wait"); /* in such a child it is fatal */
	}
	q->entry = entry.outer;
	q->bringing = false;
	tern__io_note_started(q);
	return true;
}

/* Until something of the queue's may have come. */
static void block(struct tern_io_queue *q)
{
	bool put_off = q->waiting.first && !q->started;

	if (put_off)
		tern__io_start(q);
	if (q->engine.wait && q->started) {
		tern__loop_hand_over(q->home, &q->source);
		q->engine.wait(q->state);
	} else {
		tern__part_await(q->home, q->engine.ready ? &q->source : NULL,
				 put_off ? (int64_t)TERN__MS : -1);
	}
}

/* An engine that waits hands over in the same call. False as bring(). */
static bool bring_or_block(struct tern_io_queue *q)
{
	uint64_t before = q->came;

	if (!bring(q, 0, !q->engine.wait))
		return false;
	if (q->came == before && q->stats.outstanding &&
	    !tern__part_count(q->home, q->requests, q->requests_end))
		block(q);
	return true;
}

uint32_t tern_io_poke(struct tern_io_queue *q, uint32_t max)
{
	uint64_t before = q->came;

	tern__io_enter(q, "tern_io_poke");
	if (q->entry || !bring(q, max, true))
		return 0;
	return (uint32_t)(q->came - before);
}

static void enter_blocking(struct tern_io_queue *q, const char *call)
{
	tern__io_enter(q, call);
	if (q->entry)
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
		if (!bring_or_block(q))
			return NULL;
	}
	io = tern_container_of(node, struct tern_io, node);
	io->state = TERN__IO_LENT;
	if (q->stopper == io)
		q->stopper = NULL;
	return io;
}

/* False as bring(). */
static bool drain(struct tern_io_queue *q)
{
	while (q->stats.outstanding)
		if (!bring_or_block(q))
			return false;
	return true;
}

uint64_t tern_io_drain(struct tern_io_queue *q)
{
	uint64_t before = q->came;

	enter_blocking(q, "tern_io_drain");
	return drain(q) ? q->came - before : 0;
}

int tern_io_sync(struct tern_io_queue *q)
{
	enter_blocking(q, "tern_io_sync");
	if (!drain(q))
		return 0;
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
