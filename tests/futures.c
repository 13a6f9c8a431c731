/* SPDX-License-Identifier: MIT */
/* Futures, wakers and threads that tests of futures move by hand. */
#include "futures.h"

static struct puppet *puppet_of(const struct tern_future *f)
{
	return tern_container_of(f, struct puppet, future);
}

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	struct puppet *p = puppet_of(f);

	p->given = *n;
	if (p->order)
		p->place = (*p->order)++;
	p->polls++;
	if (p->obeys && tern_future_canceled(f)) {
		f->result = -ECANCELED;
		return TERN_FUTURE_COMPLETE;
	}
	if (p->attaches && tern_future_attach(f, n) == TERN_FUTURE_COMPLETE)
		return TERN_FUTURE_COMPLETE;
	if (p->after != NEVER && p->polls > p->after) {
		f->result = p->ends_with;
		return TERN_FUTURE_COMPLETE;
	}
	if (p->says == TERN_NOTIFY_POLLER)
		tern_notifier_monitor(n, p->word, __atomic_load_n(p->word, __ATOMIC_ACQUIRE));
	if (p->says == TERN_NOTIFY_WAKER)
		tern_notifier_pass(n);
	if (p->deadline_ns)
		tern_notifier_at(n, p->deadline_ns);
	return p->polls <= p->idle ? TERN_FUTURE_IDLE : TERN_FUTURE_RUNNING;
}

static void cancel(struct tern_future *f)
{
	puppet_of(f)->cancels++;
}

static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	return property == TERN_FUTURE_ASYNC && puppet_of(f)->async;
}

void puppet_init(struct puppet *p, int64_t result)
{
	static const struct tern_future_ops ops = {sizeof(ops), poll, cancel, has_property};

	*p = (struct puppet){.ends_with = result, .obeys = true, .says = TERN_NOTIFY_NONE};
	tern_future_init(&p->future, &ops);
}

static struct bell *bell_of(struct tern_waker *waker)
{
	return tern_container_of(waker, struct bell, waker);
}

static struct tern_waker *hold(struct tern_waker *waker)
{
	struct bell *b = bell_of(waker);

	b->holds++;
	if (b->on_hold)
		b->on_hold(b->arg);
	return b->leads_to;
}

static void wake(struct tern_waker *waker)
{
	struct bell *b = bell_of(waker);

	b->wakes++;
	if (b->on_wake)
		b->on_wake(b->arg);
}

void bell_init(struct bell *b)
{
	*b = (struct bell){.waker = {hold, wake}};
	b->leads_to = &b->waker;
}

enum tern_future_state poll_with(struct tern_future *f, struct bell *b, struct tern_notifier *said)
{
	struct tern_notifier n = {.waker = b ? &b->waker : NULL};
	enum tern_future_state state = tern_future_poll(f, &n);

	if (said)
		*said = n;
	return state;
}

static void *crowd_run(void *arg)
{
	struct crowd *c = arg;
	unsigned who = atomic_bump(&c->next) - 1;

	for (;;) {
		pthread_barrier_wait(&c->start);
		if (!c->fn)
			return NULL;
		c->fn(c->arg, who);
		pthread_barrier_wait(&c->end);
	}
}

void crowd_init(struct crowd *c, unsigned n)
{
	ck_assert_uint_le(n, COUNT(c->threads));
	*c = (struct crowd){.n = n};
	pthread_barrier_init(&c->start, NULL, n + 1);
	pthread_barrier_init(&c->end, NULL, n + 1);
	for (unsigned i = 0; i < n; i++)
		c->threads[i] = thread_new(crowd_run, c);
}

void crowd_start(struct crowd *c, void (*fn)(void *arg, unsigned who), void *arg)
{
	c->fn = fn;
	c->arg = arg;
	pthread_barrier_wait(&c->start);
}

void crowd_end(struct crowd *c)
{
	pthread_barrier_wait(&c->end);
}

void crowd_destroy(struct crowd *c)
{
	crowd_start(c, NULL, NULL);
	for (unsigned i = 0; i < c->n; i++)
		thread_join(c->threads[i]);
	pthread_barrier_destroy(&c->start);
	pthread_barrier_destroy(&c->end);
}

void note_came(struct tern_future *future, void *arg)
{
	struct came *came = arg;

	came->dones++;
	came->result = future->result;
	came->future = future;
	came->on = pthread_self();
}

void spoil(void *p, size_t size)
{
	memset(p, 0xa5, size);
	free(p);
}
