/* SPDX-License-Identifier: MIT */
/* A data mover on a pool whose memcpy can be watched, and stopped. */
#include "watched_mover.h"

struct tern_pool *pool;

struct tern_vdm *mover_of(const struct tern_vdm_pool_opts *opts)
{
	struct tern_vdm *vdm;

	ck_assert_int_eq(tern_vdm_pool_create(&vdm, pool, opts), 0);
	return vdm;
}

struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void enter(void)
{
	pthread_mutex_lock(&seen.lock);
	seen.calls++;
	seen.elsewhere += !pthread_equal(pthread_self(), seen.poller);
	if (++seen.inside > seen.inside_most)
		seen.inside_most = seen.inside;
	pthread_mutex_unlock(&seen.lock);
}

static void leave(void)
{
	pthread_mutex_lock(&seen.lock);
	seen.inside--;
	pthread_mutex_unlock(&seen.lock);
}

unsigned calls(void)
{
	pthread_mutex_lock(&seen.lock);
	unsigned n = seen.calls;
	pthread_mutex_unlock(&seen.lock);
	return n;
}

unsigned calls_here(void)
{
	pthread_mutex_lock(&seen.lock);
	unsigned n = seen.calls - seen.elsewhere;
	pthread_mutex_unlock(&seen.lock);
	return n;
}

static void *my_memcpy(void *dest, const void *src, size_t n)
{
	enter();
	if (seen.arrives)
		latch_arrive(seen.arrives);
	if (seen.waits)
		latch_wait(seen.waits);
	memcpy(dest, src, n);
	leave();
	return dest;
}

static void *my_memmove(void *dest, const void *src, size_t n)
{
	enter();
	memmove(dest, src, n);
	leave();
	return dest;
}

static void *my_memset(void *dest, int value, size_t n)
{
	enter();
	memset(dest, value + 1, n);
	leave();
	return dest;
}

struct tern_vdm *watched(uint32_t threads, uint32_t ring_size, uint32_t operations_max)
{
	const struct tern_vdm_pool_opts opts = {.size = sizeof(opts),
						.ring_size = ring_size,
						.operations_max = operations_max,
						.threads = threads,
						.memcpy_fn = my_memcpy,
						.memmove_fn = my_memmove,
						.memset_fn = my_memset};

	seen.poller = pthread_self();
	return mover_of(&opts);
}

struct area to, from;

void areas(size_t n)
{
	to = area_new(n, 0, 0);
	from = area_new(n, 0, 1);
}

void areas_end(void)
{
	area_free(&to);
	area_free(&from);
}

void prep(struct tern_vdm_op *op, struct tern_vdm *vdm, size_t at, size_t n)
{
	tern_vdm_prep_memcpy(op, vdm, to.at + at, from.at + at, n, 0);
}

bool is_copied(size_t at, size_t n)
{
	return !memcmp(to.at + at, from.at + at, n);
}

static void one_over(struct tern_future *future, void *turn)
{
	ck_assert_int_eq(future->result, 0);
	((struct turn *)turn)->left--;
}

void turn_run(struct turn *t, unsigned i)
{
	ck_assert_int_eq(tern_future_run(&t->runs[i], t->loop, &t->ops[i].future, one_over, t), 0);
}
