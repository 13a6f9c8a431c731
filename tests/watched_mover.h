/* SPDX-License-Identifier: MIT */
/* A data mover on a pool whose memcpy can be watched, and stopped. */
#ifndef TERN_TESTS_WATCHED_MOVER_H
#define TERN_TESTS_WATCHED_MOVER_H

#include "movers.h"

#define SMALL (64 * KIB)  /* is moved by the poller, */
#define TURN  (256 * KIB) /* so much of it in a turn */

extern struct tern_pool *pool; /* the test makes it */

/* A mover on that pool. */
struct tern_vdm *mover_of(const struct tern_vdm_pool_opts *opts);

/* A memcpy that says where it runs, and stands still where it is told to. */
extern struct seen {
	pthread_mutex_t lock;
	pthread_t poller;
	unsigned calls, elsewhere, inside, inside_most;
	struct latch *arrives, *waits; /* each call; may be NULL */
} seen;

unsigned calls(void);
/* How many were on the poller's thread. */
unsigned calls_here(void);

/* A mover with that memcpy, and its like, with so many threads and places. */
struct tern_vdm *watched(uint32_t threads, uint32_t ring_size, uint32_t operations_max);

/* All that a test copies, in pieces of its own; areas_end looks at the guards. */
extern struct area to, from;

void areas(size_t n);
void areas_end(void);
void prep(struct tern_vdm_op *op, struct tern_vdm *vdm, size_t at, size_t n);
bool is_copied(size_t at, size_t n);

/* What a post submits in a turn of the loop. */
struct turn {
	struct tern_post post;
	struct tern_loop *loop;
	struct tern_vdm *vdm;
	struct tern_vdm_op ops[12];
	struct tern_future_run runs[12];
	unsigned left, turns; /* left: operations that are not over */
};

/* Runs one of them, which must go well. */
void turn_run(struct turn *turn, unsigned i);

#endif
