/* SPDX-License-Identifier: MIT */
/*
 * The life of an operation, from the functions of a mover's table: op_new takes one of the mover's,
 * the first poll makes it one of tern's, or an item of work where the program brought a function of
 * its own, and op_delete gives it back.
 */
#include <errno.h>
#include <stdlib.h>

#include "private.h"

/*
 * That many may be made and not complete: more than miniasync had room for, about 18,700. All are
 * of one list, whichever thread makes or ends them, and one that is never polled takes up one place
 * and no more.
 */
#define OPS_MAX	  20480
#define CHUNK_OPS 64

_Static_assert(VDM_F_MEM_DURABLE == TERN_VDM_MEM_DURABLE &&
		       VDM_F_NO_CACHE_HINT == TERN_VDM_NO_CACHE_HINT,
	       "flags are passed on as they are");
_Static_assert(OPS_MAX % CHUNK_OPS == 0, "chunks are full");

struct chunk {
	struct chunk *next;
	struct op ops[CHUNK_OPS];
};

static bool add_chunk(struct mover *m)
{
	struct chunk *c = m->made < OPS_MAX ? malloc(sizeof(*c)) : NULL;

	if (!c)
		return false;
	c->next = m->chunks;
	m->chunks = c;
	m->made += CHUNK_OPS;
	for (unsigned i = 0; i < CHUNK_OPS; i++) {
		c->ops[i].next = m->idle;
		m->idle = &c->ops[i];
	}
	return true;
}

void tern__miniasync_op_free_all(struct mover *m)
{
	while (m->chunks) {
		struct chunk *c = m->chunks;

		m->chunks = c->next;
		free(c);
	}
}

void *tern__miniasync_op_new(struct vdm *vdm, const enum vdm_operation_type type)
{
	struct mover *m = (struct mover *)vdm;
	struct op *op = NULL;

	pthread_mutex_lock(&m->lock);
	if (m->idle || add_chunk(m)) {
		op = m->idle;
		m->idle = op->next;
		*op = (struct op){.mover = m};
		tern__miniasync_wake_init(op);
	}
	pthread_mutex_unlock(&m->lock);
	return op;
}

void tern__miniasync_op_drop(struct op *op)
{
	if (!op->deleted || op->coming)
		return;
	op->next = op->mover->idle;
	op->mover->idle = op;
}

static void run(struct tern_work *work)
{
	struct op *op = tern_container_of(work, struct op, work);
	const struct vdm_operation *w = &op->what;

	if (w->type == VDM_OPERATION_MEMSET)
		op->fn.set(w->data.memset.str, w->data.memset.c, w->data.memset.n,
			   (unsigned)w->data.memset.flags);
	else
		op->fn.copy(w->data.memcpy.dest, w->data.memcpy.src, w->data.memcpy.n,
			    (unsigned)w->data.memcpy.flags);
	tern_future_complete(&op->own, 0);
}

/* Whether a function of the program's does it, which the operation keeps. */
static bool has_own(struct op *op)
{
	struct mover *m = op->mover;
	bool has;

	pthread_mutex_lock(&m->lock);
	switch (op->what.type) {
	case VDM_OPERATION_MEMCPY:
		op->fn.copy = m->memcpy_fn;
		has = m->memcpy_fn;
		break;
	case VDM_OPERATION_MEMMOVE:
		op->fn.copy = m->memmove_fn;
		has = m->memmove_fn;
		break;
	case VDM_OPERATION_MEMSET:
		op->fn.set = m->memset_fn;
		has = m->memset_fn;
		break;
	default:
		has = false;
	}
	pthread_mutex_unlock(&m->lock);
	return has;
}

/* Flags that the mover does not know are an error; of those it knows, it leaves out what it must.
 */
static uint64_t flags(const struct op *op, uint64_t asked)
{
	return asked & ~(uint64_t)(VDM_F_VALID_FLAGS & ~op->mover->base.capabilities);
}

static void describe(struct op *op)
{
	const struct vdm_operation *w = &op->what;
	struct tern_vdm *native = op->mover->native;

	switch (w->type) {
	case VDM_OPERATION_MEMCPY:
		tern_vdm_prep_memcpy(&op->native, native, w->data.memcpy.dest, w->data.memcpy.src,
				     w->data.memcpy.n, flags(op, w->data.memcpy.flags));
		break;
	case VDM_OPERATION_MEMMOVE:
		tern_vdm_prep_memmove(&op->native, native, w->data.memmove.dest,
				      w->data.memmove.src, w->data.memmove.n,
				      flags(op, w->data.memmove.flags));
		break;
	case VDM_OPERATION_MEMSET:
		tern_vdm_prep_memset(&op->native, native, w->data.memset.str, w->data.memset.c,
				     w->data.memset.n, flags(op, w->data.memset.flags));
		break;
	case VDM_OPERATION_FLUSH:
		tern_vdm_prep_flush(&op->native, native, w->data.flush.dest, w->data.flush.n,
				    flags(op, w->data.flush.flags));
		break;
	default:
		tern_future_init_complete(&op->native.future, -EINVAL);
	}
}

/* Whether there was room in the ring; else the operation waits in line for it. */
static bool take_room(struct op *op)
{
	struct mover *m = op->mover;

	pthread_mutex_lock(&m->lock);
	tern__miniasync_line_leave(op);
	if (m->started < m->ring_size) {
		m->started++;
		op->started = true;
	} else {
		tern__miniasync_line_join(op);
	}
	pthread_mutex_unlock(&m->lock);
	return op->started;
}

static enum tern_future_state poll(struct op *op)
{
	struct tern_notifier n = {.waker = &op->ear, .home = tern__miniasync_home};

	return tern_future_poll(op->future, &n);
}

static void prepare(struct op *op, const struct vdm_operation *operation)
{
	op->what = *operation;
	if (has_own(op)) {
		tern_future_init(&op->own, NULL);
		tern_work_init(&op->work, run, NULL);
		op->future = &op->own;
	} else {
		describe(op);
		op->future = &op->native.future;
	}
}

int tern__miniasync_op_start(void *data, const struct vdm_operation *operation,
			     struct future_notifier *n)
{
	struct op *op = data;

	if (!op->future)
		prepare(op, operation);
	tern__miniasync_op_notify(op, n);
	if (op->future->state == TERN_FUTURE_COMPLETE) /* as prepared: nothing is to be done */
		return 0;
	if (!take_room(op)) {
		if (n && n->notifier_used == FUTURE_NOTIFIER_POLLER)
			n->notifier_used = FUTURE_NOTIFIER_NONE;
		return -1;
	}
	if (poll(op) == TERN_FUTURE_COMPLETE)
		tern__miniasync_wake_others(op);
	else if (op->future == &op->own)
		tern_pool_submit(op->mover->pool, NULL, &op->work);
	return 0;
}

enum future_state tern__miniasync_op_check(void *data, const struct vdm_operation *operation)
{
	struct op *op = data;

	if (!op->future)
		return FUTURE_STATE_IDLE;
	if (poll(op) != TERN_FUTURE_COMPLETE)
		return FUTURE_STATE_RUNNING;
	return tern__miniasync_wake_end(op) ? FUTURE_STATE_COMPLETE : FUTURE_STATE_RUNNING;
}

static enum vdm_operation_result result_of(int64_t result)
{
	if (!result)
		return VDM_SUCCESS;
	return result == -ENOMEM ? VDM_ERROR_OUT_OF_MEMORY : VDM_ERROR_JOB_CORRUPTED;
}

void tern__miniasync_op_delete(void *data, const struct vdm_operation *operation,
			       struct vdm_operation_output *output)
{
	struct op *op = data;
	struct mover *m = op->mover;

	output->type = operation->type;
	output->result = result_of(op->future->result);
	if (operation->type == VDM_OPERATION_MEMSET)
		output->output.memset.str = operation->data.memset.str;
	else if (operation->type == VDM_OPERATION_FLUSH)
		output->output.flush.unused = 0;
	else
		output->output.memcpy.dest = operation->data.memcpy.dest; /* as memmove's */
	pthread_mutex_lock(&m->lock);
	op->deleted = true;
	tern__miniasync_op_drop(op);
	pthread_mutex_unlock(&m->lock);
}

void tern__miniasync_op_notify(struct op *op, struct future_notifier *n)
{
	struct mover *m = op->mover;
	enum future_notifier_type used = m->desired;

	if (used == FUTURE_NOTIFIER_WAKER && (!n || !n->waker.wake))
		used = FUTURE_NOTIFIER_NONE;
	pthread_mutex_lock(&m->lock);
	op->waker = used == FUTURE_NOTIFIER_WAKER ? n->waker : (struct future_waker){0};
	pthread_mutex_unlock(&m->lock);
	if (!n)
		return;
	n->notifier_used = used;
	if (used == FUTURE_NOTIFIER_POLLER)
		n->poller.ptr_to_monitor = &op->changed;
}
