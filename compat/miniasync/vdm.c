/* SPDX-License-Identifier: MIT */
/* Operations of any mover, a program's own as well, as futures. */
#include "private.h"

int tern_compat_vdm_is_supported(struct vdm *vdm, unsigned capability)
{
	return (vdm->capabilities & capability) == capability;
}

enum future_state tern_compat_vdm_operation_impl(struct future_context *c,
						 struct future_notifier *n)
{
	struct vdm_operation_data *d = tern_compat_future_context_get_data(c);
	struct vdm *vdm = d->vdm;
	enum future_state state;

	if (c->state == FUTURE_STATE_IDLE) {
		if (vdm->op_start(d->data, &d->operation, n))
			return FUTURE_STATE_IDLE;
	} else if (vdm->op_check == tern__miniasync_op_check) {
		tern__miniasync_op_notify(d->data, n); /* others know the first poll's only */
	}
	state = vdm->op_check(d->data, &d->operation);
	if (state != FUTURE_STATE_COMPLETE)
		return state;
	vdm->op_delete(d->data, &d->operation, tern_compat_future_context_get_output(c));
	if (n)
		n->notifier_used = FUTURE_NOTIFIER_NONE; /* what comes next in a chain may say
							    nothing */
	return state;
}

void tern_compat_vdm_set_has_property_fn(struct vdm_operation_future *f,
					 future_has_property_fn has_property)
{
	if (has_property)
		f->base.has_property = has_property;
}

void tern_compat_vdm_generic_operation(struct vdm *vdm, struct vdm_operation_future *f)
{
	f->data.vdm = vdm;
	f->data.data = vdm->op_new(vdm, f->data.operation.type);
	if (f->data.data) {
		FUTURE_INIT(f, tern_compat_vdm_operation_impl);
	} else {
		f->output.result = VDM_ERROR_OUT_OF_MEMORY;
		FUTURE_INIT_COMPLETE(f);
	}
	tern_compat_vdm_set_has_property_fn(f, vdm->has_property);
}

static struct vdm_operation_future make(struct vdm *vdm, struct vdm_operation operation)
{
	struct vdm_operation_future f = {
		.data.operation = operation,
		.output = {.type = operation.type, .result = VDM_SUCCESS},
	};

	tern_compat_vdm_generic_operation(vdm, &f);
	return f;
}

struct vdm_operation_future tern_compat_vdm_memcpy(struct vdm *vdm, void *dest, void *src, size_t n,
						   uint64_t flags)
{
	return make(vdm, (struct vdm_operation){
				 .type = VDM_OPERATION_MEMCPY,
				 .data.memcpy = {dest, src, n, flags},
			 });
}

struct vdm_operation_future tern_compat_vdm_memmove(struct vdm *vdm, void *dest, void *src,
						    size_t n, uint64_t flags)
{
	return make(vdm, (struct vdm_operation){
				 .type = VDM_OPERATION_MEMMOVE,
				 .data.memmove = {dest, src, n, flags},
			 });
}

struct vdm_operation_future tern_compat_vdm_memset(struct vdm *vdm, void *str, int c, size_t n,
						   uint64_t flags)
{
	return make(vdm, (struct vdm_operation){
				 .type = VDM_OPERATION_MEMSET,
				 .data.memset = {str, c, n, flags},
			 });
}

struct vdm_operation_future tern_compat_vdm_flush(struct vdm *vdm, void *dest, size_t n,
						  uint64_t flags)
{
	return make(vdm, (struct vdm_operation){
				 .type = VDM_OPERATION_FLUSH,
				 .data.flush = {dest, n, flags},
			 });
}
