/* SPDX-License-Identifier: MIT */
/*
 * Drop-in <libminiasync/vdm.h>: virtual data movers, and operations that are futures. A mover is a
 * table of functions; programs bring their own. See tern_compat(7).
 */
#ifndef TERN_COMPAT_MINIASYNC_VDM_H
#define TERN_COMPAT_MINIASYNC_VDM_H

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

#define vdm_operation_impl	tern_compat_vdm_operation_impl
#define vdm_generic_operation	tern_compat_vdm_generic_operation
#define vdm_set_has_property_fn tern_compat_vdm_set_has_property_fn
#define vdm_is_supported	tern_compat_vdm_is_supported
#define vdm_memcpy		tern_compat_vdm_memcpy
#define vdm_memmove		tern_compat_vdm_memmove
#define vdm_memset		tern_compat_vdm_memset
#define vdm_flush		tern_compat_vdm_flush

struct vdm;

enum vdm_operation_type {
	VDM_OPERATION_MEMCPY,
	VDM_OPERATION_MEMMOVE,
	VDM_OPERATION_MEMSET,
	VDM_OPERATION_FLUSH,
};

enum vdm_operation_result {
	VDM_SUCCESS,
	VDM_ERROR_OUT_OF_MEMORY, /* the mover has made as many as it can: one must complete */
	VDM_ERROR_JOB_CORRUPTED, /* it could not be done as it was asked for */
};

struct vdm_operation_data_memcpy {
	void *dest;
	void *src;
	size_t n;
	uint64_t flags;
};

struct vdm_operation_data_memmove {
	void *dest;
	void *src;
	size_t n;
	uint64_t flags;
};

struct vdm_operation_data_memset {
	void *str;
	int c;
	size_t n;
	uint64_t flags;
};

struct vdm_operation_data_flush {
	void *dest;
	size_t n;
	uint64_t flags;
};

#define VDM_OPERATION_DATA_MAX_SIZE (40)

struct vdm_operation {
	union {
		struct vdm_operation_data_memcpy memcpy;
		struct vdm_operation_data_memmove memmove;
		struct vdm_operation_data_memset memset;
		struct vdm_operation_data_flush flush;
		uint8_t data[VDM_OPERATION_DATA_MAX_SIZE];
	} data;
	enum vdm_operation_type type;
	uint32_t padding;
};

struct vdm_operation_data {
	void *data; /* the mover's, from op_new to op_delete */
	struct vdm *vdm;
	struct vdm_operation operation; /* may be changed until the first poll */
};

struct vdm_operation_output_memcpy {
	void *dest;
};

struct vdm_operation_output_memmove {
	void *dest;
};

struct vdm_operation_output_memset {
	void *str;
};

struct vdm_operation_output_flush {
	uint64_t unused;
};

struct vdm_operation_output {
	enum vdm_operation_type type;
	enum vdm_operation_result result;
	union {
		struct vdm_operation_output_memcpy memcpy;
		struct vdm_operation_output_memmove memmove;
		struct vdm_operation_output_memset memset;
		struct vdm_operation_output_flush flush;
	} output;
};

FUTURE(vdm_operation_future, struct vdm_operation_data, struct vdm_operation_output);

/* [any] When the future is made. NULL: no more can be made. */
typedef void *(*vdm_operation_new)(struct vdm *vdm, const enum vdm_operation_type type);
/* [poller] From a poll that finds it idle. Not 0: not now; it stays so. */
typedef int (*vdm_operation_start)(void *data, const struct vdm_operation *operation,
				   struct future_notifier *n);
/* [poller] From that poll on. */
typedef enum future_state (*vdm_operation_check)(void *data, const struct vdm_operation *operation);
/* [poller] When it is complete: fills the output. */
typedef void (*vdm_operation_delete)(void *data, const struct vdm_operation *operation,
				     struct vdm_operation_output *output);

struct vdm {
	vdm_operation_new op_new;
	vdm_operation_delete op_delete;
	vdm_operation_start op_start;
	vdm_operation_check op_check;
	unsigned capabilities;		     /* flags that it keeps */
	future_has_property_fn has_property; /* NULL: none */
};

#define VDM_F_MEM_DURABLE   (1U << 0) /* over when what is written has left the caches */
#define VDM_F_NO_CACHE_HINT (1U << 1) /* the destination is not read soon: past the caches */
#define VDM_F_VALID_FLAGS   (VDM_F_MEM_DURABLE | VDM_F_NO_CACHE_HINT)

/* [any] 1: the mover keeps all these flags; 0: not all. */
int tern_compat_vdm_is_supported(struct vdm *vdm, unsigned capability);

/*
 * [any] An operation, which starts at its first poll. Flags of the two that the mover does not keep
 * are left out. Complete at once where no more can be made.
 */
struct vdm_operation_future tern_compat_vdm_memcpy(struct vdm *vdm, void *dest, void *src, size_t n,
						   uint64_t flags);
struct vdm_operation_future tern_compat_vdm_memmove(struct vdm *vdm, void *dest, void *src,
						    size_t n, uint64_t flags);
struct vdm_operation_future tern_compat_vdm_memset(struct vdm *vdm, void *str, int c, size_t n,
						   uint64_t flags);
struct vdm_operation_future tern_compat_vdm_flush(struct vdm *vdm, void *dest, size_t n,
						  uint64_t flags);

/* [any] Makes the future of an operation that stands in its data. */
void tern_compat_vdm_generic_operation(struct vdm *vdm, struct vdm_operation_future *future);
void tern_compat_vdm_set_has_property_fn(struct vdm_operation_future *future,
					 future_has_property_fn has_property);
/* [poller] The task of all operations. */
enum future_state tern_compat_vdm_operation_impl(struct future_context *context,
						 struct future_notifier *n);

#ifdef __cplusplus
}
#endif

#endif
