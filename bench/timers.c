/* SPDX-License-Identifier: MIT */
/*
 * 100,000 timers armed, moved and stopped in random order: tern's, and libev's own beside them, in
 * turn. None of them fires. Prints a line of JSON for each round of each.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <tern.h>
#include <tern/ev.h>

enum {
	TIMERS = 100000,
	ROUNDS_DEFAULT = 5
};

struct kind {
	const char *name;
	void (*arm)(size_t i, uint64_t delay_ns);
	void (*move)(size_t i, uint64_t delay_ns);
	void (*stop)(size_t i);
};

static struct ev_loop *ev;
static struct tern_loop *loop;
static struct tern_timer *tern_timers;
static ev_timer *ev_timers;
static uint64_t *delays_ns;
static uint32_t *order;
static uint64_t random_state = 1;

static void on_timer(struct tern_timer *timer)
{
}

static void on_ev_timer(struct ev_loop *l, ev_timer *w, int events)
{
}

static void tern_arm(size_t i, uint64_t delay_ns)
{
	tern_timer_start(loop, &tern_timers[i], delay_ns);
}

static void tern_disarm(size_t i)
{
	tern_timer_stop(&tern_timers[i]);
}

static void ev_arm(size_t i, uint64_t delay_ns)
{
	ev_timer_set(&ev_timers[i], (double)delay_ns * 1e-9, 0.);
	ev_timer_start(ev, &ev_timers[i]);
}

static void ev_move(size_t i, uint64_t delay_ns)
{
	ev_timers[i].repeat = (double)delay_ns * 1e-9;
	ev_timer_again(ev, &ev_timers[i]);
}

static void ev_disarm(size_t i)
{
	ev_timer_stop(ev, &ev_timers[i]);
}

static const struct kind kinds[] = {
	{"tern", tern_arm, tern_arm, tern_disarm},
	{"libev", ev_arm, ev_move, ev_disarm},
};

static uint64_t next_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return random_state >> 33;
}

/* Delays of 1 to 1,000 seconds, and an order to visit the timers in. */
static void shuffle(void)
{
	for (size_t i = 0; i < TIMERS; i++) {
		delays_ns[i] = 1000000000u + next_random() % 1000 * 1000000000u + next_random();
		order[i] = (uint32_t)i;
	}
	for (size_t i = TIMERS - 1; i; i--) {
		size_t j = next_random() % (i + 1);
		uint32_t t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
}

static void run_round(const struct kind *kind)
{
	uint64_t start = now_ns(), armed, moved, stopped;

	for (size_t i = 0; i < TIMERS; i++)
		kind->arm(i, delays_ns[i]);
	armed = now_ns();
	for (size_t i = 0; i < TIMERS; i++)
		kind->move(order[i], delays_ns[i]);
	moved = now_ns();
	for (size_t i = 0; i < TIMERS; i++)
		kind->stop(order[i]);
	stopped = now_ns();
	printf("{\"system\": \"%s\", \"question\": \"timers\", \"arm_ns\": %.2f, "
	       "\"move_ns\": %.2f, \"stop_ns\": %.2f}\n",
	       kind->name, (double)(armed - start) / TIMERS, (double)(moved - armed) / TIMERS,
	       (double)(stopped - moved) / TIMERS);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS_DEFAULT;

	ev = ev_default_loop(0);
	tern_timers = calloc(TIMERS, sizeof(*tern_timers));
	ev_timers = calloc(TIMERS, sizeof(*ev_timers));
	delays_ns = calloc(TIMERS, sizeof(*delays_ns));
	order = calloc(TIMERS, sizeof(*order));
	if (!tern_timers || !ev_timers || !delays_ns || !order ||
	    tern_loop_create_ev(&loop, ev, NULL)) {
		fputs("bench timers: no memory\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < TIMERS; i++) {
		tern_timer_init(&tern_timers[i], on_timer);
		ev_timer_init(&ev_timers[i], on_ev_timer, 0., 0.);
	}
	tern_loop_prepare(loop); /* binds the loop to this thread */
	/* One round more than asked, and first: it touches the memory and fills the caches. */
	for (int round = -1; round < rounds; round++) {
		shuffle();
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			run_round(&kinds[k]);
	}
	return 0;
}
