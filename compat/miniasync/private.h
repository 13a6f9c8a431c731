/* SPDX-License-Identifier: MIT */
/* What the parts of the drop-in share: marks of futures, bells, and the movers' operations. */
#ifndef TERN__COMPAT_MINIASYNC_H
#define TERN__COMPAT_MINIASYNC_H

#include <pthread.h>
#include <stdbool.h>
#include <tern/pool.h>
#include <tern/vdm.h>

#include "libminiasync-vdm-dml.h"

/*
 * What a context's padding holds: how many bytes lie between the context and the data, and between
 * data and output, 15 bits each; and two marks. All 0: nothing lies there.
 */
#define TERN__MINIASYNC_GAP    0x7fffu
#define TERN__MINIASYNC_TAKEN  (1u << 30) /* it has been run on a loop */
#define TERN__MINIASYNC_POLLED (1u << 31) /* in this pass */

/* bell.c: what a waker of the runtime's leads to; such a one may be called late */

struct bell;

/* [any] One that wakes that future until it is taken off; NULL: there is no memory. */
struct bell *tern__miniasync_bell_get(struct tern_future *future);
/* [any] From the return on nobody wakes the future. NULL: does nothing, as ring. */
void tern__miniasync_bell_put(struct bell *bell);
/* [any, also after put] The wake function of a waker. */
void tern__miniasync_bell_ring(void *bell);

/*
 * runtime.c: the loop that polls on this thread, while it does; NULL: none. An old future is not
 * told, but its operations are bounded by what a loop may move in a turn.
 */
extern __thread struct tern_loop *tern__miniasync_home;

/* mover.c, op.c: all movers, and what op_new gives out */

struct mover {
	struct vdm base; /* first: op_new is given this */
	struct tern_vdm *native;
	struct tern_pool *pool; /* NULL: operations are over in their first poll */
	bool own_pool;
	enum future_notifier_type desired;
	memcpy_fn memcpy_fn; /* NULL: the native mover's; so the others */
	memmove_fn memmove_fn;
	memset_fn memset_fn;
	pthread_mutex_t lock; /* of all below, of these functions, and of operations */
	pthread_cond_t calm;
	uint32_t started, ring_size;
	uint32_t coming; /* operations that a wake is coming to, or being called for */
	struct op *idle;
	struct op *line, **line_end; /* operations that found the ring full */
	struct chunk *chunks;
	uint32_t made;
};

struct op {
	struct op *next;    /* in one of the mover's lists */
	struct op **before; /* in the line; NULL: in none */
	struct op *also;    /* is woken for room too */
	struct op *others;  /* for run_others */
	struct mover *mover;
	struct tern_future *future; /* one of the next two; NULL: never polled */
	struct tern_vdm_op native;
	struct tern_future own; /* where the program's function does it */
	struct tern_work work;
	union {
		memcpy_fn copy; /* memmove_fn is the same type */
		memset_fn set;
	} fn;
	struct vdm_operation what;
	struct tern_waker ear;	   /* what tern wakes */
	struct future_waker waker; /* the latest that it was polled with; wake NULL: none */
	pthread_t caller;
	uint32_t coming;  /* wakes that are held and have not come */
	uint64_t changed; /* for FUTURE_NOTIFIER_POLLER */
	bool started;	  /* counts in the ring */
	bool chosen;	  /* is in a list of those that are woken for room */
	bool calling;	  /* caller is calling a waker */
	bool asked;	  /* and is to call once more */
	bool over;	  /* a poll has found it complete: nobody is to be called */
	bool deleted;	  /* and goes when nobody comes any more */
};

/* The functions of a mover's table. */
void *tern__miniasync_op_new(struct vdm *vdm, const enum vdm_operation_type type);
int tern__miniasync_op_start(void *data, const struct vdm_operation *operation,
			     struct future_notifier *n);
enum future_state tern__miniasync_op_check(void *data, const struct vdm_operation *operation);
void tern__miniasync_op_delete(void *data, const struct vdm_operation *operation,
			       struct vdm_operation_output *output);

/* [poller] The notifier of a later poll: the latest counts. */
void tern__miniasync_op_notify(struct op *op, struct future_notifier *n);

/* wake.c: who calls a program's waker, and when */

/* [any] Prepares op->ear. */
void tern__miniasync_wake_init(struct op *op);
/* [any] The lock is held: for operations that found the ring full; leave: if it is in it. */
void tern__miniasync_line_join(struct op *op);
void tern__miniasync_line_leave(struct op *op);
/* [poller] It was complete when it was started: makes room, and has others woken for that. */
void tern__miniasync_wake_others(struct op *op);
/*
 * [poller] It is complete: nobody is called any more. False: somebody is being called right now,
 * and will be once more.
 */
bool tern__miniasync_wake_end(struct op *op);
/* [any] The lock is held. Gives a deleted operation back when nobody comes any more. */
void tern__miniasync_op_drop(struct op *op);
/* [any] Frees all that there are. */
void tern__miniasync_op_free_all(struct mover *m);

#endif
