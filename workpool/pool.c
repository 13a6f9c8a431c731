/* SPDX-License-Identifier: MIT */
/* A pool's life: create, get, put, destroy. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/base/cpus.h"
#include "../lib/base/fatal.h"
#include "../lib/base/options.h"
#include "pool.h"

#define IDLE_MS	   10000
#define STACK_SIZE (256 * 1024)
#define BLOCKING   64
#define RESTART_MS 10 /* how often destroy tries to start a thread when there is none */

static uint32_t max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static int read_options(struct tern_pool_opts *o, const struct tern_pool_opts *from, uint32_t cpus)
{
	int e = tern__options_read(o, sizeof(*o), from);

	if (e)
		return e;
	if (o->wait_ms_max == TERN_NONE || o->threads_min == TERN_FOREVER ||
	    o->threads_max >= TERN_NONE || o->run_ms_warn == TERN_FOREVER)
		return -EINVAL;
	o->threads_min = tern__option(o->threads_min, 1);
	o->threads_max = tern__option(o->threads_max, max(max(4, o->threads_min), cpus));
	o->queue_max = tern__option(o->queue_max, TERN_FOREVER);
	o->wait_ms_max = tern__option(o->wait_ms_max, TERN_FOREVER);
	o->blocking_max = tern__option(o->blocking_max, BLOCKING);
	o->idle_ms_max = tern__option(o->idle_ms_max, IDLE_MS);
	o->run_ms_warn = tern__option(o->run_ms_warn, 0);
	if (!o->stack_size)
		o->stack_size = max(STACK_SIZE, (uint32_t)sysconf(_SC_THREAD_STACK_MIN));
	if (o->threads_min > o->threads_max ||
	    tern__option(o->spin_us_max, 0) > TERN__SPIN_US_TOP ||
	    o->stack_size < (size_t)sysconf(_SC_THREAD_STACK_MIN) ||
	    (o->affinity && !o->affinity_size))
		return -EINVAL;
	return 0;
}

int tern__pool_init_lock(struct tern_pool *p)
{
	pthread_mutexattr_t attr;
	int e = pthread_mutexattr_init(&attr);

	if (e)
		return -e;
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
	/* held for tens of nanoseconds: trying again is cheaper than sleeping */
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
	e = pthread_mutex_init(&p->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return -e;
}

void tern__pool_free(struct tern_pool *p)
{
	tern__work_guard();
	while (p->lanes) { /* only in a child */
		struct tern_lane *lane = p->lanes;

		p->lanes = lane->next;
		free(lane);
	}
	while (p->workers) {
		struct tern__worker *w = p->workers;

		p->workers = w->next;
		free(w);
	}
	while (p->ports) {
		struct tern__port *port = p->ports;

		p->ports = port->next;
		free(port);
	}
	if (!tern__pool_is_parents(p)) /* else somebody may have it for ever */
		pthread_mutex_destroy(&p->lock);
	free(p->affinity);
	free(p);
}

static int allocate(struct tern_pool **ret, const struct tern_pool_opts *o, uint32_t cpus)
{
	cpu_set_t *affinity = o->affinity ? malloc(o->affinity_size) : NULL;
	struct tern_pool *p = NULL;

	if ((o->affinity && !affinity) ||
	    posix_memalign((void **)&p, __alignof__(*p), sizeof(*p))) {
		free(affinity);
		return -ENOMEM;
	}
	memset(p, 0, sizeof(*p));
	if (affinity)
		memcpy(affinity, o->affinity, o->affinity_size);
	p->affinity = affinity;
	p->affinity_size = o->affinity_size;
	p->made_in = tern__fork_generation();
	p->cpus = cpus;
	p->threads_min = o->threads_min;
	p->threads_max = o->threads_max;
	p->blocking_max = o->blocking_max;
	p->idle_ns = o->idle_ms_max == TERN_FOREVER ? UINT64_MAX : o->idle_ms_max * TERN__MS;
	p->queue_max = o->queue_max;
	p->wait_ns = o->wait_ms_max == TERN_FOREVER ? UINT64_MAX : o->wait_ms_max * TERN__MS;
	p->spin_ns = tern__gap_option(o->spin_us_max);
	p->stack_size = o->stack_size;
	p->thread_start = o->thread_start;
	p->thread_stop = o->thread_stop;
	p->gone = o->gone;
	p->user = o->user;
	strncpy(p->name, o->name ? o->name : "tern", sizeof(p->name) - 1);
	p->watch.run_ns = o->run_ms_warn * TERN__MS;
	p->watch.stuck = o->stuck;
	p->refs = p->holds = 1;
	tern__retry_init(p);
	*ret = p;
	return 0;
}

/* Also of a pool that never got its first thread. */
static void close_and_join(struct tern_pool *p);

int tern__pool_start(struct tern_pool *p)
{
	int e = 0;

	for (uint32_t i = 0; i < max(p->threads_min, 1) && !e; i++) {
		tern__pool_lock(p);
		tern__policy_count_start(p);
		tern__pool_unlock(p);
		e = tern__thread_start(p);
		if (!e)
			continue;
		tern__pool_lock(p);
		tern__policy_start_failed(p);
		tern__pool_unlock(p);
	}
	if (!e)
		e = tern__watch_start(p);
	if (!e)
		return 0;
	p->gone = NULL; /* of a pool that never was */
	close_and_join(p);
	return e;
}

int tern_pool_create(struct tern_pool **ret, const struct tern_pool_opts *opts)
{
	uint32_t cpus = tern__cpus();
	struct tern_pool_opts o;
	struct tern_pool *p;
	int e = read_options(&o, opts, cpus);

	if (!e)
		e = tern__fork_error();
	if (!e)
		e = allocate(&p, &o, cpus);
	if (e)
		return e;
	e = tern__pool_init_lock(p);
	if (e) {
		free(p->affinity);
		free(p);
		return e;
	}
	e = tern__pool_start(p);
	if (!e)
		*ret = p;
	return e;
}

void tern__pool_hold(struct tern_pool *p)
{
	tern__add(&p->holds, 1);
}

bool tern__pool_hold_living(struct tern_pool *p)
{
	uint32_t holds = tern__load(&p->holds);

	while (holds && !tern__cas_weak_seq(&p->holds, &holds, holds + 1))
		;
	return holds;
}

void tern__pool_drop(struct tern_pool *p)
{
	tern__hand_over(&p->holds);
	if (tern__sub_acq_rel(&p->holds, 1) > 1)
		return;
	tern__take_over(&p->holds);
	tern__pool_free(p);
}

bool tern__pool_is_over(struct tern_pool *p)
{
	if (!p->closing || p->threads || p->waiting || p->over)
		return false;
	tern__store_release(&p->over, true);
	return true;
}

void tern__pool_finish(struct tern_pool *p)
{
	if (p->gone)
		p->gone(p->user);
	if (p->destroying)
		tern__park_wake(&p->ended);
	else if (p->joinable)
		pthread_detach(p->left); /* on its way out, or this thread itself */
}

void tern__pool_end(struct tern_pool *p)
{
	if (p->watch.on)
		tern__park_wake(&p->watch.park); /* the rest is up to it; it has its own hold */
	else
		tern__pool_finish(p);
	tern__pool_drop(p);
}

struct tern_pool *tern_pool_get(struct tern_pool *p)
{
	tern__add(&p->refs, 1);
	return p;
}

/* Nothing new comes; what waits in outboxes is brought in; who sleeps may leave. */
static void close_pool(struct tern_pool *p, bool destroying)
{
	struct tern__summons summons;
	struct tern__worker *w;
	struct tern_post *waiters;
	bool over;

	tern__pool_hold(p);
	tern__pool_lock(p);
	p->destroying = destroying;
	tern__store(&p->closing, 1);
	tern__queue_collect(p);
	summons = tern__policy_summon(p, TERN__HASTE_NOW);
	waiters = tern__room_close(p);
	over = tern__pool_is_over(p);
	tern__pool_unlock(p);
	tern__room_tell(waiters);
	tern__thread_summon(p, summons);
	do {
		tern__pool_lock(p);
		w = tern__policy_claim(p);
		tern__pool_unlock(p);
		if (w)
			tern__park_wake(&w->park);
	} while (w);
	if (over)
		tern__pool_end(p);
	tern__pool_drop(p);
}

/* Returns how many there were; what others did before they gave theirs back is the last one's. */
static uint32_t give_back(struct tern_pool *p)
{
	uint32_t refs;

	tern__hand_over(&p->refs);
	refs = tern__sub_acq_rel(&p->refs, 1);
	tern__take_over(&p->refs);
	return refs;
}

void tern_pool_put(struct tern_pool *p)
{
	uint32_t refs;

	if (tern__pool_is_parents(p)) {
		tern__fork_put(p, NULL);
		return;
	}
	refs = give_back(p);
	if (!refs || refs > UINT32_MAX / 2)
		tern__fatal("tern_pool_put", "pool %p has been put already", (void *)p);
	if (refs == 1)
		close_pool(p, false);
}

/* A pool that keeps no threads may need one to finish, and the system may refuse it for a while. */
static void restart_if_deserted(struct tern_pool *p)
{
	struct tern__summons summons = {.start = false};

	tern__pool_lock(p);
	if (tern__policy_is_deserted(p)) {
		tern__policy_count_start(p);
		summons.start = true;
	}
	tern__pool_unlock(p);
	tern__thread_summon(p, summons);
}

static void close_and_join(struct tern_pool *p)
{
	tern__pool_hold(p);
	close_pool(p, true);
	while (!tern__park_wait(&p->ended, RESTART_MS * TERN__MS))
		restart_if_deserted(p);
	if (p->joinable)
		pthread_join(p->left, NULL);
	tern__pool_drop(p);
}

void tern_pool_destroy(struct tern_pool *p)
{
	struct tern__worker *self = tern__self();
	uint32_t refs;

	if (tern__pool_is_parents(p)) {
		tern__fork_put(p, NULL);
		return;
	}
	refs = give_back(p);
	if ((self && self->pool == p) ||
	    (p->watch.on && pthread_equal(pthread_self(), p->watch.thread)))
		tern__fatal("tern_pool_destroy", "called by a thread of pool %p", (void *)p);
	if (refs != 1)
		tern__fatal("tern_pool_destroy", "%u others hold pool %p", refs - 1, (void *)p);
	close_and_join(p);
}
