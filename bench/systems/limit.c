/* SPDX-License-Identifier: MIT */
/*
 * The least that handing items over can cost: one thread for the loop, one for the work, two stacks
 * taken whole, both sides looking for ever. No libev, no lock, no sleep, no second worker, no
 * cancel, no accounts. What it costs is what the machine takes to move items of tern's size from
 * core to core and back one by one; it shows where a bar asks for more than that.
 */
#include "bench.h"

#include <pthread.h>

struct limit_item {
	struct item item;
	struct limit_item *next;
	char rest[72]; /* as large as tern's */
};

struct stack {
	__attribute__((aligned(128))) struct limit_item *top;
};

const char system_name[] = "limit";
const size_t system_item_size = sizeof(struct limit_item);

static struct stack todo, finished;
static bool stopped;

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("pause");
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void push(struct stack *stack, struct limit_item *item)
{
	struct limit_item *top = __atomic_load_n(&stack->top, __ATOMIC_RELAXED);

	do
		item->next = top;
	while (!__atomic_compare_exchange_n(&stack->top, &top, item, true, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED));
}

/* Waits until there is something, takes it all, and turns it round. */
static struct limit_item *take(struct stack *stack)
{
	struct limit_item *item, *oldest = NULL;

	while (!__atomic_load_n(&stack->top, __ATOMIC_RELAXED))
		relax();
	item = __atomic_exchange_n(&stack->top, NULL, __ATOMIC_SEQ_CST);
	while (item) {
		struct limit_item *next = item->next;

		item->next = oldest;
		oldest = item;
		item = next;
	}
	return oldest;
}

static void *worker(void *unused)
{
	for (;;) {
		struct limit_item *next;

		for (struct limit_item *item = take(&todo); item; item = next) {
			next = item->next;
			run_item(&item->item);
			push(&finished, item);
		}
	}
	return NULL;
}

void system_start(void)
{
	pthread_t id;

	if (pthread_create(&id, NULL, worker, NULL))
		die("pthread_create");
}

void system_item_init(struct item *item)
{
}

void system_submit(struct item *item)
{
	push(&todo, (struct limit_item *)item);
}

void system_watch(int fd)
{
	die("limit has no loop to watch a descriptor on");
}

void system_run(void)
{
	while (!stopped) {
		struct limit_item *next;

		for (struct limit_item *item = take(&finished); item; item = next) {
			next = item->next;
			done_item(&item->item);
		}
	}
}

void system_stop(void)
{
	stopped = true;
}
