/* SPDX-License-Identifier: MIT */
/*
 * How a thread comes to be: its worker, its name, stack and signals, and what happens when the
 * system refuses one. Its life is in thread.c.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/base/trace.h"
#include "pool.h"

void tern__thread_name(const struct tern_pool *p, const char *tail, char name[TERN__NAME_SIZE])
{
	int room = TERN__NAME_SIZE - 2 - (int)strlen(tail);

	snprintf(name, TERN__NAME_SIZE, "%.*s/%s", room, p->name, tail);
}

void tern__worker_name(const struct tern_pool *p, uint32_t number, char name[TERN__NAME_SIZE])
{
	char tail[12];

	snprintf(tail, sizeof(tail), "%u", number);
	tern__thread_name(p, tail, name);
}

static void *thread_main(void *arg)
{
	struct tern__worker *w = arg;
	char name[TERN__NAME_SIZE];

	tern__worker_name(w->pool, w->number, name);
	pthread_setname_np(pthread_self(), name);
	tern__thread_serve(w);
	tern__trace_leave();
	return NULL;
}

/* [lock held] For another thread: nothing that the one before it saw is true any more. */
static void renew(struct tern__worker *w)
{
	w->unused = w->surplus = false;
	w->gap.since_ns = 0;
	/* in its row of items it goes on, but times the first, see policy.c */
	w->timing.left += w->timing.skip;
	w->timing.skip = 0;
	w->timing.clock_ns = 0;
}

/* A worker whose thread has left, or a new one. NULL: no memory. */
static struct tern__worker *get_worker(struct tern_pool *p)
{
	struct tern__worker *w;

	tern__pool_lock(p);
	for (w = p->workers; w && !w->unused; w = w->next)
		;
	if (w)
		renew(w);
	tern__pool_unlock(p);
	if (w || posix_memalign((void **)&w, __alignof__(*w), sizeof(*w)))
		return w;
	memset(w, 0, sizeof(*w));
	w->pool = p;
	w->gap.limit_ns = p->spin_ns;
	tern__pool_lock(p);
	w->number = p->workers ? p->workers->number + 1 : 0;
	w->next = p->workers;
	tern__store_release(&p->workers, w); /* a forked child reads the list without the lock */
	tern__pool_unlock(p);
	return w;
}

static int set_attributes(const struct tern_pool *p, pthread_attr_t *attr)
{
	int e = pthread_attr_setstacksize(attr, p->stack_size);

#ifdef __GLIBC__
	if (!e && p->affinity)
		e = pthread_attr_setaffinity_np(attr, p->affinity_size, p->affinity);
#endif
	return e;
}

static int create(const struct tern_pool *p, const pthread_attr_t *attr, pthread_t *ret,
		  void *(*fn)(void *), void *arg)
{
#ifndef __GLIBC__
	/* no attribute for it: the new thread inherits what its creator has for this moment */
	cpu_set_t own;
	int e = p->affinity ? pthread_getaffinity_np(pthread_self(), sizeof(own), &own) : 0;

	if (!e && p->affinity)
		e = pthread_setaffinity_np(pthread_self(), p->affinity_size, p->affinity);
	if (e)
		return e;
	e = pthread_create(ret, attr, fn, arg);
	if (p->affinity)
		pthread_setaffinity_np(pthread_self(), sizeof(own), &own);
	return e;
#else
	return pthread_create(ret, attr, fn, arg);
#endif
}

/*
 * Signals are the program's business: workers leave all to it but those a fault of their own
 * raises.
 */
static void block_signals(sigset_t *before)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF};
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&set, own[i]);
	pthread_sigmask(SIG_SETMASK, &set, before);
}

int tern__thread_create(struct tern_pool *p, pthread_t *ret, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t before;
	int e = pthread_attr_init(&attr);

	if (e)
		return -e;
	e = set_attributes(p, &attr);
	if (!e) {
		tern__pool_hold(p);
		block_signals(&before);
		e = create(p, &attr, ret, fn, arg);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (e)
			tern__pool_drop(p);
	}
	pthread_attr_destroy(&attr);
	return -e;
}

int tern__thread_start(struct tern_pool *p)
{
	struct tern__worker *w = get_worker(p);
	pthread_t thread;
	int e;

	if (!w)
		return -ENOMEM;
	e = tern__thread_create(p, &thread, thread_main, w);
	if (e) {
		tern__pool_lock(p);
		w->unused = true;
		tern__pool_unlock(p);
	}
	return e;
}

void tern__thread_summon(struct tern_pool *p, struct tern__summons summons)
{
	struct tern_loop *home = NULL;
	bool end;

	if (summons.worker)
		tern__park_wake(&summons.worker->park);
	if (!summons.start)
		return;
	if (!tern__thread_start(p))
		return;
	tern__pool_lock(p);
	summons = tern__policy_start_failed(p);
	if (tern__policy_is_deserted(p))
		home = tern__retry_begin(p, NULL);
	end = tern__pool_is_over(p);
	tern__pool_unlock(p);
	if (summons.worker)
		tern__park_wake(&summons.worker->park);
	if (home)
		tern__retry_post(p, home);
	if (end)
		tern__pool_end(p);
}
