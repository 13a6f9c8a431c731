/* SPDX-License-Identifier: MIT */
/*
 * A queue of disk requests, as its parts see it. All of it belongs to the loop's thread, but for
 * tern_io_complete: what an engine's thread calls writes `came` and `state`, and pushes the node.
 *
 * The life of a request, by its state:
 *
 *	IDLE -get-> LENT -submit-> WAITING -engine.start-> STARTED -tern_io_complete-> OVER
 *	                              -cancel, stop-> DROPPED
 *
 * OVER and DROPPED are on their way home in the loop's mailbox. When the node is delivered, a
 * short transfer is STARTED again; else it is LENT to its done, IDLE if it was a write-back, or
 * FINISHED until tern_io_wait fetches it.
 */
#ifndef TERN__IO_H
#define TERN__IO_H

#include <tern/io.h>
#include <tern/io_engine.h>

#include "../base/histogram.h"
#include "../loop/loop.h"
#include "fifo.h"

enum tern__io_state {
	TERN__IO_IDLE,
	TERN__IO_LENT,
	TERN__IO_WAITING,
	TERN__IO_STARTED,
	TERN__IO_OVER,
	TERN__IO_DROPPED,
	TERN__IO_FINISHED,
};

/* What somebody was refused, and is to hear of when it can be had. */
enum tern__io_wish {
	TERN__IO_GET = 1,
	TERN__IO_SUBMIT = 2,
	TERN__IO_WRITE_BACK = 4,
};

#define TERN__IO_SLOTS 64

/* A slot for a file that the engine keeps. */
struct tern__io_kept {
	uint32_t as;	/* `registered` of the file; 0: it is empty; see register.c */
	uint32_t users; /* requests outstanding that name it */
};

/* A callback of the queue's that is being entered: it may destroy the queue. */
struct tern__io_entry {
	struct tern__io_entry *outer;
	bool gone;
};

struct tern_io_queue {
	struct tern__source source;
	struct tern_loop *home;
	struct tern_io_engine engine;
	void *state;		  /* the engine's */
	struct tern_io_opts opts; /* with the defaults filled in */
	uint32_t made_in;	  /* generation of forks */
	char *engine_text;

	/* requests and buffers: each one piece of memory; `used` have ever been lent */
	char *requests, *requests_end, *buffers;
	size_t request_stride, buffer_stride, buffers_size;
	uint32_t used;

	struct tern__fifo idle, waiting, finished;
	uint32_t lent;	  /* all that are not IDLE */
	uint32_t started; /* STARTED or OVER */
	bool barrier;	  /* one of these is a barrier */
	uint8_t wants;	  /* enum tern__io_wish, of those who were refused */
	bool room_out;
	struct tern_node room;	 /* brings word of room */
	struct tern_timer retry; /* after -EAGAIN from an engine that has nothing else to do */
	struct tern_io *stopper; /* has failed and stopped the queue, and is not fetched */
	bool bringing;		 /* in poke, wait, drain, sync */
	struct tern__io_entry *entry;

	struct tern__io_kept kept[TERN__IO_SLOTS];

	struct tern_io_error error; /* of write-backs: the first that sync has not reported */
	bool has_error, error_told; /* told: by destroy */
	uint64_t came;		    /* requests that are over */
	struct tern_io_stats stats;
};

/* [loop] The queue may be used from here: the thread is right and the process is. */
void tern__io_enter(struct tern_io_queue *q, const char *call);

/* check.c: 0, or a negative errno and in io->refused the rule that is broken. */
int tern__io_check(struct tern_io *io);

/* piece.c */

/* What is to be moved in all: with TERN_IO_TAIL up to the file's alignment. */
uint64_t tern__io_total(const struct tern_io *io);
/*
 * Of one that may be with an engine, whose thread may turn STARTED into OVER meanwhile: relaxed, as
 * nothing is concluded from OVER before the node has come.
 */
static inline uint8_t tern__io_state(const struct tern_io *io)
{
	return tern__load(&io->state);
}
static inline bool tern__io_moves(const struct tern_io *io)
{
	return io->op >= TERN_IO_READ && io->op <= TERN_IO_WRITEBACK;
}

/* register.c */

/* Sets the slot of a request that begins: where the engine keeps its file, or -1. */
void tern__io_use_slot(struct tern_io *io);
/* A request that has one is over. */
void tern__io_leave_slot(struct tern_io *io);
/* The queue ends. */
void tern__io_empty_slots(struct tern_io_queue *q);

/* start.c */

/* Starts what may start, in order. */
void tern__io_start(struct tern_io_queue *q);
/* Starts a request that is STARTED once more, for what is left of it. */
void tern__io_start_again(struct tern_io *io);
/*
 * What was started is handed over when the loop next looks. Outside of its turn it may be about to
 * poll without: then its descriptor is readable.
 */
static inline void tern__io_note_started(struct tern_io_queue *q)
{
	if (q->engine.flush && q->home->listening)
		tern__gate_leave_readable(q->home);
}
/* Sends a request home that no engine has. */
void tern__io_drop(struct tern_io *io, int error);
/* The function of q->retry. */
void tern__io_retry(struct tern_timer *timer);

/* finish.c */

/* [loop] What an engine began is over; for engines that are told so on the loop, by the loop. */
void tern__io_arrive(struct tern_io *io, int64_t result);
/* The deliver of each request's node. */
void tern__io_deliver(struct tern_node *node);

/* queue.c */

/* Takes a request that is not outstanding back. */
void tern__io_recycle(struct tern_io *io);
/* Has word of room sent, if somebody was refused what can be had now. */
void tern__io_note_room(struct tern_io_queue *q);

#endif
