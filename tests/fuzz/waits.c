/* SPDX-License-Identifier: MIT */
/* Two threads that take turns, the gates that items wait at, and what must come in the end. */
#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#define COMES_NS (20 * UINT64_C(1000000000)) /* only what never comes takes that long */
#define LOOKS_NS 200000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER, moved = PTHREAD_COND_INITIALIZER;
static void (*errand)(void *arg);
static void *errand_arg;

__thread enum who me;

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void *serve(void *arg)
{
	me = HAND;
	pthread_mutex_lock(&lock);
	for (;;) {
		while (!errand)
			pthread_cond_wait(&turned, &lock);
		pthread_mutex_unlock(&lock);
		errand(errand_arg);
		pthread_mutex_lock(&lock);
		errand = NULL;
		pthread_cond_broadcast(&turned);
	}
	return arg;
}

void hand_start(void)
{
	static bool started;
	pthread_t thread;

	if (started)
		return;
	started = true;
	holds(!pthread_create(&thread, NULL, serve, NULL), "the hand can be started");
	pthread_detach(thread);
}

void call_on(enum who who, void (*fn)(void *arg), void *arg)
{
	if (who == me) {
		fn(arg);
		return;
	}
	holds(me == MAIN, "only the main thread asks the hand");
	pthread_mutex_lock(&lock);
	errand = fn;
	errand_arg = arg;
	pthread_cond_broadcast(&turned);
	while (errand)
		pthread_cond_wait(&turned, &lock);
	pthread_mutex_unlock(&lock);
}

/* Under the lock: who opens a gate knows at once that nobody is blocked there. */
static void set_at_gate(struct slot *s, bool at)
{
	if (s->at_gate == at)
		return;
	s->at_gate = at;
	add(&s->pool->blocked, at ? 1 : -1);
	if (s->sections)
		add(&s->pool->still, at ? 1 : -1);
	if (s->lane)
		add(&s->lane->blocked, at ? 1 : -1);
}

void wait_at_gate(struct slot *s)
{
	pthread_mutex_lock(&lock);
	if (!get(&s->gate) && !get(&model.open))
		set_at_gate(s, true);
	pthread_cond_broadcast(&moved);
	while (s->at_gate)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

void open_gate(struct slot *s)
{
	pthread_mutex_lock(&lock);
	set(&s->gate, 1);
	set_at_gate(s, false);
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

void open_all(bool open)
{
	pthread_mutex_lock(&lock);
	add(&model.open, open ? 1 : -1);
	for (int i = 0; i < SLOTS && open; i++)
		set_at_gate(&model.slots[i], false);
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

static void flush(void *arg)
{
	tern_loop_flush(((struct loop *)arg)->loop);
}

static void turn(void *arg)
{
	loop_prepare(arg);
	loop_dispatch(arg, 0);
}

/* Submissions may lie with their loops, and a loop that left them to one worker looks again. */
static void turn_loops(bool turning)
{
	for (int i = 0; i < LOOPS; i++)
		if (model.loops[i].loop)
			call_on(model.loops[i].owner, turning ? turn : flush, &model.loops[i]);
}

/* What was too old counts as waiting until it is home. */
bool is_limited(const struct pool *p)
{
	for (int i = 0; i < LANES; i++)
		if (model.lanes[i].pool == p && model.lanes[i].wait_ms_max)
			return true;
	return p->wait_ms_max;
}

void wait_until(bool (*is)(const void *arg), const void *arg, bool turning, const char *sentence)
{
	uint64_t start = now_ns();

	turn_loops(turning);
	while (!is(arg)) {
		struct timespec until;

		holds(now_ns() - start < COMES_NS, sentence);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOKS_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		pthread_mutex_lock(&lock);
		if (!is(arg))
			pthread_cond_timedwait(&moved, &lock, &until);
		pthread_mutex_unlock(&lock);
		turn_loops(turning);
	}
}

/* Whether the pool's threads have nothing left that they may start. */
bool is_settled(const void *arg)
{
	const struct pool *p = arg;
	uint32_t left = get(&p->left), waiting = get(&p->submitted) - left;
	/* which of them are lent is known only where all are */
	uint32_t lent = p->blocking_max >= SLOTS ? get(&p->still) : 0;

	if (!p->pool || get(&p->blocked) - lent >= p->in_service_max)
		return true;
	for (int i = 0; i < LANES; i++) {
		const struct lane *l = &model.lanes[i];
		uint32_t held;

		if (l->pool != p)
			continue;
		held = get(&l->submitted) - get(&l->left);
		if (held && get(&l->blocked) < l->running_max)
			return false;
		waiting -= held;
	}
	return waiting == 0;
}

unsigned threads_now(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned n = 0;

	holds(tasks != NULL, "/proc tells the threads");
	while (readdir(tasks))
		n++;
	closedir(tasks);
	return n;
}
