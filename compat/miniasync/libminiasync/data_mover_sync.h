/* SPDX-License-Identifier: MIT */
/* Drop-in <libminiasync/data_mover_sync.h>: a mover that does all in the first poll. */
#ifndef TERN_COMPAT_MINIASYNC_DATA_MOVER_SYNC_H
#define TERN_COMPAT_MINIASYNC_DATA_MOVER_SYNC_H

#include "vdm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define data_mover_sync_new	tern_compat_data_mover_sync_new
#define data_mover_sync_get_vdm tern_compat_data_mover_sync_get_vdm
#define data_mover_sync_delete	tern_compat_data_mover_sync_delete

struct data_mover_sync;

/* [any] NULL and errno ENOMEM: there is no memory. */
struct data_mover_sync *tern_compat_data_mover_sync_new(void);
/* [any] As long as the mover. */
struct vdm *tern_compat_data_mover_sync_get_vdm(struct data_mover_sync *dms);
/* [any] What was made and never polled is forgotten, and must not be polled any more. */
void tern_compat_data_mover_sync_delete(struct data_mover_sync *dms);

#ifdef __cplusplus
}
#endif

#endif
