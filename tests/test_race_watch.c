/* SPDX-License-Identifier: MIT */
/*
 * Inside: the watchdog looks in the very moment in which an item begins. The worker waits where it
 * asks what time it is, until the watchdog has come that far; see test_race.c.
 */
#include "../workpool/pool.h"
#include "harness.h"

static struct tern_pool *watched;
static struct latch go;
static unsigned about_to_begin, may_begin, began, looked, told;
static __thread bool looks; /* this is the watchdog, and an item was about to begin when it came */

static void run(struct tern_work *work)
{
	atomic_bump(&began);
	latch_wait(&go);
}

static void count_told(void *user, tern_work_fn *fn, void *item_user, uint32_t ms)
{
	atomic_bump(&told);
}

static void let_it_begin(void)
{
	looks = false;
	atomic_bump(&may_begin);
	while (!atomic_get(&began))
		sched_yield();
	atomic_bump(&looked);
}

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int e = __real_pthread_mutex_lock(mutex);

	looks = atomic_get(&about_to_begin) && mutex == &watched->lock &&
		pthread_equal(pthread_self(), watched->watch.thread);
	return e;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	int e = __real_pthread_mutex_unlock(mutex);

	if (looks)
		let_it_begin();
	return e;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	const struct tern__worker *self = tern__self();
	int e;

	/* what will run has been said, that it does has not */
	if (self && self->doing.run == run && !atomic_get(&may_begin)) {
		atomic_bump(&about_to_begin);
		while (!atomic_get(&may_begin))
			sched_yield();
	}
	e = __real_clock_gettime(clock, now);
	if (looks)
		let_it_begin();
	return e;
}

static void what_has_just_begun_is_not_told_of(void)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .threads_max = 1,
					    .run_ms_warn = 3600000,
					    .stuck = count_told};
	struct tern_loop *loop = loop_new();
	struct tern_work work;

	ck_assert_int_eq(tern_pool_create(&watched, &opts), 0);
	latch_init(&go, 1);
	tern_work_init(&work, run, ignore_done);
	tern_pool_submit(watched, loop, &work);
	while (atomic_get(&looked) < 3) {
		tern__park_wake(&watched->watch.park);
		sched_yield();
	}
	ck_assert_uint_eq(atomic_get(&told), 0);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_pool_destroy(watched);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"what has just begun is not told of", what_has_just_begun_is_not_told_of},
};

int main(int argc, char **argv)
{
	return run_tests("a race with the watchdog", tests, COUNT(tests), argc, argv);
}
