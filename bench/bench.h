/* SPDX-License-Identifier: MIT */
/*
 * What the questions and the systems share. A program is one system with all questions linked in:
 * the questions drive it through the few system_ functions, so that all systems are asked the same
 * by the same code. It prints its answer as one line of JSON.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The head of every system's work item. */
struct item {
	uint64_t from_ns; /* when it was submitted, or was to arrive */
	struct item *next_free;
};

/* What was asked: "name=value" on the command line. */
struct ask {
	uint64_t window;      /* items in flight */
	uint64_t threads;     /* at most so many workers */
	uint64_t threads_min; /* for systems that shrink; else all threads are kept */
	uint64_t spin;	      /* 0: nobody looks before he sleeps */
	uint64_t idle_ms;     /* for systems that shrink */
	uint64_t loops;	      /* what an item computes, in rounds of burn() */
	uint64_t sleep_us;    /* how long an item blocks */
	uint64_t latency;     /* 1: note the time from submit to done of each item */
	uint64_t items;	      /* stop after so many, and warm_items before; 0: after ms */
	uint64_t warm_items;
	uint64_t rate;	  /* arrivals a second */
	uint64_t warm_ms; /* what is not measured before what is */
	uint64_t ms;
};
extern struct ask ask;

/* A system: systems/NAME.c. All calls are on the loop's thread. */
extern const char system_name[];
extern const size_t system_item_size; /* of its own struct, which starts with struct item */
void system_start(void);	      /* makes loop and pool as ask says */
void system_item_init(struct item *item);
void system_submit(struct item *item); /* run_item on a worker, then done_item on the loop */
void system_watch(int fd);	       /* readable(fd) on the loop, level triggered */
void system_run(void);		       /* runs the loop until system_stop */
void system_stop(void);

/* What the question wants to hear. */
extern void (*done_item)(struct item *item);
extern void (*readable)(int fd);
void run_item(struct item *item);

/* The questions. */
void ask_closed(void);
void ask_open(void);
void ask_burst(void);
void ask_idle(void);
void ask_away(void);

/* Heap allocations of the whole process so far, by whatever library. */
unsigned long allocations(void);

struct item *items_new(size_t n);

/* Wall and CPU time, items and allocations at one moment, to be subtracted from a later one. */
struct mark {
	uint64_t wall_ns, cpu_ns, items;
	unsigned long allocations;
};
void mark_now(struct mark *mark, uint64_t items);
void report_span(const struct mark *from, const struct mark *to);

/* A histogram of durations: 32 buckets an octave, so within 3 %. */
enum {
	HIST_SUB_BITS = 5,
	HIST_BUCKETS = 40 << HIST_SUB_BITS
};
struct hist {
	uint64_t count, max_ns;
	uint32_t buckets[HIST_BUCKETS];
};
void hist_add(struct hist *hist, uint64_t ns);
uint64_t hist_quantile(const struct hist *hist, double q);
void report_hist(const struct hist *hist);

/* The answer, field by field. */
void report_begin(const char *question);
void report_u64(const char *name, uint64_t value);
void report_text(const char *name, const char *value);
void report_end(void);

/*
 * A probe outside: another process, of real-time priority where that is allowed, sends a tick every
 * millisecond from first_ns to end_ns. The loop is to watch the descriptor that is returned, and to
 * send back what comes with probe_answer(), until that is false. Each tick is charged from when it
 * was to be sent, so a loop that is away for 5 ms pays for five ticks.
 */
int probe_start(uint64_t first_ns, uint64_t end_ns);
bool probe_answer(int fd);
void report_probe(void); /* when there is nothing more to answer */

__attribute__((noreturn)) void die(const char *what);

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/*
 * Real work of a fixed amount: a chain of multiplications that no compiler shortens. Burning until
 * a clock says so would give a thread that was not running its item for nothing.
 */
static inline void burn(uint64_t loops)
{
	uint64_t x = loops;

	for (uint64_t i = 0; i < loops; i++) {
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
		__asm__ volatile("" : "+r"(x));
	}
}

#endif
