/* SPDX-License-Identifier: MIT */
/*
 * A model that counts what the library is asked to do, and knows what must hold in any
 * interleaving.
 *
 * All calls come from two threads that take turns, the main one and the `hand`, and from workers
 * inside run. What the two know they keep in plain members; what workers tell is atomic. Workers
 * go on only when the sequence opens the gate that an item waits at, so that much of what a pool
 * does follows from the input.
 */
#ifndef TERN_TESTS_MODEL_H
#define TERN_TESTS_MODEL_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tern.h>

#define LOOPS	3 /* the last one is the hand's */
#define POOLS	3
#define LANES	4
#define SLOTS	64
#define LETTERS 12
#define TICKS	6
#define RANKS	3
#define WINDOW	16 /* starts over which priorities are looked at */

enum who {
	MAIN,
	HAND,
	WORKER
};

struct loop {
	struct tern_loop *loop; /* NULL: there is none */
	enum who owner;
	uint32_t out; /* items that come home here and room that is waited for */
	uint32_t holds, armed;
	uint32_t depth;	  /* of prepare and dispatch, on its thread */
	uint32_t entered; /* callbacks so far; without those that nested dispatches counted */
	bool bound, told; /* what its binding was told */
	uint32_t lends;	  /* holds that runs release, so far ... */
	uint32_t lent;	  /* ... and those to come; atomic */
	unsigned long last_inline[2], last_letter[2]; /* by who submitted */
};

struct pool {
	struct tern_pool *pool;			      /* NULL: there is none */
	uint32_t threads_max, queue_max, wait_ms_max; /* threads_max: with all that may be lent */
	uint32_t in_service_max, blocking_max;
	uint32_t refs; /* of the two threads */
	bool laned;    /* has or had lanes, whose references go at their time */
	bool strict;   /* one thread, all items gated: the order of starts is known */
	uint32_t canceled, timed_out;
	unsigned long last[2][RANKS]; /* of a pool of one thread; its worker's */
	struct slot *current;	      /* atomic: started last */
	uint8_t ranks[WINDOW], waited[WINDOW];
	uint32_t steps, steps_at; /* of the window; how many had started at the last */
	/* atomic */
	uint32_t asked, submitted; /* before and after the call */
	uint32_t left;		   /* started or cancelled */
	uint32_t starts, running, blocked;
	uint32_t still; /* of those blocked: inside tern_blocking_begin */
	uint32_t lent;	/* references that a run will give back */
	uint32_t threads_started, threads_stopped, gone;
};

struct lane {
	struct tern_lane *lane; /* NULL: there is none */
	struct pool *pool;
	uint32_t running_max, wait_ms_max;
	unsigned long last[2][RANKS];
	/* atomic */
	uint32_t submitted, left, running, blocked;
	uint32_t lent; /* items that a run will submit */
};

enum state {
	FREE,
	LENT /* to a run that will submit it */,
	OUT
};

/* What the library gets: poisoned and freed when it is over. */
struct item {
	struct tern_work work;
	struct slot *slot;
	uint32_t payload; /* from run to done, with no synchronisation but the library's */
};

struct slot {
	uint32_t state; /* atomic where an item has no done */
	struct item *item;
	struct pool *pool;
	struct lane *lane;
	struct loop *home;
	struct slot *child;    /* submitted by run */
	struct letter *letter; /* posted by run */
	bool done, gated, borrows;
	uint8_t sections;   /* that run is in at its gate */
	bool at_gate;	    /* under the lock */
	uint8_t rank, then; /* then: what done does */
	bool cancelable;    /* the call that submitted it has certainly returned */
	unsigned long seq, child_seq;
	enum who by;
	uint64_t since_ns;
	/* atomic; asking: cancel has been called; asked: and returned false */
	uint32_t runs, canceled, gate, asking, asked;
};

struct letter {
	struct tern_post post;
	struct loop *to;
	bool out;
	struct pool *room; /* waits for room there ... */
	bool full;	   /* ... where there certainly was none, when so many had left */
	uint32_t left;
	unsigned long seq;
	enum who by;
};

struct tick {
	struct tern_timer timer;
	struct loop *loop; /* NULL: not armed */
	uint64_t due_ns;
};

struct model {
	const uint8_t *at, *end;
	struct loop loops[LOOPS];
	struct pool pools[POOLS];
	struct lane lanes[LANES];
	struct slot slots[SLOTS];
	struct letter letters[LETTERS];
	struct tick ticks[TICKS];
	unsigned long seq;
	uint32_t fuel;	/* callbacks that start something */
	bool finishing; /* nothing new is started */
	uint32_t open;	/* so many want all gates open; atomic */
	uint32_t dice;	/* of a callback; 0: the sequence says */
	const char *op;
};

extern struct model model;
extern __thread enum who me;
extern unsigned long operations;

#define get(p)	  __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define set(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define add(p, n) __atomic_add_fetch(p, n, __ATOMIC_SEQ_CST)

/* Fails with the sentence that should hold. */
#define holds(condition, sentence) ((condition) ? (void)0 : broken(sentence, __FILE__, __LINE__))
void broken(const char *sentence, const char *file, int line) __attribute__((noreturn));

uint64_t now_ns(void);
uint8_t next_byte(void);
static inline uint32_t pick(uint32_t n)
{
	return next_byte() % n;
}

/* sequence.c: one sequence; all of it has ended when it returns */
void sequence(const uint8_t *bytes, size_t n);
/* What a callback does, as its byte says; another use of that byte is its own. */
void act(struct loop *loop, uint8_t what);

/* steps.c: opens the gate of a pool of one thread, and looks who comes next */
void step(struct pool *pool);

/* waits.c: two threads that take turns, gates, and what must happen in the end */
void hand_start(void);
void call_on(enum who who, void (*fn)(void *arg), void *arg);
void wait_at_gate(struct slot *slot);
void open_gate(struct slot *slot);
void open_all(bool open);
/*
 * Until is(arg). The loops hand over meanwhile; if turning, they also enter what comes home. Fails
 * when it does not come.
 */
void wait_until(bool (*is)(const void *arg), const void *arg, bool turning, const char *sentence);
bool is_limited(const struct pool *pool);
bool is_settled(const void *pool);
unsigned threads_now(void);

/* items.c */
extern __thread struct pool *worker_of;
struct slot *slot_prepare(struct loop *home, struct pool *pool, bool may_lend);
void slot_submit(struct slot *slot);
void slot_release(struct slot *slot);
int slot_try(struct slot *slot);
void slots_submit(struct slot *slots[], size_t n);
void slot_cancel(struct slot *slot);
uint32_t slot_limit_ms(const struct slot *slot);

/* places.c */
void loop_open(struct loop *loop);
void loop_close(struct loop *loop);
bool loop_is_idle(const struct loop *loop);
void loop_prepare(struct loop *loop);
void loop_dispatch(struct loop *loop, uint32_t max);
void loop_run(struct loop *loop);
void loop_check_alive(struct loop *loop);
void loop_lend(struct loop *loop);
void loop_give_back(struct loop *loop, struct tern_loop *held);
void pool_open(struct pool *pool);
void pool_put(struct pool *pool);
void pool_destroy(struct pool *pool);
bool pool_is_over(const struct pool *pool);
void pool_check_stats(struct pool *pool);
void pool_dump(struct pool *pool);
void lane_open(struct lane *lane, struct pool *pool);
void lane_check_stats(struct lane *lane);
void lane_put(struct lane *lane);
bool lane_is_over(const struct lane *lane);

/* messages.c: posts, room and timers */
struct letter *letter_lend(struct loop *to);
void letter_post(struct letter *letter);
void await_room(struct loop *loop, struct pool *pool);
void start_timer(struct loop *loop, struct tick *tick);
void stop_timer(struct tick *tick);

#endif
