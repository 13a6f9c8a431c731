/* SPDX-License-Identifier: MIT */
/* Data movers: what each of them must do, on the one that the first argument names. */
#include "movers.h"

#define BOTH (TERN_VDM_MEM_DURABLE | TERN_VDM_NO_CACHE_HINT)

static const char *which;
static struct tern_pool *pool;
static struct tern_vdm *mover;

static void set_up(void)
{
	struct tern_vdm_pool_opts opts = {.size = sizeof(opts)};

	if (!strcmp(which, "sync")) {
		mover = tern_vdm_sync();
		return;
	}
	opts.threads = !strcmp(which, "pool") ? 4 : 1;
	opts.ring_size = opts.threads;
	pool = pool_new(1, opts.threads);
	ck_assert_int_eq(tern_vdm_pool_create(&mover, pool, &opts), 0);
}

static void tear_down(void)
{
	if (!pool)
		return;
	tern_vdm_pool_destroy(mover);
	tern_pool_destroy(pool);
}

/* Every combination of flags that the mover keeps. */
static const uint64_t all_flags[] = {0, TERN_VDM_MEM_DURABLE, TERN_VDM_NO_CACHE_HINT, BOTH};
#define FOR_FLAGS                                                                                  \
	for (size_t i_ = 0; i_ < COUNT(all_flags); i_++)                                           \
		for (uint64_t flags = all_flags[i_], once_ = 1;                                    \
		     once_ && !(flags & ~mover->capabilities); once_ = 0)

/* Around what is moved inline, sliced, split, and streamed. */
static const size_t sizes[] = {
	1, 63, 64, 127, 4096, 64 * KIB, 64 * KIB + 1, 256 * KIB + 1, 2 * MIB + 4099};

static void copies_of(size_t n, size_t to_past, size_t from_past)
{
	struct area to = area_new(n, to_past, 1), from = area_new(n, from_past, 2);
	struct tern_vdm_op op;

	FOR_FLAGS
	{
		area_refill(&to, 1);
		tern_vdm_prep_memcpy(&op, mover, to.at, from.at, n, flags);
		ck_assert_int_eq(finish(&op), 0);
		ck_assert_int_eq(memcmp(to.at, from.at, n), 0);
		area_check(&to);
	}
	area_free(&to);
	area_free(&from);
}

static void memcpy_small(void)
{
	for (size_t n = 1; n < 200; n++)
		for (size_t past = 0; past < 64; past += 23)
			copies_of(n, past, 7 * past % 64);
}

static void memcpy_sizes(void)
{
	for (size_t i = 0; i < COUNT(sizes); i++)
		copies_of(sizes[i], i, 3 * i);
}

static void memset_sizes(void)
{
	struct tern_vdm_op op;

	for (size_t i = 0; i < COUNT(sizes); i++)
		FOR_FLAGS
		{
			struct area to = area_new(sizes[i], 5 * i % 64, 1);

			tern_vdm_prep_memset(&op, mover, to.at, 0x1c3, to.n, flags);
			ck_assert_int_eq(finish(&op), 0);
			ck_assert_uint_eq(to.at[0], 0xc3);
			ck_assert_int_eq(memcmp(to.at, to.at + 1, to.n - 1), 0);
			area_free(&to);
		}
}

/* n bytes, moved so far within one area, this way and that. */
static void moves_by(size_t n, size_t distance)
{
	struct area all = area_new(n + distance, 3, 1), expected = area_new(n + distance, 0, 1);
	struct tern_vdm_op op;

	for (int up = 0; up < 2; up++)
		FOR_FLAGS
		{
			size_t to = up ? distance : 0, from = up ? 0 : distance;

			area_refill(&all, 3);
			area_refill(&expected, 3);
			memmove(expected.at + to, expected.at + from, n);
			tern_vdm_prep_memmove(&op, mover, all.at + to, all.at + from, n, flags);
			ck_assert_int_eq(finish(&op), 0);
			ck_assert_int_eq(memcmp(all.at, expected.at, all.n), 0);
			area_check(&all);
		}
	area_free(&all);
	area_free(&expected);
}

static void memmove_small(void)
{
	for (size_t n = 1; n < 200; n += 7)
		for (size_t distance = 0; distance < 140; distance += 13)
			moves_by(n, distance);
}

static void memmove_sizes(void)
{
	static const size_t moved[] = {4096, 256 * KIB + 1, 4 * MIB + 9};
	static const size_t distances[] = {1, 4097, 2 * MIB + 5};

	for (size_t i = 0; i < COUNT(moved); i++)
		for (size_t j = 0; j < COUNT(distances); j++)
			moves_by(moved[i], distances[j]);
}

static uint32_t sum_of(const void *src, size_t n, uint32_t before)
{
	struct tern_vdm_op op;

	tern_vdm_prep_crc32c(&op, mover, src, n, before, 0);
	ck_assert_int_eq(finish(&op), 0);
	return op.crc32c;
}

/* Of RFC 3720, B.4, and the check value of the CRC catalogues. */
static void crc_known(void)
{
	unsigned char bytes[32];

	memset(bytes, 0, 32);
	ck_assert_uint_eq(sum_of(bytes, 32, 0), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	ck_assert_uint_eq(sum_of(bytes, 32, 0), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	ck_assert_uint_eq(sum_of(bytes, 32, 0), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		bytes[i] = (unsigned char)(31 - i);
	ck_assert_uint_eq(sum_of(bytes, 32, 0), 0x113fdb5c);
	ck_assert_uint_eq(sum_of("123456789", 9, 0), 0xe3069283);
}

/* The largest is a minute's work for valgrind, bit by bit. */
static size_t summed_sizes(void)
{
	return COUNT(sizes) - (scaled(20) == 1);
}

static void crc_sizes(void)
{
	for (size_t i = 0; i < summed_sizes(); i++) {
		struct area from = area_new(sizes[i], i, 4);
		uint32_t sum = crc32c_by_bits(0, from.at, from.n);
		size_t half = from.n / 3;

		ck_assert_uint_eq(sum_of(from.at, from.n, 0), sum);
		sum = sum_of(from.at, half, 0);
		sum = sum_of(from.at + half, from.n - half, sum);
		ck_assert_uint_eq(sum, crc32c_by_bits(0, from.at, from.n));
		area_free(&from);
	}
}

static void copy_crc_sizes(void)
{
	struct tern_vdm_op op;

	for (size_t i = 0; i < summed_sizes(); i++) {
		struct area from = area_new(sizes[i], i, 4), to = area_new(sizes[i], 9, 5);
		uint32_t sum = crc32c_by_bits(77, from.at, from.n);

		FOR_FLAGS
		{
			area_refill(&to, 5);
			tern_vdm_prep_copy_crc32c(&op, mover, to.at, from.at, from.n, 77, flags);
			ck_assert_int_eq(finish(&op), 0);
			ck_assert_uint_eq(op.crc32c, sum);
			ck_assert_int_eq(memcmp(to.at, from.at, from.n), 0);
			area_check(&to);
		}
		area_free(&from);
		area_free(&to);
	}
}

static void flush_sizes(void)
{
	struct tern_vdm_op op;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct area one = area_new(sizes[i], i, 6), other = area_new(sizes[i], 0, 6);

		tern_vdm_prep_flush(&op, mover, one.at, one.n, 0);
		if (tern_vdm_is_supported(mover, TERN_VDM_FLUSH, 0))
			ck_assert_int_eq(finish(&op), 0);
		else
			ck_assert_int_eq(finish(&op), -ENOTSUP);
		ck_assert_int_eq(memcmp(one.at, other.at, one.n), 0);
		area_free(&one);
		area_free(&other);
	}
}

static void told_truthfully(void)
{
	uint64_t flush = mover->operations & 1u << TERN_VDM_FLUSH;

	ck_assert(!(mover->capabilities & ~BOTH));
	if (mover->capabilities & TERN_VDM_MEM_DURABLE)
		ck_assert(flush);
#ifdef __x86_64__
	ck_assert_uint_eq(mover->capabilities, BOTH);
	ck_assert(flush);
#endif
	for (int type = -1; type <= TERN_VDM_TYPES + 1; type++) {
		bool known = type > TERN_VDM_NONE && type < TERN_VDM_TYPES;

		ck_assert(tern_vdm_is_supported(mover, (enum tern_vdm_type)type, 0) ==
			  (known && (type != TERN_VDM_FLUSH || flush)));
		ck_assert(!tern_vdm_is_supported(mover, (enum tern_vdm_type)type, 4));
	}
}

/* What a mover lacks is said, of what it has some; the table is the caller's own. */
static void not_supported(void)
{
	struct tern_vdm less = *mover;
	struct tern_vdm_op op;
	char from[8] = "1234567", to[8] = "";

	less.operations = 1u << TERN_VDM_MEMSET;
	less.capabilities = TERN_VDM_NO_CACHE_HINT;
	tern_vdm_prep_memcpy(&op, &less, to, from, 8, 0);
	ck_assert_int_eq(finish(&op), -ENOTSUP);
	tern_vdm_prep_memset(&op, &less, to, 1, 8, TERN_VDM_MEM_DURABLE);
	ck_assert_int_eq(finish(&op), -ENOTSUP);
	tern_vdm_prep_memset(&op, &less, to, 1, 8, BOTH);
	ck_assert_int_eq(finish(&op), -ENOTSUP);
	ck_assert_int_eq(to[0], 0);
}

static void is_wrong(struct tern_vdm_op *op)
{
	ck_assert_int_eq(op->future.state, TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(op->future.result, -EINVAL);
	ck_assert_int_eq(tern_future_poll(&op->future, NULL), TERN_FUTURE_COMPLETE);
	tern_future_cancel(&op->future);
	ck_assert_int_eq(finish(op), -EINVAL);
}

static void wrong_pointers(void)
{
	struct tern_vdm_op op;
	char a[64] = "";
	char *high = (char *)UINTPTR_MAX - 10;

	tern_vdm_prep_memcpy(&op, mover, NULL, a, 1, 0);
	is_wrong(&op);
	tern_vdm_prep_memcpy(&op, mover, a, NULL, 1, 0);
	is_wrong(&op);
	tern_vdm_prep_memmove(&op, mover, NULL, a, 1, 0);
	is_wrong(&op);
	tern_vdm_prep_memmove(&op, mover, a, NULL, 1, 0);
	is_wrong(&op);
	tern_vdm_prep_memset(&op, mover, NULL, 0, 1, 0);
	is_wrong(&op);
	tern_vdm_prep_flush(&op, mover, NULL, 1, 0);
	is_wrong(&op);
	tern_vdm_prep_crc32c(&op, mover, NULL, 1, 0, 0);
	is_wrong(&op);
	tern_vdm_prep_copy_crc32c(&op, mover, NULL, a, 1, 0, 0);
	is_wrong(&op);
	tern_vdm_prep_copy_crc32c(&op, mover, a, NULL, 1, 0, 0);
	is_wrong(&op);
	tern_vdm_prep_memset(&op, mover, high, 0, 20, 0);
	is_wrong(&op);
	tern_vdm_prep_crc32c(&op, mover, a, SIZE_MAX, 0, 0);
	is_wrong(&op);
}

static void wrong_flags(void)
{
	struct tern_vdm_op op;
	char a[8] = "", b[8] = "1234567";

	for (int bit = 2; bit < 64; bit++) {
		tern_vdm_prep_memcpy(&op, mover, a, b, 8, UINT64_C(1) << bit);
		is_wrong(&op);
		tern_vdm_prep_flush(&op, mover, a, 8, UINT64_C(1) << bit);
		is_wrong(&op);
	}
	ck_assert_int_eq(a[0], 0);
}

static void overlapping_memcpy(void)
{
	struct tern_vdm_op op;
	char a[64] = "abcdefghijklmnopqrstuvwxyz", before[64];

	memcpy(before, a, 64);
	for (int distance = -9; distance <= 9; distance++) {
		tern_vdm_prep_memcpy(&op, mover, a + 20 + distance, a + 20, 10, 0);
		is_wrong(&op);
		tern_vdm_prep_copy_crc32c(&op, mover, a + 20 + distance, a + 20, 10, 0, 0);
		is_wrong(&op);
	}
	ck_assert_int_eq(memcmp(a, before, 64), 0);
	tern_vdm_prep_memcpy(&op, mover, a + 30, a + 20, 10, 0);
	ck_assert_int_eq(finish(&op), 0);
	tern_vdm_prep_memcpy(&op, mover, a + 10, a + 20, 10, 0);
	ck_assert_int_eq(finish(&op), 0);
}

static void nothing_to_do(void)
{
	struct tern_vdm_op op;

	tern_vdm_prep_memcpy(&op, mover, NULL, NULL, 0, 0);
	ck_assert_int_eq(op.future.state, TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(finish(&op), 0);
	tern_vdm_prep_memmove(&op, mover, NULL, NULL, 0, 0);
	ck_assert_int_eq(finish(&op), 0);
	tern_vdm_prep_memset(&op, mover, NULL, 1, 0, 0);
	ck_assert_int_eq(finish(&op), 0);
	tern_vdm_prep_flush(&op, mover, NULL, 0, 0);
	ck_assert_int_eq(finish(&op), 0);
	tern_vdm_prep_crc32c(&op, mover, NULL, 0, 5, 0);
	ck_assert_int_eq(finish(&op), 0);
	ck_assert_uint_eq(op.crc32c, 5);
	tern_vdm_prep_copy_crc32c(&op, mover, NULL, NULL, 0, 6, 0);
	ck_assert_int_eq(finish(&op), 0);
	ck_assert_uint_eq(op.crc32c, 6);
}

/* Also how it stands, and that it may be moved and prepared again. */
static void canceled_before(void)
{
	struct area to = area_new(MIB, 0, 0), from = area_new(MIB, 0, 7);
	struct tern_vdm_op op, moved;

	tern_vdm_prep_memcpy(&op, mover, to.at, from.at, MIB, 0);
	ck_assert_int_eq(op.future.state, TERN_FUTURE_IDLE);
	tern_future_cancel(&op.future);
	ck_assert_int_eq(finish(&op), -ECANCELED);
	ck_assert_uint_eq(to.at[0] | to.at[MIB / 2], 0);
	tern_vdm_prep_memcpy(&op, mover, to.at, from.at, MIB, 0);
	moved = op;
	memset(&op, 0xff, sizeof(op));
	ck_assert_int_eq(finish(&moved), 0);
	tern_future_cancel(&moved.future);
	ck_assert_int_eq(finish(&moved), 0);
	ck_assert_int_eq(memcmp(to.at, from.at, MIB), 0);
	area_free(&to);
	area_free(&from);
}

static void on_a_loop_done(struct tern_future *future, void *left)
{
	ck_assert_int_eq(future->result, 0);
	--*(unsigned *)left;
}

static void on_a_loop(void)
{
	struct tern_loop *loop = loop_new();
	struct area to = area_new(8 * MIB, 0, 0), from = area_new(8 * MIB, 0, 8);
	static struct tern_vdm_op ops[64];
	static struct tern_future_run runs[64];
	unsigned left = 64;

	for (size_t i = 0; i < 64; i++) {
		tern_vdm_prep_memcpy(&ops[i], mover, to.at + i * to.n / 64, from.at + i * to.n / 64,
				     to.n / 64, 0);
		ck_assert_int_eq(
			tern_future_run(&runs[i], loop, &ops[i].future, on_a_loop_done, &left), 0);
	}
	ck_assert_uint_eq(left, 64);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert_int_eq(memcmp(to.at, from.at, to.n), 0);
	area_free(&to);
	area_free(&from);
	tern_loop_destroy(loop);
}

#define ON(fn)                                                                                     \
	static void on_mover_##fn(void)                                                            \
	{                                                                                          \
		set_up();                                                                          \
		fn();                                                                              \
		tear_down();                                                                       \
	}
ON(memcpy_small)
ON(memcpy_sizes)
ON(memset_sizes)
ON(memmove_small)
ON(memmove_sizes)
ON(crc_known)
ON(crc_sizes)
ON(copy_crc_sizes)
ON(flush_sizes)
ON(told_truthfully)
ON(not_supported)
ON(wrong_pointers)
ON(wrong_flags)
ON(overlapping_memcpy)
ON(nothing_to_do)
ON(canceled_before)
ON(on_a_loop)

static const struct test tests[] = {
	{"memcpy copies few bytes from anywhere to anywhere, and no others", on_mover_memcpy_small},
	{"memcpy copies whatever the size and the flags", on_mover_memcpy_sizes},
	{"memset fills whatever the size and the flags", on_mover_memset_sizes},
	{"memmove moves few bytes onto themselves both ways", on_mover_memmove_small},
	{"memmove moves many onto themselves both ways, however far", on_mover_memmove_sizes},
	{"crc32c gives the sums that are published", on_mover_crc_known},
	{"crc32c gives what one bit after the other gives, and goes on", on_mover_crc_sizes},
	{"copy_crc32c copies and sums", on_mover_copy_crc_sizes},
	{"flush changes nothing", on_mover_flush_sizes},
	{"operations and capabilities are what the CPU has", on_mover_told_truthfully},
	{"what a mover does not do, or keep, is -ENOTSUP", on_mover_not_supported},
	{"NULL with bytes to move, and memory beyond the end, are -EINVAL",
	 on_mover_wrong_pointers},
	{"unknown flags are -EINVAL", on_mover_wrong_flags},
	{"memcpy onto itself is -EINVAL, and changes nothing", on_mover_overlapping_memcpy},
	{"nothing to move is complete at once", on_mover_nothing_to_do},
	{"one that is cancelled before its first poll moves nothing", on_mover_canceled_before},
	{"operations run on a loop", on_mover_on_a_loop},
};

int main(int argc, char **argv)
{
	which = argc > 1 ? argv[1] : "sync";
	return run_tests("vdm", tests, COUNT(tests), argc - 1, argv + 1);
}
