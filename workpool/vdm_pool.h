/* SPDX-License-Identifier: MIT */
/*
 * The data mover on a pool, as its two files see it.
 *
 *	vdm_pool.c  the mover: what is made, what waits in line, what has a place in the ring
 *	vdm_job.c   one operation, carried out by one worker or several
 *
 * Nobody waits for a loop: items have no done, and an operation is completed by the worker that
 * finds it over. So a thread may wait for it that has left its loop, and the mover be destroyed.
 */
#ifndef TERN__VDM_POOL_H
#define TERN__VDM_POOL_H

#include <pthread.h>

#include "../lib/vdm/vdm.h"
#include "pool.h"

struct mover;

/*
 * An operation that is being carried out. `inside` counts those that have a part in it: one leads,
 * others were asked for help. The fields are written by one that is alone inside.
 */
struct job {
	struct tern_vdm_op *op;
	size_t wave;	  /* bytes; see vdm_job.c */
	size_t wave_end;  /* of the operation's bytes, in the order in which they are moved */
	uint32_t threads; /* for a wave, at most */
	uint32_t inside;
	size_t next;  /* the first that nobody has taken; any that is inside */
	uint32_t sum; /* of slices that are over, each past what follows it; likewise */
};

/*
 * A place in the ring: an item of the pool, and the operation that it is to carry out. Whoever
 * takes op away, the item when it runs or a cancel, has the operation.
 */
struct slot {
	struct tern_work work;
	struct mover *mover;
	struct tern_vdm_op *op;
	struct slot *next; /* free; lock */
	struct job job;
};

/*
 * An item that helps with a large operation. Whoever takes job away, the item when it runs or the
 * one who had asked for help, has one part in the job: so a helper that comes too late finds
 * nothing, and no operation waits for it.
 */
struct helper {
	struct tern_work work;
	struct mover *mover;
	struct job *job;
	struct helper *next; /* free; lock */
};

struct mover {
	struct tern_vdm vdm;
	struct tern_pool *pool;
	struct tern_lane *lane;
	struct tern__vdm_fns fns;
	uint32_t operations_max, threads;

	TERN__LINE uint32_t made; /* and not complete; any */

	TERN__LINE pthread_mutex_t lock;
	struct slot *free;
	struct helper *helpers;		  /* free */
	struct tern_vdm_op *first, *last; /* in line; see vdm_pool.c */
	uint32_t busy;			  /* items out, and those about to touch the mover */
	bool ending;
	struct tern__park ended;

	struct slot *slots;
	struct helper *all_helpers;
};

/* vdm_pool.c */
/* [any] A helper that is counted as busy; NULL: none is free. */
struct helper *tern__vdm_helper_get(struct mover *m);
/* [any] It is to come and find the job. */
void tern__vdm_helper_send(struct helper *helper, struct job *job);
/* [worker] It is free again. */
void tern__vdm_helper_put(struct helper *helper);
/* [worker] The operation is over, and may be gone at return. */
void tern__vdm_settle(struct mover *m, struct tern_vdm_op *op, int64_t result);
/* [worker] It takes the next operation of the line, or is free; the mover may be gone at return. */
void tern__vdm_slot_put(struct slot *slot);

/* vdm_job.c */
/* [worker] Carries out an operation, or leaves it to others who are at it; then puts the slot. */
void tern__vdm_job_run(struct job *job, struct tern_vdm_op *op);
/* What a helper's item runs. */
void tern__vdm_help(struct tern_work *work);

#endif
