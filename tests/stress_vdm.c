/* SPDX-License-Identifier: MIT */
/*
 * Threads, one of them with a loop, move memory by one mover with few places, of any size, cancel
 * some of it, and look at all of it at once: what is complete is whole, also where it went past the
 * caches and another thread looks.
 */
#include <stdio.h>

#include "movers.h"

#define THREADS 3
#define OPS	16
#define ROOM	(3 * MIB)

struct mine {
	struct tern_vdm *vdm;
	struct tern_loop *loop; /* of this thread; NULL: none */
	uint32_t dice;
	unsigned left, canceled, whole, full;
	unsigned char *to[OPS], *from[OPS];
	struct tern_vdm_op ops[OPS];
	struct tern_future_run runs[OPS];
	unsigned out;
};

static uint32_t roll(struct mine *m, uint32_t n)
{
	m->dice = m->dice * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)m->dice * n) >> 32);
}

static size_t any_size(struct mine *m)
{
	static const size_t most[] = {200, 64 * KIB, 300 * KIB, ROOM};

	return 1 + roll(m, (uint32_t)most[roll(m, 16) < 15 ? roll(m, 3) : 3]);
}

/* What of it is where it should be: by a byte that is different in each round. */
static void describe(struct mine *m, unsigned i, size_t n)
{
	memset(m->from[i], (int)(m->left & 0xff), n);
	memset(m->to[i], ~(int)(m->left & 0xff), n);
}

static void check(struct mine *m, unsigned i)
{
	const struct tern_vdm_op *op = &m->ops[i];

	if (op->future.result == -ENOMEM) {
		m->full++;
	} else if (op->future.result == -ECANCELED) {
		m->canceled++;
	} else {
		ck_assert_int_eq(op->future.result, 0);
		ck_assert_int_eq(memcmp(op->dest, m->from[i], op->n), 0);
		m->whole++;
	}
	if (op->n < ROOM)
		ck_assert_uint_eq(m->to[i][op->n], 0xee);
}

static void prepare(struct mine *m, unsigned i)
{
	static const uint64_t flags[] = {0, TERN_VDM_NO_CACHE_HINT, TERN_VDM_MEM_DURABLE};
	uint64_t f = flags[roll(m, 3)] & m->vdm->capabilities;
	size_t n = any_size(m);

	describe(m, i, n);
	if (n < ROOM)
		m->to[i][n] = 0xee;
	switch (roll(m, 3)) {
	case 0:
		tern_vdm_prep_memcpy(&m->ops[i], m->vdm, m->to[i], m->from[i], n, f);
		break;
	case 1:
		tern_vdm_prep_memset(&m->ops[i], m->vdm, m->to[i], m->from[i][0], n, f);
		break;
	default:
		tern_vdm_prep_copy_crc32c(&m->ops[i], m->vdm, m->to[i], m->from[i], n, 0, f);
	}
}

static void begin(struct mine *m, unsigned i);

static void over(struct tern_future *future, void *user)
{
	struct mine *m = user;
	unsigned i = (unsigned)(tern_container_of(future, struct tern_vdm_op, future) - m->ops);

	check(m, i);
	m->out--;
	begin(m, i);
}

static void begin(struct mine *m, unsigned i)
{
	if (!m->left)
		return;
	m->left--;
	prepare(m, i);
	m->out++;
	ck_assert_int_eq(tern_future_run(&m->runs[i], m->loop, &m->ops[i].future, over, m), 0);
	if (m->out > 1 && !roll(m, 4)) {
		unsigned other = (i + 1) % OPS;

		if (m->ops[other].vdm && m->ops[other].future.state != TERN_FUTURE_COMPLETE)
			tern_future_run_cancel(&m->runs[other]);
	}
}

/* Some are polled before the first is waited for, some are cancelled, polled or not. */
static void round_of(struct mine *m)
{
	struct tern_future *all[OPS];

	for (unsigned i = 0; i < OPS && m->left; i++, m->left--) {
		prepare(m, i);
		if (roll(m, 4))
			tern_future_poll(&m->ops[i].future, NULL);
		if (!roll(m, 4))
			tern_future_cancel(&m->ops[i].future);
	}
	for (unsigned i = 0; i < OPS; i++)
		all[i] = &m->ops[i].future;
	tern_runtime_wait_many(all, OPS);
	for (unsigned i = 0; i < OPS; i++)
		check(m, i);
}

static void *live(void *arg)
{
	struct mine *m = arg;

	for (unsigned i = 0; i < OPS; i++) {
		m->to[i] = malloc(ROOM);
		m->from[i] = malloc(ROOM);
		ck_assert(m->to[i] && m->from[i]);
	}
	if (m->loop) {
		for (unsigned i = 0; i < OPS; i++)
			begin(m, i);
		ck_assert_int_eq(tern_loop_run(m->loop), 0);
		ck_assert_uint_eq(m->out, 0);
		tern_loop_destroy(m->loop);
	} else {
		while (m->left >= OPS)
			round_of(m);
	}
	for (unsigned i = 0; i < OPS; i++) {
		free(m->to[i]);
		free(m->from[i]);
	}
	return NULL;
}

static void all_at_once(void)
{
	static struct mine mine[THREADS];
	const struct tern_vdm_pool_opts opts = {
		.size = sizeof(opts), .ring_size = 4, .operations_max = 12, .threads = 3};
	struct tern_pool *pool = pool_new(1, 3);
	struct tern_vdm *vdm;
	pthread_t threads[THREADS];
	unsigned whole = 0, canceled = 0, full = 0;

	ck_assert_int_eq(tern_vdm_pool_create(&vdm, pool, &opts), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		mine[i] = (struct mine){.vdm = vdm, .dice = i, .left = scaled(16000)};
		mine[i].loop = i ? NULL : loop_new();
		threads[i] = thread_new(live, &mine[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		thread_join(threads[i]);
		whole += mine[i].whole;
		canceled += mine[i].canceled;
		full += mine[i].full;
	}
	printf("%u whole, %u canceled, %u past the limit\n", whole, canceled, full);
	ck_assert_uint_gt(whole, 0);
	ck_assert_uint_gt(canceled, 0);
	ck_assert_uint_gt(full, 0);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
}

/* Past the caches from one thread, seen by another that knows only that it is complete. */
static struct {
	struct tern_vdm_op op;
	unsigned char *to, *from;
	size_t n;
	unsigned turn; /* even: the writer's */
} shown;

static void *look(void *rounds)
{
	for (unsigned i = 0; i < *(unsigned *)rounds; i++) {
		while (atomic_get(&shown.turn) != 2 * i + 1)
			sched_yield();
		while (tern_future_poll(&shown.op.future, NULL) != TERN_FUTURE_COMPLETE)
			sched_yield();
		ck_assert_int_eq(shown.op.future.result, 0);
		ck_assert_int_eq(memcmp(shown.to, shown.from, shown.n), 0);
		atomic_bump(&shown.turn);
	}
	return NULL;
}

static void whole_elsewhere(void)
{
	struct tern_pool *pool = pool_new(2, 2);
	struct tern_vdm *vdm;
	unsigned rounds = scaled(4000);
	pthread_t looker;

	ck_assert_int_eq(tern_vdm_pool_create(&vdm, pool, NULL), 0);
	shown.to = malloc(2 * MIB);
	shown.from = malloc(2 * MIB);
	looker = thread_new(look, &rounds);
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t flags = TERN_VDM_NO_CACHE_HINT & vdm->capabilities;

		shown.n = i % 16 ? 65 * KIB + i : 2 * MIB;
		memset(shown.from, (int)i, shown.n);
		memset(shown.to, ~(int)i, shown.n);
		if (i & 1)
			tern_vdm_prep_memcpy(&shown.op, vdm, shown.to, shown.from, shown.n, flags);
		else
			tern_vdm_prep_memset(&shown.op, vdm, shown.to, (int)i, shown.n, flags);
		tern_future_poll(&shown.op.future, NULL);
		atomic_bump(&shown.turn);
		while (atomic_get(&shown.turn) != 2 * i + 2)
			sched_yield();
	}
	thread_join(looker);
	free(shown.to);
	free(shown.from);
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"whatever threads move, fill, sum and cancel at once is whole", all_at_once},
	{"what went past the caches is whole for a thread that sees it complete", whole_elsewhere},
};

int main(int argc, char **argv)
{
	return run_tests("vdm", tests, COUNT(tests), argc, argv);
}
