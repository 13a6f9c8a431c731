/* SPDX-License-Identifier: MIT */
/* No heap allocation per operation: once warm, items, posts and timers allocate nothing. */
#include "harness.h"
#include "wrapped.h"

/* The linker sends the library's calls here. */
WRAPPED(void *, malloc, size_t size);
WRAPPED(void *, calloc, size_t n, size_t size);
WRAPPED(int, posix_memalign, void **ret, size_t alignment, size_t size);

static unsigned allocations;

void *__wrap_malloc(size_t size)
{
	atomic_bump(&allocations);
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	atomic_bump(&allocations);
	return __real_calloc(n, size);
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
	atomic_bump(&allocations);
	return __real_posix_memalign(ret, alignment, size);
}

#define N 200

struct everything {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct tern_work items[N], inline_items[N];
	unsigned done;
	struct tern_post posts[N];
	struct tern_timer timers[N];
};

static void ignore_post(struct tern_post *post)
{
}

static void ignore_timer(struct tern_timer *timer)
{
}

/* check itself allocates: no assertions while we count */
static void count_done(struct tern_work *work)
{
	++*(unsigned *)work->user;
}

static void item_init(struct everything *all, struct tern_work *work)
{
	tern_work_init(work, run_nothing, count_done);
	work->user = &all->done;
}

static void do_everything(struct everything *all)
{
	struct tern_work *list[N / 2] = {NULL};

	for (int i = 0; i < N; i++) {
		item_init(all, &all->items[i]);
		item_init(all, &all->inline_items[i]);
		tern_post_init(&all->posts[i], ignore_post);
		tern_timer_init(&all->timers[i], ignore_timer);
		tern_timer_start(all->loop, &all->timers[i], (uint64_t)i * 1000);
		tern_loop_post(all->loop, &all->posts[i]);
		tern_pool_submit(NULL, all->loop, &all->inline_items[i]);
		if (i < N / 2)
			tern_pool_submit(all->pool, all->loop, &all->items[i]);
		else
			list[i - N / 2] = &all->items[i];
	}
	tern_pool_submit_many(all->pool, all->loop, list, N / 2);
	for (int i = 0; i < N; i += 5) {
		tern_work_cancel(&all->items[i]);
		tern_timer_stop(&all->timers[i]);
	}
	tern_loop_run(all->loop);
}

static void nothing_once_warm(void)
{
	struct everything *all = calloc(1, sizeof(*all));
	unsigned warm;

	all->loop = loop_new();
	/* all threads from the start: a new one may need memory */
	all->pool = pool_new(3, 3);
	ck_assert_uint_gt(atomic_get(&allocations), 0);
	do_everything(all);
	do_everything(all);
	warm = atomic_get(&allocations);
	for (int i = 0; i < 20; i++)
		do_everything(all);
	warm = atomic_get(&allocations) - warm;
	ck_assert_uint_eq(warm, 0);
	ck_assert_uint_eq(all->done, 22 * 2 * N);
	tern_loop_destroy(all->loop);
	tern_pool_destroy(all->pool);
	free(all);
}

static const struct test tests[] = {
	{"nothing is allocated for an operation", nothing_once_warm},
};

int main(int argc, char **argv)
{
	return run_tests("alloc", tests, COUNT(tests), argc, argv);
}
