/* SPDX-License-Identifier: MIT */
/* What the drop-in <libminiasync.h> does when the system refuses memory or threads. */
#include "miniasync.h"

#include <limits.h>

#include "../fault.h"

static char from = 'x', to;

/* Asserts nothing: that would take memory. */
static bool copies(struct vdm *vdm)
{
	struct vdm_operation_future fut = vdm_memcpy(vdm, &to, &from, 1, 0);
	struct runtime *runtime = runtime_new();

	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&fut));
	runtime_delete(runtime);
	return FUTURE_OUTPUT(&fut)->result == VDM_SUCCESS;
}

static void no_thread(void)
{
	fault_arm(FAULT_THREAD, 1, UINT_MAX);
	ck_assert_ptr_null(data_mover_threads_default());
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_ptr_null(data_mover_dml_new(DATA_MOVER_DML_SOFTWARE));
	fault_disarm();
}

static void *copy_plainly(void *dst, const void *src, size_t n, unsigned flags)
{
	return memcpy(dst, src, n);
}

static void one_thread(void)
{
	struct data_mover_threads *dmt;
	struct vdm_operation_future futs[100];
	struct future *all[COUNT(futs)];
	struct runtime *runtime = runtime_new();

	fault_arm(FAULT_THREAD, 2, UINT_MAX);
	dmt = data_mover_threads_default();
	ck_assert_ptr_nonnull(dmt);
	data_mover_threads_set_memcpy_fn(dmt, copy_plainly);
	for (unsigned i = 0; i < COUNT(futs); i++) {
		futs[i] = vdm_memcpy(data_mover_threads_get_vdm(dmt), &to, &from, 1, 0);
		all[i] = FUTURE_AS_RUNNABLE(&futs[i]);
	}
	runtime_wait_multiple(runtime, all, 1);
	runtime_wait_multiple(runtime, all, COUNT(all));
	fault_disarm();
	runtime_delete(runtime);
	data_mover_threads_delete(dmt);
}

static struct data_mover_sync *dms;
static struct data_mover_threads *dmt;
static struct data_mover_dml *dmd;

static bool make_sync(void)
{
	return (dms = data_mover_sync_new());
}

static bool make_threads(void)
{
	return (dmt = data_mover_threads_new(2, 4, FUTURE_NOTIFIER_WAKER));
}

static bool make_dml(void)
{
	return (dmd = data_mover_dml_new(DATA_MOVER_DML_AUTO));
}

static bool use_sync(void)
{
	bool right = copies(data_mover_sync_get_vdm(dms));

	data_mover_sync_delete(dms);
	return right;
}

static bool use_threads(void)
{
	bool right = copies(data_mover_threads_get_vdm(dmt));

	data_mover_threads_delete(dmt);
	return right;
}

static bool use_dml(void)
{
	bool right = copies(data_mover_dml_get_vdm(dmd));

	data_mover_dml_delete(dmd);
	return right;
}

/* Makes the n-th call fail, for every n, until there is none. */
static void check_each(enum fault_kind kind, bool (*make)(void), bool (*use)(void))
{
	unsigned failed = 1;

	ck_assert(make() && use()); /* what is made once and kept */
	for (unsigned n = 1; failed; n++) {
		long memory = fault_memory();
		bool right;

		fault_arm(kind, n, 1);
		right = make();
		failed = fault_disarm();
		right = right ? use() : failed && errno == fault_errno(kind);
		memory -= fault_memory();
		ck_assert_msg(right, "call %u of kind %d", n, kind);
		ck_assert_int_eq(memory, 0);
	}
}

static void constructors(void)
{
	static const enum fault_kind kinds[] = {FAULT_MALLOC, FAULT_MEMALIGN, FAULT_MUTEX};

	for (unsigned i = 0; i < COUNT(kinds); i++) {
		check_each(kinds[i], make_sync, use_sync);
		check_each(kinds[i], make_threads, use_threads);
		check_each(kinds[i], make_dml, use_dml);
	}
}

static void operations(void)
{
	struct vdm_operation_future fut;
	struct vdm *vdm;

	ck_assert(make_sync());
	vdm = data_mover_sync_get_vdm(dms);
	fault_arm(FAULT_MALLOC, 1, 1);
	fut = vdm_memcpy(vdm, &to, &from, 1, 0);
	ck_assert_uint_eq(fault_disarm(), 1);
	ck_assert_int_eq(FUTURE_STATE(&fut), FUTURE_STATE_COMPLETE);
	ck_assert_int_eq(FUTURE_OUTPUT(&fut)->result, VDM_ERROR_OUT_OF_MEMORY);
	ck_assert(use_sync());
}

/* Nobody can be told then who waits, so it looks by itself. */
static void waits(void)
{
	struct count_fut fut = counting(20, 0);
	struct runtime *runtime = runtime_new();

	fut.data.says = FUTURE_NOTIFIER_WAKER;
	fault_arm(FAULT_MALLOC, 1, UINT_MAX);
	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&fut));
	ck_assert_uint_gt(fault_disarm(), 0);
	FUTURE_WAKER_WAKE(&fut.data.waker);
	runtime_delete(runtime);
}

static const struct test tests[] = {
	{"a mover that cannot have a thread is NULL", no_thread},
	{"one that can have one thread only does with that", one_thread},
	{"each call that fails while a mover is made is told, and leaks nothing", constructors},
	{"an operation for which there is no memory is complete", operations},
	{"a wait for which there is no memory ends all the same", waits},
};

int main(int argc, char **argv)
{
	return run_tests("<libminiasync.h>: faults", tests, COUNT(tests), argc, argv);
}
