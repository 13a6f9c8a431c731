/* SPDX-License-Identifier: MIT */
/*
 * Drop-in <libminiasync-vdm-dml.h>: where miniasync has Intel's Data Mover Library move memory, a
 * pool of tern does. It keeps the flags that the CPU can keep.
 */
#ifndef TERN_COMPAT_MINIASYNC_VDM_DML_H
#define TERN_COMPAT_MINIASYNC_VDM_DML_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "libminiasync.h"

/* What the original brings along comes along where it is installed. */
#ifdef __has_include
#if __has_include(<dml/dml.h>)
#include <dml/dml.h>
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define data_mover_dml_new     tern_compat_data_mover_dml_new
#define data_mover_dml_get_vdm tern_compat_data_mover_dml_get_vdm
#define data_mover_dml_delete  tern_compat_data_mover_dml_delete

struct data_mover_dml;

enum data_mover_dml_type {
	DATA_MOVER_DML_SOFTWARE,
	DATA_MOVER_DML_HARDWARE, /* there is none here */
	DATA_MOVER_DML_AUTO,
};

/* [any] NULL and errno ENOTSUP: hardware is asked for; EINVAL, ENOMEM, EAGAIN. */
struct data_mover_dml *tern_compat_data_mover_dml_new(enum data_mover_dml_type type);
/* [any] As long as the mover. dmd NULL: one whose operations complete, out of memory, at once. */
struct vdm *tern_compat_data_mover_dml_get_vdm(struct data_mover_dml *dmd);
/* [any] [blocks] As data_mover_threads_delete. dmd may be NULL. */
void tern_compat_data_mover_dml_delete(struct data_mover_dml *dmd);

#ifdef __cplusplus
}
#endif

#endif
