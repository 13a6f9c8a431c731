/* SPDX-License-Identifier: MIT */
/* What the soak's drivers do, and what main holds them to. */
#ifndef TERN_TESTS_SOAK_H
#define TERN_TESTS_SOAK_H

#include <pthread.h>
#include <stdlib.h>
#include <tern.h>

#define get(p)	  __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define set(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define add(p, n) __atomic_add_fetch(p, n, __ATOMIC_SEQ_CST)

struct counts {
	uint64_t submitted, bare, done, canceled, timed_out, refused;
	uint64_t posts, posted, rooms, roomed, ticks, ticked, loops;
};

struct driver {
	pthread_t thread;
	struct tern_loop *loop;
	struct counts n;
	uint64_t ran, bare_ran, left; /* ran, bare_ran: by workers */
	uint32_t flight, state;
	uint64_t life;
	struct item *latest;
	struct tern_timer timer;
	bool ticking;
	uint32_t rooms_out, posts_out;
};

/* main's */
void broken(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
uint64_t now_ns(void);

#define holds(condition, ...) ((condition) ? (void)0 : broken(__VA_ARGS__))

/* driver.c */
extern uint64_t pools_gone, pools_made; /* atomic */
void places_open(struct driver *driver);
void places_close(void);
/* One loop's life; takes its items off driver->left. */
void live(struct driver *driver);

#endif
