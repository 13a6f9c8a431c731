/* SPDX-License-Identifier: MIT */
/*
 * A program in the API of ivykis' work pools, built twice: with ivykis' own <iv_work.h> and with
 * the drop-in. What it prints must not tell which; same.py compares. With the argument "burst" it
 * prints how many milliseconds eight items of 100 ms take a pool that has run before.
 */
#include <iv.h>
#include <iv_work.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N 100

static struct iv_work_pool pool;
static pthread_t owner;
static pthread_barrier_t met;
static unsigned starts, stops, ran, completed, wrong;
static __thread bool hooked;

static void bump(unsigned *count)
{
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

static void expect(bool right)
{
	if (!right)
		bump(&wrong);
}

static void on_start(void *cookie)
{
	expect(!hooked && cookie == &starts);
	hooked = true;
	bump(&starts);
}

static void on_stop(void *cookie)
{
	expect(hooked && cookie == &starts);
	bump(&stops);
}

static void pool_open(int max_threads)
{
	IV_WORK_POOL_INIT(&pool);
	pool.max_threads = max_threads;
	pool.cookie = &starts;
	pool.thread_start = on_start;
	pool.thread_stop = on_stop;
	if (iv_work_pool_create(&pool))
		abort();
}

static struct iv_work_item *submit(struct iv_work_pool *to, struct iv_work_item *item, void *cookie,
				   void (*work)(void *), void (*completion)(void *))
{
	IV_WORK_ITEM_INIT(item);
	item->cookie = cookie;
	item->work = work;
	item->completion = completion;
	iv_work_pool_submit_work(to, item);
	return item;
}

static void work(void *cookie)
{
	expect(hooked && !pthread_equal(pthread_self(), owner));
	bump(&ran);
}

static void count(void *cookie)
{
	expect(pthread_equal(pthread_self(), owner));
	completed++;
}

/* Runs the loop and says what came of it. */
static void finish(const char *what)
{
	iv_main();
	expect(starts == stops);
	printf("%s: ran %u, completed %u, wrong %u\n", what, ran, completed, wrong);
	starts = stops = ran = completed = wrong = 0;
}

/* no pool: order and rounds */

static struct iv_work_item local[4];
static char names[][8] = {"first", "second", "added", "too", "task"};
static struct iv_task task;

static void say_work(void *cookie)
{
	expect(pthread_equal(pthread_self(), owner));
	printf(" work-%s", (char *)cookie);
}

static void say_done(void *cookie)
{
	printf(" done-%s", (char *)cookie);
}

static void say_task(void *cookie)
{
	printf(" %s", (char *)cookie);
}

static void add_another(void *cookie)
{
	say_done(cookie);
	submit(NULL, &local[2], names[2], say_work, say_done);
	submit(NULL, &local[3], names[3], say_work, say_done);
}

static void without_pool(void)
{
	submit(NULL, &local[0], names[0], say_work, add_another);
	submit(NULL, &local[1], names[1], say_work, say_done);
	IV_TASK_INIT(&task);
	task.cookie = names[4];
	task.handler = say_task;
	iv_task_register(&task);
	printf("submitted");
	iv_main();
	printf("\n");
	finish("without a pool");
}

/* one thread: first come, first served */

static struct iv_work_item items[N];
static char order[N];
static unsigned orders;

static void note(void *cookie)
{
	work(cookie);
	order[orders++] = (char)('a' + (struct iv_work_item *)cookie - items);
}

static void one_thread(void)
{
	pool_open(1);
	for (unsigned i = 0; i < 10; i++)
		submit(&pool, &items[i], &items[i], note, count);
	iv_work_pool_put(&pool);
	finish("one thread");
	printf("order %s\n", order);
}

/* two threads, where two items wait for each other */

static void meet(void *cookie)
{
	work(cookie);
	pthread_barrier_wait(&met);
}

static void two_meet(void)
{
	pool_open(2);
	pthread_barrier_init(&met, NULL, 2);
	for (unsigned i = 0; i < 2; i++)
		submit(&pool, &items[i], NULL, meet, count);
	iv_work_pool_put(&pool);
	finish("two meet");
}

/* the pool is put while work is pending, and its memory used again */

static void put_under_load(void)
{
	pool_open(4);
	for (unsigned i = 0; i < N; i++)
		submit(&pool, &items[i], NULL, work, count);
	iv_work_pool_put(&pool);
	memset(&pool, 0x5a, sizeof(pool));
	finish("put under load");
}

static void count_and_put(void *cookie)
{
	count(cookie);
	if (completed == N)
		iv_work_pool_put(&pool);
}

static void put_by_the_last_completion(void)
{
	pool_open(4);
	for (unsigned i = 0; i < N; i++)
		submit(&pool, &items[i], NULL, work, count_and_put);
	finish("put by the last completion");
}

/* an item is the program's again in its completion */

static void again(void *cookie)
{
	count(cookie);
	if (completed < 10 * N)
		iv_work_pool_submit_work(&pool, cookie);
	else if (completed == 10 * N + 3)
		iv_work_pool_put(&pool);
}

static void submit_again(void)
{
	pool_open(2);
	for (unsigned i = 0; i < 4; i++)
		submit(&pool, &items[i], &items[i], work, again);
	finish("submitted again");
}

static void count_and_free(void *cookie)
{
	count_and_put(cookie);
	free(cookie);
}

static void free_in_completion(void)
{
	pool_open(2);
	for (unsigned i = 0; i < N; i++) {
		struct iv_work_item *item = malloc(sizeof(*item));

		submit(&pool, item, item, work, count_and_free);
	}
	finish("freed in completion");
}

/* a worker is a thread of ivykis */

static void look_at_clock(void *cookie)
{
	work(cookie);
	iv_validate_now();
	expect(iv_inited() && iv_now.tv_sec > 0);
	iv_invalidate_now();
}

static void clock_of_ivykis(void)
{
	pool_open(1);
	submit(&pool, &items[0], NULL, look_at_clock, count);
	iv_work_pool_put(&pool);
	finish("clock");
}

/* two pools of one thread, and a thread with a loop of its own */

struct second {
	struct iv_work_pool pool;
	struct iv_work_item items[N];
	pthread_t thread;
	unsigned completed;
};

static void plain_work(void *cookie)
{
	bump(&ran);
}

static void second_count(void *cookie)
{
	struct second *s = cookie;

	expect(pthread_equal(pthread_self(), s->thread));
	if (++s->completed == N)
		iv_work_pool_put(&s->pool);
}

static void *second_main(void *arg)
{
	struct second *s = arg;

	s->thread = pthread_self();
	iv_init();
	IV_WORK_POOL_INIT(&s->pool);
	s->pool.max_threads = 2;
	if (iv_work_pool_create(&s->pool))
		abort();
	for (unsigned i = 0; i < N; i++)
		submit(&s->pool, &s->items[i], s, plain_work, second_count);
	iv_main();
	iv_deinit();
	return NULL;
}

static void two_owners(void)
{
	static struct second other, same;
	pthread_t thread;

	if (pthread_create(&thread, NULL, second_main, &other))
		abort();
	same.thread = pthread_self();
	IV_WORK_POOL_INIT(&same.pool);
	same.pool.max_threads = 2;
	if (iv_work_pool_create(&same.pool))
		abort();
	pool_open(2);
	for (unsigned i = 0; i < N; i++) {
		submit(&pool, &items[i], NULL, work, count_and_put);
		submit(&same.pool, &same.items[i], &same, plain_work, second_count);
	}
	iv_main();
	pthread_join(thread, NULL);
	printf("second %u, of the same thread %u\n", other.completed, same.completed);
	finish("two owners");
}

/* how long eight items take a pool that has run before */

static struct timespec from;

static void block(void *cookie)
{
	poll(NULL, 0, 100);
}

static void count_burst(void *cookie)
{
	struct timespec to;

	if (++completed < 8)
		return;
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%ld\n", (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
	iv_work_pool_put(&pool);
}

static void warm(void *cookie)
{
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < 8; i++)
		submit(&pool, &items[i], NULL, block, count_burst);
}

static void burst(void)
{
	static struct iv_work_item first;

	pool_open(8);
	submit(&pool, &first, NULL, work, warm);
	iv_main();
}

int main(int argc, char **argv)
{
	owner = pthread_self();
	iv_init();
	if (argc > 1 && !strcmp(argv[1], "burst")) {
		burst();
	} else {
		without_pool();
		one_thread();
		two_meet();
		put_under_load();
		put_by_the_last_completion();
		submit_again();
		free_in_completion();
		clock_of_ivykis();
		two_owners();
	}
	iv_deinit();
	return 0;
}
