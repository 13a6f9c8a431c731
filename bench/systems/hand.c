/* SPDX-License-Identifier: MIT */
/*
 * What a user of libev writes by hand: two lists under mutexes, a condition variable for the
 * workers, an ev_async for the loop.
 *
 * With spin=1 it is the same pool with the best that looking can do for it: one worker, and the
 * loop while a CPU is free, look for up to 15 us before they sleep, and nobody is woken who is
 * awake anyway.
 */
#include "bench.h"

#include <ev.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

struct hand_item {
	struct item item;
	struct hand_item *next;
};

struct list {
	pthread_mutex_t lock;
	struct hand_item *head, **tail;
	unsigned count; /* also read without the lock, to see whether looking is worth it */
};

enum {
	LOOK_NS = 15000,
	LOOKS_A_CLOCK = 16
};

const char system_name[] = "hand";
const size_t system_item_size = sizeof(struct hand_item);

static struct ev_loop *loop;
static ev_async wake;
static ev_prepare before_poll;
static ev_idle do_not_block;
static ev_io watcher;
static unsigned cpus, outstanding;

static struct list todo = {.lock = PTHREAD_MUTEX_INITIALIZER, .tail = &todo.head};
static struct list finished = {.lock = PTHREAD_MUTEX_INITIALIZER, .tail = &finished.head};
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static bool looking;	  /* under todo.lock: a worker is awake with nothing to do */
static unsigned sleeping; /* under todo.lock; also read without it */
static bool loop_polls;	  /* under finished.lock */

static void push(struct list *list, struct hand_item *item)
{
	item->next = NULL;
	*list->tail = item;
	list->tail = &item->next;
	__atomic_store_n(&list->count, list->count + 1, __ATOMIC_RELAXED);
}

static struct hand_item *pop(struct list *list)
{
	struct hand_item *item = list->head;

	list->head = item->next;
	if (!list->head)
		list->tail = &list->head;
	__atomic_store_n(&list->count, list->count - 1, __ATOMIC_RELAXED);
	return item;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("pause");
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static bool look(const struct list *list)
{
	uint64_t end = now_ns() + LOOK_NS;

	do {
		for (int i = 0; i < LOOKS_A_CLOCK; i++) {
			if (__atomic_load_n(&list->count, __ATOMIC_RELAXED))
				return true;
			relax();
		}
	} while (now_ns() < end);
	return false;
}

static unsigned awake(void)
{
	return (unsigned)ask.threads - __atomic_load_n(&sleeping, __ATOMIC_RELAXED);
}

/* todo.lock is held; it is let go meanwhile */
static void look_as_worker(void)
{
	looking = true;
	pthread_mutex_unlock(&todo.lock);
	look(&todo);
	pthread_mutex_lock(&todo.lock);
	looking = false;
	/* Whoever submitted meanwhile left it to this worker to wake another. */
	if (todo.count > 1 && sleeping)
		pthread_cond_signal(&more);
}

static struct hand_item *next_item(void)
{
	struct hand_item *item;

	pthread_mutex_lock(&todo.lock);
	if (!todo.head && ask.spin && !looking && awake() <= cpus)
		look_as_worker();
	while (!todo.head) {
		__atomic_store_n(&sleeping, sleeping + 1, __ATOMIC_RELAXED);
		pthread_cond_wait(&more, &todo.lock);
		__atomic_store_n(&sleeping, sleeping - 1, __ATOMIC_RELAXED);
	}
	item = pop(&todo);
	pthread_mutex_unlock(&todo.lock);
	return item;
}

static void *worker(void *unused)
{
	for (;;) {
		struct hand_item *item = next_item();
		bool send;
		run_item(&item->item);
		pthread_mutex_lock(&finished.lock);
		push(&finished, item);
		send = !ask.spin || loop_polls;
		loop_polls = false;
		pthread_mutex_unlock(&finished.lock);
		if (send)
			ev_async_send(loop, &wake);
	}
	return NULL;
}

static void run_finished(void)
{
	struct hand_item *item, *next;

	pthread_mutex_lock(&finished.lock);
	item = finished.head;
	finished.head = NULL;
	finished.tail = &finished.head;
	__atomic_store_n(&finished.count, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&finished.lock);
	for (; item; item = next) {
		next = item->next;
		outstanding--;
		done_item(&item->item);
	}
}

static void on_wake(struct ev_loop *l, ev_async *w, int events)
{
	run_finished();
}

static void on_idle(struct ev_loop *l, ev_idle *w, int events)
{
}

/* Only with spin: looks, and says under the lock that from now on the loop must be woken. */
static void on_prepare(struct ev_loop *l, ev_prepare *w, int events)
{
	bool nothing;

	if (outstanding && awake() < cpus)
		look(&finished);
	pthread_mutex_lock(&finished.lock);
	nothing = loop_polls = !finished.head;
	pthread_mutex_unlock(&finished.lock);
	if (nothing) {
		ev_idle_stop(loop, &do_not_block);
		return;
	}
	run_finished();
	ev_idle_start(loop, &do_not_block);
}

static void on_readable(struct ev_loop *l, ev_io *w, int events)
{
	readable(w->fd);
}

void system_start(void)
{
	cpu_set_t set;

	cpus = sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
	loop = ev_default_loop(0);
	ev_async_init(&wake, on_wake);
	ev_async_start(loop, &wake);
	ev_idle_init(&do_not_block, on_idle);
	if (ask.spin) {
		ev_prepare_init(&before_poll, on_prepare);
		ev_prepare_start(loop, &before_poll);
	}
	for (uint64_t i = 0; i < ask.threads; i++) {
		pthread_t id;
		if (pthread_create(&id, NULL, worker, NULL))
			die("pthread_create");
	}
}

void system_item_init(struct item *item)
{
}

void system_submit(struct item *item)
{
	bool signal;

	outstanding++;
	pthread_mutex_lock(&todo.lock);
	push(&todo, (struct hand_item *)item);
	signal = !ask.spin || (sleeping && !looking);
	pthread_mutex_unlock(&todo.lock);
	if (signal)
		pthread_cond_signal(&more);
}

void system_watch(int fd)
{
	ev_io_init(&watcher, on_readable, fd, EV_READ);
	ev_io_start(loop, &watcher);
}

void system_run(void)
{
	ev_run(loop, 0);
}

void system_stop(void)
{
	ev_break(loop, EVBREAK_ALL);
}
