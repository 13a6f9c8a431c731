/* SPDX-License-Identifier: MIT */
/*
 * What the movers of the drop-in <libminiasync.h> do with memory, and how many operations they
 * take. When they wake, and whom, is in test_miniasync_wake.c.
 */
#include "miniasync.h"

#define SIZE_MAX_MOVED ((size_t)3 << 20)
#define OPS_AT_LEAST   16384

/* the movers, each of which a test looks at */

static struct tern_pool *pool;
static struct data_mover_sync *dms;
static struct data_mover_threads *dmt, *own;
static struct data_mover_dml *software, *chosen;
static struct vdm *vdms[5];

static void start(void)
{
	pool = pool_new(1, 4);
	dms = data_mover_sync_new();
	dmt = data_mover_threads_default();
	own = tern_compat_miniasync_mover(pool, 8, FUTURE_NOTIFIER_WAKER);
	software = data_mover_dml_new(DATA_MOVER_DML_SOFTWARE);
	chosen = data_mover_dml_new(DATA_MOVER_DML_AUTO);
	ck_assert(dms && dmt && own && software && chosen);
	vdms[0] = data_mover_sync_get_vdm(dms);
	vdms[1] = data_mover_threads_get_vdm(dmt);
	vdms[2] = data_mover_threads_get_vdm(own);
	vdms[3] = data_mover_dml_get_vdm(software);
	vdms[4] = data_mover_dml_get_vdm(chosen);
}

static void finish(void)
{
	data_mover_dml_delete(chosen);
	data_mover_dml_delete(software);
	data_mover_threads_delete(own);
	data_mover_threads_delete(dmt);
	data_mover_sync_delete(dms);
	tern_pool_destroy(pool);
}

static enum vdm_operation_result moved(struct vdm_operation_future fut)
{
	struct runtime *runtime = runtime_new();

	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&fut));
	runtime_delete(runtime);
	ck_assert_int_eq(FUTURE_OUTPUT(&fut)->type, FUTURE_DATA(&fut)->operation.type);
	if (FUTURE_OUTPUT(&fut)->type != VDM_OPERATION_FLUSH &&
	    FUTURE_OUTPUT(&fut)->result != VDM_ERROR_OUT_OF_MEMORY)
		ck_assert_ptr_eq(FUTURE_OUTPUT(&fut)->output.memcpy.dest,
				 FUTURE_DATA(&fut)->operation.data.memcpy.dest);
	return FUTURE_OUTPUT(&fut)->result;
}

static char letter(size_t i)
{
	return (char)(i * 7 + i / 251);
}

static void check_moves(struct vdm *vdm, char *a, char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		a[i] = letter(i);
	ck_assert_int_eq(moved(vdm_memcpy(vdm, b, a, n, VDM_F_NO_CACHE_HINT)), VDM_SUCCESS);
	ck_assert(!memcmp(a, b, n));
	ck_assert_int_eq(moved(vdm_memmove(vdm, b + n / 3, b, n - n / 3, 0)), VDM_SUCCESS);
	ck_assert(!memcmp(a, b + n / 3, n - n / 3));
	ck_assert_int_eq(moved(vdm_memmove(vdm, b, b + n / 3, n - n / 3, 0)), VDM_SUCCESS);
	ck_assert(!memcmp(a, b, n - n / 3));
	ck_assert_int_eq(moved(vdm_memset(vdm, b, 0x1a5, n, VDM_F_MEM_DURABLE)), VDM_SUCCESS);
	memset(a, 0xa5, n);
	ck_assert(!memcmp(a, b, n));
	ck_assert_int_eq(moved(vdm_flush(vdm, b, n, 0)), VDM_SUCCESS);
}

static void moves(void)
{
	static const size_t sizes[] = {1, 100, 4096, 70001, SIZE_MAX_MOVED};
	char *a = malloc(SIZE_MAX_MOVED), *b = malloc(SIZE_MAX_MOVED);

	start();
	for (unsigned i = 0; i < COUNT(vdms); i++)
		for (unsigned j = 0; j < COUNT(sizes); j++)
			check_moves(vdms[i], a, b, sizes[j]);
	free(a);
	free(b);
	finish();
}

static void bad_input(void)
{
	char bytes[64] = "unchanged";

	start();
	for (unsigned i = 0; i < COUNT(vdms); i++) {
		struct vdm *v = vdms[i];

		ck_assert_int_eq(moved(vdm_memcpy(v, NULL, NULL, 0, 0)), VDM_SUCCESS);
		ck_assert_int_eq(moved(vdm_memset(v, NULL, 0, 0, 0)), VDM_SUCCESS);
		ck_assert_int_eq(moved(vdm_memcpy(v, NULL, bytes, 1, 0)), VDM_ERROR_JOB_CORRUPTED);
		ck_assert_int_eq(moved(vdm_memmove(v, bytes, NULL, 1, 0)), VDM_ERROR_JOB_CORRUPTED);
		ck_assert_int_eq(moved(vdm_memset(v, bytes, 1, 9, 4)), VDM_ERROR_JOB_CORRUPTED);
		ck_assert_int_eq(moved(vdm_memcpy(v, bytes, bytes + 1, 9, 0)),
				 VDM_ERROR_JOB_CORRUPTED);
		ck_assert_int_eq(moved(vdm_flush(v, NULL, 9, 0)), VDM_ERROR_JOB_CORRUPTED);
	}
	ck_assert_str_eq(bytes, "unchanged");
	finish();
}

static void capabilities(void)
{
	const uint64_t native = tern_vdm_sync()->capabilities;

	start();
	for (unsigned i = 0; i < COUNT(vdms); i++)
		for (unsigned flags = 0; flags <= VDM_F_VALID_FLAGS; flags++) {
			uint64_t kept = i < 2 ? 0 : native;

			ck_assert_int_eq(vdm_is_supported(vdms[i], flags), !(flags & ~kept));
		}
	for (unsigned i = 0; i < COUNT(vdms); i++) {
		char byte = 0;
		struct vdm_operation_future fut = vdm_memset(vdms[i], &byte, 1, 1, 0);

		ck_assert_int_eq(
			future_has_property(FUTURE_AS_RUNNABLE(&fut), FUTURE_PROPERTY_ASYNC),
			i > 0);
		FUTURE_BUSY_POLL(&fut);
	}
	finish();
}

static void constructors(void)
{
	char byte = 'x';
	struct vdm *none;

	ck_assert_ptr_null(data_mover_threads_new(2, 3, FUTURE_NOTIFIER_WAKER));
	ck_assert_ptr_null(data_mover_threads_new(2, 0, FUTURE_NOTIFIER_WAKER));
	ck_assert_ptr_null(data_mover_threads_new(2, SIZE_MAX, FUTURE_NOTIFIER_WAKER));
	ck_assert_ptr_null(data_mover_threads_new(0, 4, FUTURE_NOTIFIER_WAKER));
	ck_assert_ptr_null(data_mover_threads_new(TERN_NONE, 4, FUTURE_NOTIFIER_WAKER));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(data_mover_dml_new(DATA_MOVER_DML_HARDWARE));
	ck_assert_int_eq(errno, ENOTSUP);
	none = data_mover_dml_get_vdm(NULL);
	ck_assert_int_eq(moved(vdm_memset(none, &byte, 0, 1, 0)), VDM_ERROR_OUT_OF_MEMORY);
	ck_assert_int_eq(byte, 'x');
	data_mover_dml_delete(NULL);
}

/* how many can be made */

static struct vdm_operation_future *futs;

/* As many as the mover gives out; returns how many. */
static unsigned make_all(struct vdm *vdm, char *to, char *from, unsigned max)
{
	unsigned n = 0;

	for (; n < max; n++) {
		futs[n] = vdm_memcpy(vdm, to, from, 1, 0);
		if (FUTURE_STATE(&futs[n]) == FUTURE_STATE_COMPLETE)
			break;
	}
	return n;
}

static void out_of_memory(void)
{
	const unsigned max = 4 * OPS_AT_LEAST;
	char from = 'x', to = 0;

	futs = calloc(max, sizeof(*futs));
	start();
	for (unsigned i = 0; i < COUNT(vdms); i++) {
		unsigned n = make_all(vdms[i], &to, &from, max);

		ck_assert_uint_ge(n, OPS_AT_LEAST);
		ck_assert_uint_lt(n, max);
		ck_assert_int_eq(FUTURE_OUTPUT(&futs[n])->result, VDM_ERROR_OUT_OF_MEMORY);
		ck_assert_int_eq(FUTURE_OUTPUT(&futs[n])->type, VDM_OPERATION_MEMCPY);
		FUTURE_BUSY_POLL(&futs[n / 2]);
		futs[n] = vdm_memcpy(vdms[i], &to, &from, 1, 0);
		ck_assert_int_eq(FUTURE_STATE(&futs[n]), FUTURE_STATE_IDLE);
		for (unsigned j = 0; j <= n; j++)
			FUTURE_BUSY_POLL(&futs[j]);
		for (unsigned j = 0; j <= n; j++)
			ck_assert_int_eq(FUTURE_OUTPUT(&futs[j])->result, VDM_SUCCESS);
		ck_assert_uint_eq(make_all(vdms[i], &to, &from, max), n); /* deleted unpolled */
	}
	finish();
	free(futs);
}

static void never_polled(void)
{
	char from = 'x', to = 0;

	start();
	for (unsigned i = 0; i < COUNT(vdms); i++) {
		struct vdm_operation_future never = vdm_memcpy(vdms[i], &to, &from, 1, 0);

		for (unsigned j = 0; j < 3 * OPS_AT_LEAST; j++) {
			struct vdm_operation_future fut = vdm_memcpy(vdms[i], &to, &from, 1, 0);

			FUTURE_BUSY_POLL(&fut);
			ck_assert_int_eq(FUTURE_OUTPUT(&fut)->result, VDM_SUCCESS);
		}
		ck_assert_int_eq(FUTURE_STATE(&never), FUTURE_STATE_IDLE);
	}
	finish();
}

static void *poll_all(void *arg)
{
	for (unsigned i = 0; i < 1000; i++)
		FUTURE_BUSY_POLL(&futs[i]);
	return NULL;
}

/* Made here, ended there, over and over. */
static void another_thread(void)
{
	char from = 'x', to = 0;

	futs = calloc(1000, sizeof(*futs));
	start();
	for (unsigned i = 0; i < 5 * COUNT(vdms); i++) {
		ck_assert_uint_eq(make_all(vdms[i % COUNT(vdms)], &to, &from, 1000), 1000);
		thread_join(thread_new(poll_all, NULL));
	}
	finish();
	free(futs);
}

static void many_at_once(void)
{
	const unsigned n = scaled(2000), size = 20000;
	struct data_mover_threads *small = data_mover_threads_new(2, 2, FUTURE_NOTIFIER_WAKER);
	struct vdm *vdm = data_mover_threads_get_vdm(small);
	struct future **all = calloc(n, sizeof(struct future *));
	char *from = malloc(size), *to = calloc(n, size);
	struct runtime *runtime = runtime_new();

	futs = calloc(n, sizeof(*futs));
	memset(from, 'x', size);
	for (unsigned i = 0; i < n; i++) {
		futs[i] = vdm_memcpy(vdm, to + (size_t)i * size, from, size, 0);
		all[i] = FUTURE_AS_RUNNABLE(&futs[i]);
	}
	runtime_wait_multiple(runtime, all, n);
	for (unsigned i = 0; i < n; i++)
		ck_assert(!memcmp(to + (size_t)i * size, from, size));
	runtime_delete(runtime);
	data_mover_threads_delete(small);
	free(to);
	free(from);
	free(all);
	free(futs);
}

/* functions of the program's */

static unsigned copies, moves_seen, sets;

static void *my_copy(void *dst, const void *src, size_t n, unsigned flags)
{
	ck_assert_uint_eq(n, SIZE_MAX_MOVED);
	ck_assert_uint_eq(flags, 0x100);
	atomic_bump(&copies);
	return memcpy(dst, src, n);
}

static void *my_move(void *dst, const void *src, size_t n, unsigned flags)
{
	atomic_bump(&moves_seen);
	return memmove(dst, src, n);
}

static void *my_set(void *str, int c, size_t n, unsigned flags)
{
	atomic_bump(&sets);
	return memset(str, c + 1, n);
}

static void own_functions(void)
{
	char *a = malloc(SIZE_MAX_MOVED), *b = calloc(1, SIZE_MAX_MOVED);

	start();
	data_mover_threads_set_memcpy_fn(dmt, my_copy);
	data_mover_threads_set_memmove_fn(dmt, my_move);
	data_mover_threads_set_memset_fn(dmt, my_set);
	ck_assert_int_eq(moved(vdm_memset(vdms[1], a, 'x', SIZE_MAX_MOVED, 0)), VDM_SUCCESS);
	ck_assert_int_eq(moved(vdm_memcpy(vdms[1], b, a, SIZE_MAX_MOVED, 0x100)), VDM_SUCCESS);
	ck_assert_int_eq(b[SIZE_MAX_MOVED - 1], 'y');
	ck_assert_int_eq(moved(vdm_memmove(vdms[1], b, b + 1, 10, 0)), VDM_SUCCESS);
	ck_assert(copies == 1 && moves_seen == 1 && sets == 1);
	data_mover_threads_set_memset_fn(dmt, NULL);
	ck_assert_int_eq(moved(vdm_memset(vdms[1], a, 'x', 1, 0)), VDM_SUCCESS);
	ck_assert_int_eq(a[0], 'x');
	ck_assert_uint_eq(sets, 1);
	finish();
	free(a);
	free(b);
}

static const struct test tests[] = {
	{"all movers copy, move, fill and flush, and say where", moves},
	{"bad input is told by the result", bad_input},
	{"a mover says truly which flags it keeps, and what is async", capabilities},
	{"what cannot be made is NULL, hardware too, which is no crash", constructors},
	{"16,384 can be made before the first is polled; then one more when one ends",
	 out_of_memory},
	{"one that is never polled takes up its place alone", never_polled},
	{"operations may be polled on another thread than made them", another_thread},
	{"more than the ring takes come to their end under one wait", many_at_once},
	{"functions of the program's are called once, whole, with the flags", own_functions},
};

int main(int argc, char **argv)
{
	return run_tests("<libminiasync.h>: movers", tests, COUNT(tests), argc, argv);
}
