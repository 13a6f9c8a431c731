/* SPDX-License-Identifier: MIT */
/* What the tests share: tables of named tests, hang guards, and things to wait with. */
#ifndef TERN_TESTS_HARNESS_H
#define TERN_TESTS_HARNESS_H

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <tern.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Each runs in a process of its own. One named "fatal: ..." must abort, after expect_fatal. */
struct test {
	const char *name;
	void (*fn)(void);
};

/* A test that asks for statistics: left out, and so told, where the library keeps none. */
#ifdef TERN_STATS
#define WITH_STATS(fn) (fn)
#else
#define WITH_STATS(fn) (0 ? (fn) : NULL)
#endif

/* Runs all of them, or those whose name contains the first argument. For main to return. */
int run_tests(const char *idea, const struct test *tests, size_t n, int argc, char **argv);

/* From here on: the fatal line must name the call and, unless it is NULL, the item. */
void expect_fatal(const char *call, const void *item);

/* n, or less where a sanitizer or valgrind makes everything slow. */
unsigned scaled(unsigned n);

/* A loop and a pool with defaults; the test ends if they cannot be had. */
struct tern_loop *loop_new(void);
struct tern_pool *pool_new(uint32_t threads_min, uint32_t threads_max);
struct tern_pool_stats stats_of(struct tern_pool *pool);

/* Runs the loop until is(arg), looking at least every millisecond. */
void loop_until(struct tern_loop *loop, bool (*is)(void *arg), void *arg);

/* Who waits goes on when as many have arrived as was said at first. */
struct latch {
	pthread_mutex_t lock;
	pthread_cond_t all;
	unsigned left;
};

void latch_init(struct latch *latch, unsigned n);
void latch_arrive(struct latch *latch); /* ends the test if it is one too many */
void latch_wait(struct latch *latch);

/* CLOCK_MONOTONIC's time, and whether it is past *ns: for loop_until. */
uint64_t now_ns(void);
bool is_past(void *ns);

/* Whether the loop's descriptor is, at once or within so long; -1: however long. */
bool is_readable(const struct tern_loop *loop, int timeout_ms);

/* Whether the counter at gone is more than 0, and whether a pool has no thread. */
bool is_gone(void *gone);
bool is_deserted(void *pool);

/* A run and a done. */
void run_nothing(struct tern_work *work);
void ignore_done(struct tern_work *work);

pthread_t thread_new(void *(*fn)(void *), void *arg);
void thread_join(pthread_t thread);

static inline unsigned atomic_get(unsigned *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static inline unsigned atomic_bump(unsigned *p)
{
	return __atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST);
}

/* An item that keeps account of itself; both callbacks check what they can. */
struct job {
	struct tern_work work;
	unsigned runs, dones;
	int status;
	pthread_t ran_on, done_on;
	struct latch *arrives; /* told by run, before it waits; may be NULL */
	struct latch *waits;   /* run waits for it; may be NULL */
};

void job_init(struct job *job);
void job_run(struct tern_work *work);
void job_done(struct tern_work *work);

#endif
