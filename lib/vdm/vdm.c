/* SPDX-License-Identifier: MIT */
/*
 * Operations as futures, over a mover's table.
 *
 * An operation that was started belongs to its mover until tern_future_complete, and may outlive
 * it: once that has been called (settled) nobody looks at the mover again.
 */
#include <errno.h>

#include "../base/fatal.h"
#include "vdm.h"

#define FLAGS (TERN_VDM_MEM_DURABLE | TERN_VDM_NO_CACHE_HINT)

static struct tern_vdm_op *op_of(struct tern_future *f)
{
	return tern_container_of(f, struct tern_vdm_op, future);
}

static enum tern_future_state end(struct tern_vdm_op *op)
{
	if (!op->settled && op->vdm->op_delete)
		op->vdm->op_delete(op->vdm, op);
	return TERN_FUTURE_COMPLETE;
}

/*
 * The bell first: afterwards the mover may be gone, if it is one that rings it. Then a mover that
 * has something to look at, which says when to come again.
 */
static enum tern_future_state look(struct tern_vdm_op *op, struct tern_notifier *n)
{
	enum tern_future_state state = tern_future_attach(&op->future, n);
	enum tern_notify attached = n->used;

	if (state == TERN_FUTURE_COMPLETE)
		return end(op);
	if (op->stage == TERN__VDM_LINED)
		return TERN_FUTURE_IDLE;
	if (op->stage == TERN__VDM_STARTED)
		return state;
	n->used = TERN_NOTIFY_NONE;
	if (op->vdm->op_check(op->vdm, op, n) == TERN_FUTURE_COMPLETE)
		return end(op);
	if (n->used == TERN_NOTIFY_WAKER)
		n->used = attached;
	return state;
}

static enum tern_future_state start(struct tern_vdm_op *op, struct tern_notifier *n)
{
	struct tern_vdm *vdm = op->vdm;
	int e;

	/* now: the mover may be gone when op_start returns, and all is over */
	op->stage = vdm->op_check ? TERN__VDM_CHECKED : TERN__VDM_STARTED;
	e = vdm->op_start(vdm, op, n);
	if (e == -EAGAIN) { /* who makes room may have come before there was anybody to wake */
		tern_future_attach(&op->future, n);
		e = vdm->op_start(vdm, op, n);
	}
	if (e == -EAGAIN) {
		op->stage = TERN__VDM_TRIED;
		return TERN_FUTURE_IDLE;
	}
	if (e)
		op->future.result = e;
	if (e || op->stage == TERN__VDM_OVER)
		return end(op);
	return look(op, n);
}

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_vdm_op *op = op_of(f);

	return op->stage <= TERN__VDM_TRIED ? start(op, n) : look(op, n);
}

static void cancel(struct tern_future *f)
{
	struct tern_vdm_op *op = op_of(f);
	struct tern_vdm *vdm = op->vdm;

	if (op->stage != TERN__VDM_MADE && !(vdm->op_cancel && vdm->op_cancel(vdm, op)))
		return;
	f->result = -ECANCELED;
	f->state = (uint8_t)end(op);
}

static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	const struct tern_vdm_op *op = tern_container_of(f, const struct tern_vdm_op, future);

	if (f->state == TERN_FUTURE_COMPLETE)
		return false;
	if (op->stage == TERN__VDM_STARTED || op->stage == TERN__VDM_LINED)
		return property == TERN_FUTURE_ASYNC;
	return op->vdm->has_property && op->vdm->has_property(op->vdm, op, property);
}

static const struct tern_future_ops ops = {
	.size = sizeof(ops),
	.poll = poll,
	.cancel = cancel,
	.has_property = has_property,
};

/* Not by way of the dynamic linker, like the public one. */
static inline bool is_supported(const struct tern_vdm *vdm, uint32_t type, uint64_t flags)
{
	return vdm->operations & (1u << type) && !(flags & ~(vdm->capabilities & FLAGS));
}

bool tern_vdm_is_supported(const struct tern_vdm *vdm, enum tern_vdm_type type, uint64_t flags)
{
	return type > TERN_VDM_NONE && type < TERN_VDM_TYPES && is_supported(vdm, type, flags);
}

static bool wraps(const void *start, size_t n)
{
	return (uintptr_t)start > UINTPTR_MAX - n;
}

static bool overlap(const void *a, const void *b, size_t n)
{
	uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;

	return x < y ? y - x < n : x - y < n;
}

/* 0, or what is wrong with it. */
static int check(const struct tern_vdm_op *op)
{
	bool reads = op->type != TERN_VDM_MEMSET && op->type != TERN_VDM_FLUSH;
	bool writes = op->type != TERN_VDM_CRC32C;

	if (op->flags & ~FLAGS)
		return -EINVAL;
	if ((reads && (!op->src || wraps(op->src, op->n))) ||
	    (writes && (!op->dest || wraps(op->dest, op->n))))
		return -EINVAL;
	if (reads && writes && op->type != TERN_VDM_MEMMOVE && overlap(op->dest, op->src, op->n))
		return -EINVAL;
	return is_supported(op->vdm, op->type, op->flags) ? 0 : -ENOTSUP;
}

/* What the fields say is all there is; the future is not prepared yet. */
static void prep(struct tern_vdm_op *op, const char *call)
{
	int e;

	if (!op->vdm || op->vdm->size < sizeof(*op->vdm))
		tern__fatal(call, "operation %p: no mover, or one of another size", (void *)op);
	tern_future_init(&op->future, &ops);
	e = op->n ? check(op) : 0;
	if (op->n && !e && op->vdm->op_new)
		e = op->vdm->op_new(op->vdm, op);
	if (op->n && !e)
		return;
	op->future.result = e;
	op->future.state = TERN_FUTURE_COMPLETE;
}

void tern_vdm_prep_memcpy(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest, const void *src,
			  size_t n, uint64_t flags)
{
	*op = (struct tern_vdm_op){.vdm = vdm,
				   .type = TERN_VDM_MEMCPY,
				   .flags = flags,
				   .dest = dest,
				   .src = src,
				   .n = n};
	prep(op, "tern_vdm_prep_memcpy");
}

void tern_vdm_prep_memmove(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest,
			   const void *src, size_t n, uint64_t flags)
{
	*op = (struct tern_vdm_op){.vdm = vdm,
				   .type = TERN_VDM_MEMMOVE,
				   .flags = flags,
				   .dest = dest,
				   .src = src,
				   .n = n};
	prep(op, "tern_vdm_prep_memmove");
}

void tern_vdm_prep_memset(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest, int value,
			  size_t n, uint64_t flags)
{
	*op = (struct tern_vdm_op){.vdm = vdm,
				   .type = TERN_VDM_MEMSET,
				   .flags = flags,
				   .dest = dest,
				   .n = n,
				   .value = value};
	prep(op, "tern_vdm_prep_memset");
}

void tern_vdm_prep_flush(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest, size_t n,
			 uint64_t flags)
{
	*op = (struct tern_vdm_op){
		.vdm = vdm, .type = TERN_VDM_FLUSH, .flags = flags, .dest = dest, .n = n};
	prep(op, "tern_vdm_prep_flush");
}

void tern_vdm_prep_crc32c(struct tern_vdm_op *op, struct tern_vdm *vdm, const void *src, size_t n,
			  uint32_t crc32c, uint64_t flags)
{
	*op = (struct tern_vdm_op){.vdm = vdm,
				   .type = TERN_VDM_CRC32C,
				   .crc32c = crc32c,
				   .flags = flags,
				   .src = src,
				   .n = n};
	prep(op, "tern_vdm_prep_crc32c");
}

void tern_vdm_prep_copy_crc32c(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest,
			       const void *src, size_t n, uint32_t crc32c, uint64_t flags)
{
	*op = (struct tern_vdm_op){.vdm = vdm,
				   .type = TERN_VDM_COPY_CRC32C,
				   .crc32c = crc32c,
				   .flags = flags,
				   .dest = dest,
				   .src = src,
				   .n = n};
	prep(op, "tern_vdm_prep_copy_crc32c");
}
