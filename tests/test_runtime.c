/* SPDX-License-Identifier: MIT */
/* Futures waited for on a thread without a loop: what is polled when, and when nothing is. */
#include <sched.h>

#include "futures.h"

static void the_result_comes_back(void)
{
	struct tern_future f;
	struct puppet p;

	tern_future_init_complete(&f, 8);
	ck_assert_int_eq(tern_runtime_wait(&f), 8);
	puppet_init(&p, -EIO);
	p.idle = 1;
	p.after = 4;
	ck_assert_int_eq(tern_runtime_wait(&p.future), -EIO);
	ck_assert_uint_eq(p.polls, 5);
	tern_runtime_wait_many(NULL, 0);
}

static void each_once_a_pass_and_async_ones_first(void)
{
	static const unsigned after[] = {2, 0, 3, 1, 2, 0};
	static const unsigned first_pass[] = {3, 0, 4, 1, 2, 5};
	struct puppet p[COUNT(after)];
	struct tern_future *futures[COUNT(after) + 1], *before[COUNT(after) + 1], complete;
	unsigned order = 0, sum = 0;

	tern_future_init_complete(&complete, 0);
	for (unsigned i = 0; i < COUNT(after); i++) {
		puppet_init(&p[i], i);
		p[i].after = after[i];
		p[i].order = &order;
		p[i].async = i == 1 || i == 3 || i == 4;
		futures[i] = &p[i].future;
		sum += after[i] + 1;
	}
	futures[COUNT(after)] = &complete; /* counts as done */
	memcpy(before, futures, sizeof(futures));
	for (unsigned i = 0; i < COUNT(after); i++)
		p[i].says = TERN_NOTIFY_NONE;
	tern_runtime_wait_many(futures, COUNT(futures));
	ck_assert_mem_eq(before, futures, sizeof(futures)); /* the caller's array */
	ck_assert_uint_eq(order, sum);
	for (unsigned i = 0; i < COUNT(after); i++) {
		ck_assert_uint_eq(p[i].polls, after[i] + 1);
		ck_assert_int_eq(p[i].future.result, i);
		if (!after[i])
			ck_assert_uint_eq(p[i].place, first_pass[i]);
	}
	/* the second pass has 0 and 3, 4 before it and 2 behind: the third 2 behind 4 and 0 */
	ck_assert_uint_eq(p[3].place, 6);
	ck_assert_uint_eq(p[4].place, 10);
	ck_assert_uint_eq(p[0].place, 11);
	ck_assert_uint_eq(p[2].place, 13);
}

/* It has the property in every second pass. */
struct fickle {
	struct tern_future future;
	unsigned polls, asked;
	unsigned *order, place[4];
};

static enum tern_future_state poll_fickle(struct tern_future *f, struct tern_notifier *n)
{
	struct fickle *k = tern_container_of(f, struct fickle, future);

	k->place[k->polls++] = (*k->order)++;
	return k->polls == COUNT(k->place) ? TERN_FUTURE_COMPLETE : TERN_FUTURE_RUNNING;
}

static bool now_and_then(const struct tern_future *f, enum tern_future_property property)
{
	struct fickle *k = tern_container_of((struct tern_future *)f, struct fickle, future);

	return ++k->asked % 2 == 0;
}

static void the_property_is_asked_anew_each_pass(void)
{
	static const struct tern_future_ops ops = {sizeof(ops), poll_fickle, NULL, now_and_then};
	unsigned order = 0;
	struct fickle k = {.order = &order};
	struct puppet p;
	struct tern_future *futures[] = {&p.future, &k.future};

	tern_future_init(&k.future, &ops);
	puppet_init(&p, 0);
	p.after = 3;
	p.order = &order;
	tern_runtime_wait_many(futures, COUNT(futures));
	ck_assert_uint_eq(k.asked, 4);
	ck_assert_uint_eq(k.place[0], 1);
	ck_assert_uint_eq(k.place[1], 2);
	ck_assert_uint_eq(k.place[2], 5);
	ck_assert_uint_eq(k.place[3], 6);
}

static void *complete_later(void *arg)
{
	struct puppet *p = arg;
	uint64_t later = now_ns() + 20 * MS;

	while (!is_past(&later))
		sched_yield();
	tern_future_complete(&p->future, 4);
	return NULL;
}

static void one_that_is_woken_is_not_polled_meanwhile(void)
{
	struct puppet p;
	pthread_t thread;

	puppet_init(&p, 0);
	p.after = NEVER;
	p.attaches = true;
	p.says = TERN_NOTIFY_WAKER;
	thread = thread_new(complete_later, &p);
	ck_assert_int_eq(tern_runtime_wait(&p.future), 4);
	ck_assert_uint_le(p.polls, 2); /* 1: this thread was slower */
	thread_join(thread);
}

/* The one that nobody polls to its end holds up no other. */
static void one_that_stands_still_starves_nobody(void)
{
	struct puppet slow, fast[5];
	struct tern_future *futures[COUNT(fast) + 1] = {&slow.future};
	pthread_t thread;

	puppet_init(&slow, 0);
	slow.after = NEVER;
	slow.attaches = true;
	slow.says = TERN_NOTIFY_WAKER;
	for (unsigned i = 0; i < COUNT(fast); i++) {
		puppet_init(&fast[i], 0);
		fast[i].after = 20;
		futures[i + 1] = &fast[i].future;
	}
	thread = thread_new(complete_later, &slow);
	tern_runtime_wait_many(futures, COUNT(futures));
	for (unsigned i = 0; i < COUNT(fast); i++)
		ck_assert_uint_eq(fast[i].polls, 21);
	thread_join(thread);
}

static void a_deadline_is_kept(void)
{
	struct puppet p;

	puppet_init(&p, 3);
	p.after = 1;
	p.says = TERN_NOTIFY_WAKER;
	p.deadline_ns = now_ns() + 5 * MS;
	ck_assert_int_eq(tern_runtime_wait(&p.future), 3);
	ck_assert_uint_eq(p.polls, 2);
	ck_assert_uint_ge(now_ns(), p.deadline_ns);
}

static void *set_later(void *arg)
{
	uint64_t later = now_ns() + 20 * MS;

	while (!is_past(&later))
		sched_yield();
	__atomic_store_n((uint64_t *)arg, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void a_word_is_looked_at_instead_of_a_poll(void)
{
	struct puppet p;
	uint64_t word = 0;
	pthread_t thread;

	puppet_init(&p, 3);
	p.after = 1;
	p.says = TERN_NOTIFY_POLLER;
	p.word = &word;
	thread = thread_new(set_later, &word);
	ck_assert_int_eq(tern_runtime_wait(&p.future), 3);
	ck_assert_uint_eq(word, 1);
	ck_assert_uint_eq(p.polls, 2);
	thread_join(thread);
}

#define TELLERS 4

struct many {
	struct tern_future futures[8 * TELLERS];
	unsigned told;
};

static void complete_some(void *arg, unsigned who)
{
	struct many *m = arg;

	for (unsigned i = who; i < COUNT(m->futures); i += TELLERS) {
		tern_future_wake(&m->futures[i]);
		tern_future_complete(&m->futures[i], i);
	}
}

static void many_from_many_threads_and_all_goes_at_once(void)
{
	struct crowd crowd;

	crowd_init(&crowd, TELLERS);
	for (unsigned i = scaled(3000); i; i--) {
		struct many *m = malloc(sizeof(*m));
		struct tern_future *futures[COUNT(m->futures)];

		for (unsigned k = 0; k < COUNT(futures); k++) {
			tern_future_init(&m->futures[k], NULL);
			futures[k] = &m->futures[k];
		}
		crowd_start(&crowd, complete_some, m);
		tern_runtime_wait_many(futures, COUNT(futures));
		for (unsigned k = 0; k < COUNT(futures); k++)
			ck_assert_int_eq(m->futures[k].result, k);
		spoil(m, sizeof(*m));
		crowd_end(&crowd);
	}
	crowd_destroy(&crowd);
}

/* Complete at its first poll, with a wake on its way to who polls. */
struct hasty {
	struct tern_future future;
	struct tern_waker *held;
	unsigned woke;
	pthread_t thread;
};

static void *wake_later(void *arg)
{
	struct hasty *h = arg;
	uint64_t later = now_ns() + 20 * MS;

	while (!is_past(&later))
		sched_yield();
	atomic_bump(&h->woke);
	h->held->wake(h->held);
	return NULL;
}

static enum tern_future_state poll_hasty(struct tern_future *f, struct tern_notifier *n)
{
	struct hasty *h = tern_container_of(f, struct hasty, future);

	h->held = n->waker->hold(n->waker);
	h->thread = thread_new(wake_later, h);
	return TERN_FUTURE_COMPLETE;
}

static void the_return_waits_for_a_wake_that_is_on_its_way(void)
{
	static const struct tern_future_ops ops = {.size = sizeof(ops), .poll = poll_hasty};
	struct hasty h = {.woke = 0};

	tern_future_init(&h.future, &ops);
	tern_runtime_wait(&h.future);
	ck_assert_uint_eq(atomic_get(&h.woke), 1);
	thread_join(h.thread);
}

static void *poll_once(void *f)
{
	ck_assert_int_eq(tern_future_poll(f, NULL), TERN_FUTURE_RUNNING);
	return NULL;
}

static void polled_by_another_thread_than_before(void)
{
	struct puppet p;
	pthread_t thread;

	puppet_init(&p, 0);
	p.after = NEVER;
	p.attaches = true;
	thread_join(thread_new(poll_once, &p.future));
	ck_assert_int_eq(tern_future_poll(&p.future, NULL), TERN_FUTURE_RUNNING);
	thread = thread_new(complete_later, &p);
	ck_assert_int_eq(tern_runtime_wait(&p.future), 4);
	thread_join(thread);
}

static const struct test tests[] = {
	{"the result comes back", the_result_comes_back},
	{"each is polled once a pass, async ones first, else in order",
	 each_once_a_pass_and_async_ones_first},
	{"the property is asked anew each pass", the_property_is_asked_anew_each_pass},
	{"one that is woken is not polled meanwhile", one_that_is_woken_is_not_polled_meanwhile},
	{"one that stands still starves nobody", one_that_stands_still_starves_nobody},
	{"a deadline is kept", a_deadline_is_kept},
	{"a word is looked at instead of a poll", a_word_is_looked_at_instead_of_a_poll},
	{"many from many threads, and all goes at once",
	 many_from_many_threads_and_all_goes_at_once},
	{"the return waits for a wake that is on its way",
	 the_return_waits_for_a_wake_that_is_on_its_way},
	{"polled by another thread than before", polled_by_another_thread_than_before},
};

int main(int argc, char **argv)
{
	return run_tests("runtime", tests, COUNT(tests), argc, argv);
}
