/* SPDX-License-Identifier: MIT */
/*
 * The movers of miniasync, over those of tern. All are one structure, and differ in what they are
 * made with: a pool or none, how many operations may be started, which flags and wakers they know.
 */
#include <errno.h>
#include <stdlib.h>

#include "private.h"

#define THREADS	 12 /* as miniasync's default */
#define RING	 128
#define RING_MAX (UINT32_C(1) << 31)

struct data_mover_sync {
	struct mover mover;
};

struct data_mover_threads {
	struct mover mover;
};

struct data_mover_dml {
	struct mover mover;
};

static int is_async(void *future, enum future_property property)
{
	return property == FUTURE_PROPERTY_ASYNC;
}

static const struct vdm table = {
	.op_new = tern__miniasync_op_new,
	.op_delete = tern__miniasync_op_delete,
	.op_start = tern__miniasync_op_start,
	.op_check = tern__miniasync_op_check,
};

static int init_lock(struct mover *m)
{
	int e = pthread_mutex_init(&m->lock, NULL);

	if (e)
		return -e;
	e = pthread_cond_init(&m->calm, NULL);
	if (e)
		pthread_mutex_destroy(&m->lock);
	return -e;
}

static void free_mover(struct mover *m)
{
	tern__miniasync_op_free_all(m);
	pthread_cond_destroy(&m->calm);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static int make(struct mover **ret, struct tern_vdm *native, uint32_t ring_size)
{
	struct mover *m = malloc(sizeof(*m));
	int e;

	if (!m)
		return -ENOMEM;
	*m = (struct mover){.base = table, .native = native, .ring_size = ring_size};
	m->line_end = &m->line;
	e = init_lock(m);
	if (e)
		free(m);
	else
		*ret = m;
	return e;
}

static bool is_ring(size_t size)
{
	return size && size <= RING_MAX && !(size & (size - 1));
}

/* Takes the reference to the pool over, unless it fails. */
static int make_on(struct mover **ret, struct tern_pool *pool, size_t ring_size,
		   enum future_notifier_type desired)
{
	const struct tern_vdm_pool_opts opts = {
		.size = sizeof(opts),
		.ring_size = (uint32_t)ring_size,
		.operations_max = TERN_FOREVER, /* those that are made are counted here */
	};
	struct mover *m;
	int e = is_ring(ring_size) ? make(&m, NULL, (uint32_t)ring_size) : -EINVAL;

	if (e)
		return e;
	e = tern_vdm_pool_create(&m->native, pool, &opts);
	if (e) {
		free_mover(m);
		return e;
	}
	m->base.has_property = is_async;
	m->pool = pool;
	m->desired = desired;
	*ret = m;
	return 0;
}

static int make_with_threads(struct mover **ret, size_t threads, size_t ring_size,
			     enum future_notifier_type desired)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_max = (uint32_t)threads,
		.name = "miniasync",
	};
	struct tern_pool *pool;
	int e = threads && threads < TERN_NONE ? tern_pool_create(&pool, &opts) : -EINVAL;

	if (e)
		return e;
	e = make_on(ret, pool, ring_size, desired);
	if (e)
		tern_pool_destroy(pool);
	else
		(*ret)->own_pool = true;
	return e;
}

/* What a constructor returns. */
static void *told(int e, struct mover *m)
{
	if (!e)
		return m;
	errno = -e;
	return NULL;
}

static void wait_calm(struct mover *m)
{
	pthread_mutex_lock(&m->lock);
	while (m->started || m->coming)
		pthread_cond_wait(&m->calm, &m->lock);
	pthread_mutex_unlock(&m->lock);
}

static void destroy(struct mover *m)
{
	tern_vdm_pool_destroy(m->native); /* first: some may lie with this thread's loop */
	wait_calm(m);
	if (m->own_pool)
		tern_pool_destroy(m->pool);
	else
		tern_pool_put(m->pool);
	free_mover(m);
}

static void keep_flags(struct mover *m)
{
	m->base.capabilities = (unsigned)m->native->capabilities & VDM_F_VALID_FLAGS;
}

/* ---- the synchronous one ---- */

struct data_mover_sync *tern_compat_data_mover_sync_new(void)
{
	struct mover *m = NULL;
	int e = make(&m, tern_vdm_sync(), UINT32_MAX);

	return told(e, m);
}

struct vdm *tern_compat_data_mover_sync_get_vdm(struct data_mover_sync *dms)
{
	return &dms->mover.base;
}

void tern_compat_data_mover_sync_delete(struct data_mover_sync *dms)
{
	free_mover(&dms->mover);
}

/* ---- on threads ---- */

struct data_mover_threads *
tern_compat_data_mover_threads_new(size_t nthreads, size_t ringbuf_size,
				   enum future_notifier_type desired_notifier)
{
	struct mover *m = NULL;
	int e = make_with_threads(&m, nthreads, ringbuf_size, desired_notifier);

	return told(e, m);
}

struct data_mover_threads *tern_compat_data_mover_threads_default(void)
{
	return tern_compat_data_mover_threads_new(THREADS, RING, FUTURE_NOTIFIER_WAKER);
}

struct vdm *tern_compat_data_mover_threads_get_vdm(struct data_mover_threads *dmt)
{
	return &dmt->mover.base;
}

void tern_compat_data_mover_threads_delete(struct data_mover_threads *dmt)
{
	destroy(&dmt->mover);
}

void tern_compat_data_mover_threads_set_memcpy_fn(struct data_mover_threads *dmt,
						  memcpy_fn op_memcpy)
{
	pthread_mutex_lock(&dmt->mover.lock);
	dmt->mover.memcpy_fn = op_memcpy;
	pthread_mutex_unlock(&dmt->mover.lock);
}

void tern_compat_data_mover_threads_set_memmove_fn(struct data_mover_threads *dmt,
						   memmove_fn op_memmove)
{
	pthread_mutex_lock(&dmt->mover.lock);
	dmt->mover.memmove_fn = op_memmove;
	pthread_mutex_unlock(&dmt->mover.lock);
}

void tern_compat_data_mover_threads_set_memset_fn(struct data_mover_threads *dmt,
						  memset_fn op_memset)
{
	pthread_mutex_lock(&dmt->mover.lock);
	dmt->mover.memset_fn = op_memset;
	pthread_mutex_unlock(&dmt->mover.lock);
}

struct data_mover_threads *tern_compat_miniasync_mover(struct tern_pool *pool, size_t ringbuf_size,
						       enum future_notifier_type desired_notifier)
{
	struct mover *m = NULL;
	int e = make_on(&m, tern_pool_get(pool), ringbuf_size, desired_notifier);

	if (e)
		tern_pool_put(pool);
	else
		keep_flags(m);
	return told(e, m);
}

/* ---- instead of the Data Mover Library ---- */

static void *make_none(struct vdm *vdm, const enum vdm_operation_type type)
{
	return NULL;
}

static struct vdm no_hardware = {
	.op_new = make_none,
	.op_delete = tern__miniasync_op_delete,
	.op_start = tern__miniasync_op_start,
	.op_check = tern__miniasync_op_check,
};

struct data_mover_dml *tern_compat_data_mover_dml_new(enum data_mover_dml_type type)
{
	struct mover *m = NULL;
	int e = -EINVAL;

	if (type == DATA_MOVER_DML_HARDWARE)
		e = -ENOTSUP;
	else if (type == DATA_MOVER_DML_SOFTWARE || type == DATA_MOVER_DML_AUTO)
		e = make_with_threads(&m, THREADS, RING, FUTURE_NOTIFIER_WAKER);
	if (!e)
		keep_flags(m);
	return told(e, m);
}

struct vdm *tern_compat_data_mover_dml_get_vdm(struct data_mover_dml *dmd)
{
	return dmd ? &dmd->mover.base : &no_hardware;
}

void tern_compat_data_mover_dml_delete(struct data_mover_dml *dmd)
{
	if (dmd)
		destroy(&dmd->mover);
}
