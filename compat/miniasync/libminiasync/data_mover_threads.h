/* SPDX-License-Identifier: MIT */
/* Drop-in <libminiasync/data_mover_threads.h>: a mover on a pool of tern. */
#ifndef TERN_COMPAT_MINIASYNC_DATA_MOVER_THREADS_H
#define TERN_COMPAT_MINIASYNC_DATA_MOVER_THREADS_H

#include <tern/pool.h>

#include "vdm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define data_mover_threads_new		  tern_compat_data_mover_threads_new
#define data_mover_threads_default	  tern_compat_data_mover_threads_default
#define data_mover_threads_get_vdm	  tern_compat_data_mover_threads_get_vdm
#define data_mover_threads_delete	  tern_compat_data_mover_threads_delete
#define data_mover_threads_set_memcpy_fn  tern_compat_data_mover_threads_set_memcpy_fn
#define data_mover_threads_set_memmove_fn tern_compat_data_mover_threads_set_memmove_fn
#define data_mover_threads_set_memset_fn  tern_compat_data_mover_threads_set_memset_fn

/* [worker] In place of the mover's own, once for all of an operation, with its flags. */
typedef void *(*memcpy_fn)(void *dst, const void *src, size_t n, unsigned flags);
typedef void *(*memmove_fn)(void *dst, const void *src, size_t n, unsigned flags);
typedef void *(*memset_fn)(void *str, int c, size_t n, unsigned flags);

struct data_mover_threads;

/*
 * [any] Makes a mover on a pool of its own of at most nthreads. ringbuf_size, a power of two: how
 * many operations are started at once; others stay idle, and are woken when there is room. NULL and
 * errno EINVAL, ENOMEM or EAGAIN: no memory, no thread.
 */
struct data_mover_threads *
tern_compat_data_mover_threads_new(size_t nthreads, size_t ringbuf_size,
				   enum future_notifier_type desired_notifier);
/* [any] With 12 threads, 128 operations started at once, and wakers. */
struct data_mover_threads *tern_compat_data_mover_threads_default(void);
/* [any] As long as the mover. */
struct vdm *tern_compat_data_mover_threads_get_vdm(struct data_mover_threads *dmt);
/*
 * [any, not a thread of the pool] [blocks] Waits until what was started is over. What was made and
 * not started is forgotten, and must not be polled any more.
 */
void tern_compat_data_mover_threads_delete(struct data_mover_threads *dmt);

/* [any] For operations that are started from now on. NULL: the mover's own. */
void tern_compat_data_mover_threads_set_memcpy_fn(struct data_mover_threads *dmt,
						  memcpy_fn op_memcpy);
void tern_compat_data_mover_threads_set_memmove_fn(struct data_mover_threads *dmt,
						   memmove_fn op_memmove);
void tern_compat_data_mover_threads_set_memset_fn(struct data_mover_threads *dmt,
						  memset_fn op_memset);

/*
 * [any] Not of miniasync: a mover on a pool of the program's, to which it holds a reference, that
 * keeps VDM_F_MEM_DURABLE and VDM_F_NO_CACHE_HINT where the CPU can: see vdm_is_supported.
 */
struct data_mover_threads *tern_compat_miniasync_mover(struct tern_pool *pool, size_t ringbuf_size,
						       enum future_notifier_type desired_notifier);

#ifdef __cplusplus
}
#endif

#endif
