/* SPDX-License-Identifier: MIT */
/*
 * Inside: while a pool's lock is held nothing is called that may take long or come back to the
 * pool: no callback, no allocation, no system call; and threads are started one at a turn. The
 * calls are wrapped, see meson.build.
 */
#include <sched.h>
#include <stdarg.h>
#include <unistd.h>

#include "../workpool/pool.h"
#include "harness.h"
#include "wrapped.h"

#define THREADS 4
#define ITEMS	200
#define BOUND	16

static __thread unsigned held;	  /* locks of pools, by this thread */
static __thread unsigned started; /* threads, by this thread */

WRAPPED(int, pthread_mutex_lock, pthread_mutex_t *mutex);
WRAPPED(int, pthread_mutex_unlock, pthread_mutex_t *mutex);
WRAPPED(void *, calloc, size_t n, size_t size);
WRAPPED(int, posix_memalign, void **ret, size_t alignment, size_t size);
WRAPPED(void, free, void *memory);
WRAPPED(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
	void *arg);
WRAPPED(int, pthread_join, pthread_t thread, void **ret);
WRAPPED(ssize_t, write, int fd, const void *from, size_t size);
WRAPPED(long, syscall, long number, ...);
WRAPPED(int, sched_yield, void);

/* With an assertion, which allocates, it would not come out. */
static void called_out(void)
{
	if (held)
		abort();
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	held++;
	return __real_pthread_mutex_lock(mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	held--;
	return __real_pthread_mutex_unlock(mutex);
}

void *__wrap_calloc(size_t n, size_t size)
{
	called_out();
	return __real_calloc(n, size);
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
	called_out();
	return __real_posix_memalign(ret, alignment, size);
}

void __wrap_free(void *memory)
{
	called_out();
	__real_free(memory);
}

/* Threads that are started now set out when the test says so. */
static struct latch *departure;
static void *(*thread_fn)(void *);

static void *wait_to_depart(void *arg)
{
	latch_wait(departure);
	return tern__load(&thread_fn)(arg);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	called_out();
	started++;
	tern__store(&thread_fn, fn);
	return __real_pthread_create(thread, attr, departure ? wait_to_depart : fn, arg);
}

int __wrap_pthread_join(pthread_t thread, void **ret)
{
	called_out();
	return __real_pthread_join(thread, ret);
}

ssize_t __wrap_write(int fd, const void *from, size_t size)
{
	called_out();
	return __real_write(fd, from, size);
}

/* The library's: of a futex. */
long __wrap_syscall(long number, ...)
{
	uint64_t a[6];
	va_list rest;

	called_out();
	va_start(rest, number);
	for (size_t i = 0; i < COUNT(a); i++)
		a[i] = va_arg(rest, unsigned long);
	va_end(rest);
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __wrap_sched_yield(void)
{
	called_out();
	return __real_sched_yield();
}

static void hook(void *user)
{
	called_out();
}

static void tell(struct tern_post *post)
{
	called_out();
	++*(unsigned *)post->user;
}

static struct tern_work items[ITEMS];
static struct tern_pool *pool;
static struct tern_loop *loop;
static struct tern_lane *lane;
static unsigned dones;

static void run(struct tern_work *work)
{
	called_out();
	for (volatile unsigned i = 0; i < 1000; i++)
		;
}

static void done(struct tern_work *work)
{
	called_out();
	dones++;
}

static void submit_all(void)
{
	for (size_t i = 0; i < ITEMS; i++) {
		tern_work_init(&items[i], run, done);
		items[i].priority = (uint8_t)(i % 3);
		tern_work_set_lane(&items[i], i % 5 ? NULL : lane);
		while (tern_pool_try_submit(pool, loop, &items[i])) {
			struct tern_post room;
			unsigned told = 0;

			tern_post_init(&room, tell);
			room.user = &told;
			tern_pool_notify_room(pool, loop, &room);
			while (!told) {
				tern_loop_prepare(loop);
				tern_loop_dispatch(loop, 0);
			}
		}
		if (i % 7 == 0)
			tern_work_cancel(&items[i]);
	}
}

static void *submit_elsewhere(void *unused)
{
	struct tern_work bare[ITEMS];

	for (size_t i = 0; i < ITEMS; i++) {
		tern_work_init(&bare[i], run, NULL);
		tern_pool_submit(pool, NULL, &bare[i]);
	}
	tern_pool_destroy(pool);
	return NULL;
}

static void nothing_is_called_under_a_lock(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = TERN_NONE,
		.threads_max = THREADS,
		.idle_ms_max = 1,
		.queue_max = BOUND,
		.thread_start = hook,
		.thread_stop = hook,
		.gone = hook,
	};

	for (unsigned i = 0; i < scaled(50); i++) {
		loop = loop_new();
		ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
		ck_assert_int_eq(tern_lane_create(&lane, pool, NULL), 0);
		dones = 0;
		submit_all();
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert_uint_eq(dones, ITEMS);
		tern_lane_put(lane);
		thread_join(thread_new(submit_elsewhere, NULL));
		tern_loop_destroy(loop);
	}
}

static void run_first(struct tern_work *work)
{
	latch_arrive(work->user);
	job_run(work);
}

/* The first thread stands still, items are known to be long, and there are CPUs for all. */
static void a_turn_starts_one_thread(void)
{
	struct latch arrived, met, depart;
	struct job jobs[THREADS];

	loop = loop_new();
	pool = pool_new(1, THREADS);
	latch_init(&arrived, 1);
	latch_init(&met, THREADS);
	latch_init(&depart, 1);
	tern_loop_prepare(loop);
	for (size_t i = 0; i < THREADS; i++) {
		job_init(&jobs[i]);
		jobs[i].arrives = jobs[i].waits = &met;
	}
	jobs[0].work.run = run_first;
	jobs[0].work.user = &arrived;
	tern_pool_submit(pool, loop, &jobs[0].work);
	latch_wait(&arrived);
	tern__store(&pool->run_ns, 1000000000u);
	pool->cpus = THREADS;
	for (size_t i = 1; i < THREADS; i++)
		tern_pool_submit(pool, loop, &jobs[i].work);
	departure = &depart;
	started = 0;
	tern_loop_prepare(loop);
	ck_assert_uint_eq(started, 1);
	latch_arrive(&depart);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"nothing is called under a lock", nothing_is_called_under_a_lock},
	{"a turn starts one thread", a_turn_starts_one_thread},
};

int main(int argc, char **argv)
{
	return run_tests("callout", tests, COUNT(tests), argc, argv);
}
