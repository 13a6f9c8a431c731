/* SPDX-License-Identifier: MIT */
/*
 * What the drop-in <iv_work.h> promises where ivykis' own crashes, loses an item, or needs what it
 * should not. What both promise is in same.c.
 */
#include "../harness.h"

#include <dirent.h>
#include <iv.h>
#include <iv_work.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../compat/ivykis/private.h"
#include "../fault.h"

#ifndef TERN_COMPAT_IV_WORK_H
#error this is not the drop-in
#endif

#define N 20

static struct iv_work_pool pool;
static struct iv_work_item items[N];
static struct latch met, left;
static pthread_t owner;
static unsigned ran, completed, put_at;

/* A pool that the put_at-th completion puts; 0: the test does. */
static void start(int max_threads, unsigned put)
{
	owner = pthread_self();
	put_at = put;
	if (!iv_inited())
		iv_init();
	pool.max_threads = max_threads;
	ck_assert_int_eq(iv_work_pool_create(&pool), 0);
}

static void submit(struct iv_work_pool *to, struct iv_work_item *item, void (*work)(void *),
		   void (*completion)(void *))
{
	IV_WORK_ITEM_INIT(item);
	item->cookie = item;
	item->work = work;
	item->completion = completion;
	iv_work_pool_submit_work(to, item);
}

static void finish(unsigned expected)
{
	iv_main();
	ck_assert_uint_eq(ran, expected);
	ck_assert_uint_eq(completed, expected);
	iv_deinit();
}

static void work(void *cookie)
{
	if (pthread_equal(pthread_self(), owner))
		abort(); /* an assertion that holds allocates, and some tests count */
	atomic_bump(&ran);
}

static void count(void *cookie)
{
	ck_assert(pthread_equal(pthread_self(), owner));
	if (++completed == put_at)
		iv_work_pool_put(&pool);
}

static void meet(void *cookie)
{
	work(cookie);
	latch_arrive(&met);
	latch_wait(&met);
}

static void submit_eight(void *cookie)
{
	count(cookie);
	for (unsigned i = 1; i <= 8; i++)
		submit(&pool, &items[i], meet, count);
}

static void warm_burst(void)
{
	latch_init(&met, 8);
	start(8, 9);
	submit(&pool, &items[0], work, submit_eight);
	finish(9);
}

/* continuations */

static void go_on(void *cookie)
{
	struct iv_work_item *next = (struct iv_work_item *)cookie + 1;

	work(cookie);
	if (next == items + N)
		return;
	next->cookie = next;
	next->work = go_on;
	next->completion = count;
	iv_work_pool_submit_continuation(&pool, next);
}

static void wait_then_go_on(void *cookie)
{
	latch_wait(&met);
	go_on(cookie);
}

static void continuation(void)
{
	start(2, N);
	submit(&pool, &items[0], go_on, count);
	finish(N);
}

static void continuation_after_put(void)
{
	latch_init(&met, 1);
	start(2, 0);
	submit(&pool, &items[0], wait_then_go_on, count);
	iv_work_pool_put(&pool);
	latch_arrive(&met);
	finish(N);
}

static void *submit_all_and_put(void *unused)
{
	for (unsigned i = 0; i < N; i++)
		submit(&pool, &items[i], work, count);
	iv_work_pool_put(&pool);
	return NULL;
}

static void other_thread(void)
{
	pthread_t thread;

	start(3, 0);
	thread = thread_new(submit_all_and_put, NULL);
	finish(N);
	thread_join(thread);
}

static unsigned has_put;

static void *put_later(void *unused)
{
	latch_wait(&met);
	for (unsigned i = 0; i < 100; i++)
		sched_yield();
	atomic_bump(&has_put);
	iv_work_pool_put(&pool);
	return NULL;
}

static void count_and_arrive(void *cookie)
{
	count(cookie);
	latch_arrive(&met);
}

static void idle_pool(void)
{
	pthread_t thread;

	latch_init(&met, 1);
	start(1, 0);
	thread = thread_new(put_later, NULL);
	submit(&pool, &items[0], work, count_and_arrive);
	iv_main();
	ck_assert_uint_eq(atomic_get(&has_put), 1);
	thread_join(thread);
	finish(1);
}

/* items without completion, and items of no pool */

static void free_in_work(void *cookie)
{
	atomic_bump(&ran);
	free(cookie);
}

static void no_completion(void)
{
	start(2, 0);
	for (unsigned i = 0; i < N; i++)
		submit(i % 2 ? &pool : NULL, malloc(sizeof(*items)), free_in_work, NULL);
	iv_work_pool_put(&pool);
	completed = N; /* none is told */
	finish(N);
}

static pthread_t worker;
static unsigned steps;

static void second_step(void *cookie)
{
	ck_assert(pthread_equal(pthread_self(), worker));
	ck_assert_uint_eq(++steps, 2);
}

static void third_step(void *cookie)
{
	ck_assert(pthread_equal(pthread_self(), worker));
	ck_assert_uint_eq(++steps, 3);
	submit(NULL, malloc(sizeof(*items)), free_in_work, NULL);
}

static void first_step(void *cookie)
{
	worker = pthread_self();
	submit(NULL, &items[1], second_step, third_step);
	ck_assert_uint_eq(++steps, 1);
}

static void all_steps(void *cookie)
{
	ck_assert_uint_eq(steps, 3);
	ck_assert_uint_eq(ran, 1);
	count(cookie);
}

static void no_pool_on_a_worker(void)
{
	start(1, 1);
	submit(&pool, &items[0], first_step, all_steps);
	finish(1);
}

/* what is not to be had */

static void wait_for_fault(void *cookie)
{
	work(cookie);
	while (!fault_hits())
		sched_yield();
}

static void no_more_threads(void)
{
	start(8, 0);
	fault_arm(FAULT_THREAD, 1, 1000);
	submit(&pool, &items[0], wait_for_fault, count);
	for (unsigned i = 1; i < N; i++)
		submit(&pool, &items[i], work, count);
	iv_work_pool_put(&pool);
	finish(N);
	fault_disarm();
}

/* Returns what the limit was. */
static rlim_t limit_descriptors(rlim_t n)
{
	struct rlimit limit;
	rlim_t before;

	getrlimit(RLIMIT_NOFILE, &limit);
	before = limit.rlim_cur;
	limit.rlim_cur = n;
	setrlimit(RLIMIT_NOFILE, &limit);
	return before;
}

static void arrive(void *cookie)
{
	latch_arrive(&left);
}

static void no_descriptor_left(void)
{
	rlim_t limit;

	latch_init(&met, 4);
	latch_init(&left, 1);
	pool.thread_start = arrive;
	start(4, 4);
	latch_wait(&left); /* the first thread is past asking for one */
	latch_init(&left, 3);
	limit = limit_descriptors(3);
	ck_assert_int_lt(dup(0), 0);
	for (unsigned i = 0; i < 4; i++)
		submit(&pool, &items[i], meet, count);
	finish(4);
	limit_descriptors(limit); /* tools that look for leaks need one */
}

/* Without assertions, which allocate too. */
static bool is_refused(int max_threads, int expected)
{
	pool.max_threads = max_threads;
	pool.priv = &pool;
	errno = 0;
	return iv_work_pool_create(&pool) == -1 && errno == expected && pool.priv == &pool;
}

static void refused_create(void)
{
	bool right[6] = {false};
	rlim_t limit;
	long memory;

	iv_init();
	memory = fault_memory();
	right[0] = is_refused(0, EINVAL);
	right[1] = is_refused(-1, EINVAL);
	fault_arm(FAULT_THREAD, 1, 1);
	right[2] = is_refused(1, EAGAIN);
	fault_arm(FAULT_MALLOC, 1, 1);
	right[3] = is_refused(1, ENOMEM);
	fault_arm(FAULT_MEMALIGN, 1, 1);
	right[4] = is_refused(1, ENOMEM);
	fault_disarm();
	limit = limit_descriptors(3);
	right[5] = is_refused(1, EMFILE);
	limit_descriptors(limit);
	memory -= fault_memory();
	ck_assert_int_eq(memory, 0);
	for (size_t i = 0; i < COUNT(right); i++)
		ck_assert_msg(right[i], "create %zu", i);
	iv_main(); /* nothing keeps it */
	start(1, 1);
	submit(&pool, &items[0], work, count);
	finish(1);
}

static void create_here(void *cookie)
{
	struct iv_work_pool own = {.max_threads = 1};

	work(cookie);
	ck_assert_int_eq(iv_work_pool_create(&own), -1);
	ck_assert_int_eq(errno, ENOTSUP);
}

static void create_on_a_worker(void)
{
	start(1, 1);
	submit(&pool, &items[0], create_here, count);
	finish(1);
}

static unsigned entries(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned n = 0;

	if (!dir)
		abort();
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void nothing_stays(void)
{
	unsigned descriptors;
	bool fits = true;
	long memory;

	iv_init();
	descriptors = entries("/proc/self/fd");
	memory = fault_memory();
	for (unsigned i = 0; i < 3; i++) {
		IV_WORK_POOL_INIT(&pool);
		pool.max_threads = 2;
		fits = fits && !iv_work_pool_create(&pool);
		submit(&pool, &items[0], work, NULL);
		iv_work_pool_put(&pool);
		iv_main();
		fits = fits && entries("/proc/self/fd") == descriptors;
	}
	while (fault_memory() != memory) /* the last thread is on its way out */
		sched_yield();
	ck_assert(fits);
	completed = 3; /* none is told */
	finish(3);
}

static void *nothing(void *unused)
{
	return NULL;
}

static void gone_before_the_loop_runs(void)
{
	unsigned threads;

	thread_join(thread_new(nothing, NULL)); /* a sanitizer adds its own with the first */
	threads = entries("/proc/self/task");
	start(1, 0);
	submit(&pool, &items[0], work, NULL);
	iv_work_pool_put(&pool);
	while (entries("/proc/self/task") > threads)
		sched_yield();
	completed = 1; /* none is told */
	finish(1);
}

static void many_ends(void)
{
	for (unsigned i = 0; i < 300; i++) {
		start(1, (i + 1) * N);
		for (unsigned k = 0; k < N; k++)
			submit(&pool, &items[k], work, count);
		iv_main();
	}
	finish(300 * N);
}

/* a loop of ivykis that serves more than pools */

static struct iv_timer timer;

static void submit_next(void *cookie)
{
	submit(&pool, &items[1], work, count);
}

static void submit_later(void *cookie)
{
	count(cookie);
	IV_TIMER_INIT(&timer);
	timer.expires = iv_now;
	timer.expires.tv_nsec += 50 * 1000 * 1000;
	if (timer.expires.tv_nsec >= 1000 * 1000 * 1000) {
		timer.expires.tv_nsec -= 1000 * 1000 * 1000;
		timer.expires.tv_sec++;
	}
	timer.handler = submit_next;
	iv_timer_register(&timer);
}

static void from_a_timer(void)
{
	start(1, 2);
	submit(&pool, &items[0], work, submit_later);
	finish(2);
}

/* The loop is asked to come round in an hour, and at once; then nobody needs it any more. */
static struct tern_timer in_an_hour;
static struct tern_loop *loop;

static void never(struct tern_timer *unused)
{
	abort();
}

static void put_home(void *unused)
{
	tern_timer_stop(&in_an_hour);
	tern__iv_home_submitted(loop);
	tern__iv_home_put();
}

static void an_end_takes_task_and_timer_along(void)
{
	struct iv_task after;

	iv_init();
	ck_assert_int_eq(tern__iv_home_get(&loop), 0);
	tern_timer_init(&in_an_hour, never);
	tern_timer_start(loop, &in_an_hour, 3600 * UINT64_C(1000000000));
	tern__iv_home_submitted(loop);
	/* after the one that prepares the loop */
	IV_TASK_INIT(&after);
	after.handler = put_home;
	iv_task_register(&after);
	iv_main();
	iv_deinit();
}

/* threads */

static void stop_and_meet(void *cookie)
{
	latch_arrive(&left);
	latch_wait(&left);
}

static void stop_holds_no_lock(void)
{
	latch_init(&met, 2);
	latch_init(&left, 2);
	pool.thread_stop = stop_and_meet;
	start(2, 2);
	submit(&pool, &items[0], meet, count);
	submit(&pool, &items[1], meet, count);
	finish(2);
}

static void measure_stack(void *cookie)
{
	size_t usual, here;
	pthread_attr_t attr;

	work(cookie);
	pthread_attr_init(&attr);
	pthread_attr_getstacksize(&attr, &usual);
	pthread_attr_destroy(&attr);
	ck_assert_int_eq(pthread_getattr_np(pthread_self(), &attr), 0);
	pthread_attr_getstacksize(&attr, &here);
	pthread_attr_destroy(&attr);
	ck_assert_uint_ge(here, usual);
}

static void usual_stack(void)
{
	start(1, 1);
	submit(&pool, &items[0], measure_stack, count);
	finish(1);
}

/* misuse */

static void before_iv_init(void)
{
	pool.max_threads = 1;
	iv_work_pool_create(&pool);
}

static void after_put(void)
{
	latch_init(&met, 2);
	start(1, 0);
	submit(&pool, &items[0], meet, count);
	iv_work_pool_put(&pool);
	expect_fatal("tern_pool_submit", &items[1].tern);
	submit(&pool, &items[1], work, count);
}

static const struct test tests[] = {
	{"a warm pool runs eight items at once", warm_burst},
	{"a running item submits its continuation", continuation},
	{"a running item submits its continuation after put", continuation_after_put},
	{"any thread may submit and put; completions go to the owner", other_thread},
	{"an idle pool keeps iv_main until it is put", idle_pool},
	{"an item without completion is the program's when work is entered", no_completion},
	{"an item of no pool runs on the worker that submits it", no_pool_on_a_worker},
	{"a thread that cannot be started loses no item", no_more_threads},
	{"a worker without a descriptor to be had still works", no_descriptor_left},
	{"a create that is refused leaves nothing behind", refused_create},
	{"a worker cannot own a pool", create_on_a_worker},
	{"descriptors and memory go with the last pool", nothing_stays},
	{"a pool may be gone before iv_main is entered", gone_before_the_loop_runs},
	{"an end leaves no timer or task behind", many_ends},
	{"what a timer submits to sleeping threads is handed over", from_a_timer},
	{"an end takes task and timer along", an_end_takes_task_and_timer_along},
	{"no lock is held in thread_stop", stop_holds_no_lock},
	{"workers have the system's usual stack", usual_stack},
	{"fatal: create before iv_init", before_iv_init},
	{"fatal: submit after put", after_put},
};

int main(int argc, char **argv)
{
	return run_tests("iv_work", tests, COUNT(tests), argc, argv);
}
