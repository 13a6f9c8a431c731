/* SPDX-License-Identifier: MIT */
/*
 * Moving memory: a data mover on a pool beside what the CPU can do at best, on as many threads.
 *
 *	bench-movers copy SIZE THREADS COLD ROUNDS    a line for each way and round: time of a copy
 *	bench-movers hand SIZE WINDOW ROUNDS	      the same, for copies that are handed over
 *	bench-movers away SIZE MS		      how long a loop is away that has copies made
 *
 * Cold: each copy is of other memory than those before, four times as much as the caches that
 *count.
 */
#include "bench.h"

#include <ev.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tern.h>
#include <tern/ev.h>
#include <tern/future.h>
#include <tern/vdm.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

enum {
	THREADS_MAX = 64,
	WINDOW_MAX = 256,
	MEASURE_NS = 3000000 /* each copy is repeated for about so long */
};
const char system_name[] = "tern";
static const size_t cold_bytes = 256u << 20;

typedef void move_fn(char *to, const char *from, size_t n);

static void by_memcpy(char *to, const char *from, size_t n)
{
	memcpy(to, from, n);
}

#if defined(__x86_64__)
static void by_stores(char *to, const char *from, size_t n)
{
	size_t at = 0;

	for (; at + 64 <= n; at += 64)
		for (size_t i = at; i < at + 64; i += 16)
			_mm_stream_si128(
				(__m128i *)(void *)(to + i),
				_mm_loadu_si128((const __m128i *)(const void *)(from + i)));
	memcpy(to + at, from + at, n - at);
	_mm_sfence();
}

static void by_rep(char *to, const char *from, size_t n)
{
	__asm__ __volatile__("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}
#endif

static uint64_t sink;

/* Half of what a copy has to move at least: it reads as much as it writes. */
static void by_reading(char *to, const char *from, size_t n)
{
	uint64_t sums[8] = {0}, words[8];

	for (size_t at = 0; at + 64 <= n; at += 64) {
		memcpy(words, from + at, 64);
		for (int i = 0; i < 8; i++)
			sums[i] ^= words[i];
	}
	for (int i = 0; i < 8; i++)
		__atomic_fetch_xor(&sink, sums[i], __ATOMIC_RELAXED);
}

/* ---- raw, on threads that spin until they are told, which is the fastest way to tell them ---- */

static struct {
	move_fn *move;
	char *to;
	const char *from;
	size_t n;
	unsigned threads, round, left;
	pthread_t ids[THREADS_MAX];
} crew;

static void part(unsigned who)
{
	size_t each = crew.n / crew.threads / 64 * 64, at = who * each;

	crew.move(crew.to + at, crew.from + at, who + 1 == crew.threads ? crew.n - at : each);
}

static void *serve(void *arg)
{
	unsigned who = (unsigned)(uintptr_t)arg, round = 0;

	for (;;) {
		while (__atomic_load_n(&crew.round, __ATOMIC_ACQUIRE) == round)
			;
		round++;
		if (!crew.move)
			return NULL;
		part(who);
		__atomic_fetch_sub(&crew.left, 1, __ATOMIC_RELEASE);
	}
}

static void crew_move(char *to, const char *from, size_t n)
{
	crew.to = to;
	crew.from = from;
	crew.n = n;
	__atomic_store_n(&crew.left, crew.threads - 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&crew.round, 1, __ATOMIC_RELEASE);
	part(0);
	while (__atomic_load_n(&crew.left, __ATOMIC_ACQUIRE))
		;
}

static void crew_start(unsigned threads, move_fn *move)
{
	crew.threads = threads;
	crew.move = move;
	crew.round = 0;
	for (uintptr_t i = 1; i < threads; i++)
		if (pthread_create(&crew.ids[i], NULL, serve, (void *)i))
			die("pthread_create");
}

static void crew_end(void)
{
	crew.move = NULL;
	__atomic_fetch_add(&crew.round, 1, __ATOMIC_RELEASE);
	for (unsigned i = 1; i < crew.threads; i++)
		pthread_join(crew.ids[i], NULL);
}

/* ---- by the mover ---- */

static struct tern_pool *pool;
static struct tern_vdm *vdm;

static void mover_start(uint32_t threads)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_min = threads, .threads_max = threads};
	const struct tern_vdm_pool_opts vdm_opts = {.size = sizeof(vdm_opts), .threads = threads};

	if (tern_pool_create(&pool, &opts) || tern_vdm_pool_create(&vdm, pool, &vdm_opts))
		die("tern_vdm_pool_create");
}

static void mover_end(void)
{
	tern_vdm_pool_destroy(vdm);
	tern_pool_destroy(pool);
}

static void by_mover(char *to, const char *from, size_t n)
{
	struct tern_vdm_op op;

	tern_vdm_prep_memcpy(&op, vdm, to, from, n, 0);
	if (tern_future_poll(&op.future, NULL) != TERN_FUTURE_COMPLETE)
		tern_runtime_wait(&op.future);
	if (op.future.result)
		die("tern_vdm_prep_memcpy");
}

/* ---- copies of one size, one after the other ---- */

static char *source, *target;
static size_t room;

static void *memory(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	memset(p, 1, n);
	return p;
}

/* Nanoseconds a copy. */
static double time_of(move_fn *move, size_t n)
{
	uint64_t from_ns = now_ns(), ns;
	size_t at = 0, count = 0;

	do {
		for (int i = 0; i < (n < 65536 ? 64 : 1); i++, count++) {
			move(target + at, source + at, n);
			at = at + 2 * n <= room ? at + n : 0;
		}
		ns = now_ns() - from_ns;
	} while (ns < MEASURE_NS);
	return (double)ns / (double)count;
}

static void say(const char *system, double ns, double cpu_ns)
{
	printf("{\"system\": \"%s\", \"wall\": %.2f, \"cpu\": %.2f}\n", system, ns, cpu_ns);
}

static void copy(size_t n, unsigned threads, bool cold, unsigned rounds)
{
	static const struct {
		const char *name;
		move_fn *move;
	} raw[] = {
		{"memcpy", by_memcpy},
#if defined(__x86_64__)
		{"non-temporal", by_stores},
		{"rep movsb", by_rep},
#endif
		{"read only", by_reading},
	};

	room = cold && n < cold_bytes ? cold_bytes / n * n : n;
	source = memory(room);
	target = memory(room);
	for (unsigned round = 0; round < rounds; round++) {
		for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
			crew_start(threads, raw[i].move);
			time_of(threads > 1 ? crew_move : raw[i].move, n);
			say(raw[i].name, time_of(threads > 1 ? crew_move : raw[i].move, n), 0);
			crew_end();
		}
		mover_start(threads);
		time_of(by_mover, n);
		say("tern", time_of(by_mover, n), 0);
		mover_end();
	}
}

/* ---- handed over, so many at once ---- */

/* By hand: a queue under a mutex, one thread, two conditions. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, over;
	size_t waiting, done, n;
	bool end;
} hand = {PTHREAD_MUTEX_INITIALIZER,
	  PTHREAD_COND_INITIALIZER,
	  PTHREAD_COND_INITIALIZER,
	  0,
	  0,
	  0,
	  false};

static void *hand_serve(void *arg)
{
	pthread_mutex_lock(&hand.lock);
	for (;;) {
		while (!hand.waiting && !hand.end)
			pthread_cond_wait(&hand.more, &hand.lock);
		if (!hand.waiting)
			break;
		hand.waiting--;
		pthread_mutex_unlock(&hand.lock);
		memcpy(target, source, hand.n);
		pthread_mutex_lock(&hand.lock);
		hand.done++;
		pthread_cond_signal(&hand.over);
	}
	pthread_mutex_unlock(&hand.lock);
	return NULL;
}

static void hand_round(unsigned window)
{
	pthread_mutex_lock(&hand.lock);
	hand.waiting = window;
	hand.done = 0;
	pthread_cond_signal(&hand.more);
	while (hand.done < window)
		pthread_cond_wait(&hand.over, &hand.lock);
	pthread_mutex_unlock(&hand.lock);
}

static void mover_round(unsigned window)
{
	static struct tern_vdm_op ops[WINDOW_MAX];
	static struct tern_future *futures[WINDOW_MAX];

	for (unsigned i = 0; i < window; i++) {
		tern_vdm_prep_memcpy(&ops[i], vdm, target, source, hand.n, 0);
		futures[i] = &ops[i].future;
	}
	tern_runtime_wait_many(futures, window);
}

static void time_rounds(const char *name, void (*fn)(unsigned window), unsigned window)
{
	uint64_t from_ns, cpu_ns, count = 0;

	for (int i = 0; i < 100; i++)
		fn(window);
	from_ns = now_ns();
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (; now_ns() - from_ns < 10 * (uint64_t)MEASURE_NS; count += window)
		fn(window);
	say(name, (double)(now_ns() - from_ns) / (double)count,
	    (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns) / (double)count);
}

static void hand_over(size_t n, unsigned window, unsigned rounds)
{
	pthread_t thread;

	hand.n = n;
	source = memory(n);
	target = memory(n);
	for (unsigned round = 0; round < rounds; round++) {
		hand.end = false;
		if (pthread_create(&thread, NULL, hand_serve, NULL))
			die("pthread_create");
		time_rounds("by hand", hand_round, window);
		pthread_mutex_lock(&hand.lock);
		hand.end = true;
		pthread_cond_signal(&hand.more);
		pthread_mutex_unlock(&hand.lock);
		pthread_join(thread, NULL);
		mover_start(1);
		time_rounds("tern", mover_round, window);
		mover_end();
	}
}

/* ---- a loop ---- */

static struct ev_loop *ev;
static struct tern_loop *loop;
static bool ticking = true;
static uint64_t copies;
static struct tern_vdm_op op;
static struct tern_future_run run;

static void copied(struct tern_future *future, void *user)
{
	copies++;
	if (!ticking)
		return;
	tern_vdm_prep_memcpy(&op, vdm, target, source, room, 0);
	if (tern_future_run(&run, loop, &op.future, copied, NULL))
		die("tern_future_run");
}

static void on_tick(struct ev_loop *e, ev_io *io, int events)
{
	if (probe_answer(io->fd))
		return;
	ticking = false;
	ev_io_stop(e, io);
}

static void away(size_t n, uint64_t ms)
{
	uint64_t first_ns;
	ev_io tick;

	first_ns = now_ns() + 1000000000;
	ev = ev_default_loop(0);
	ev_io_init(&tick, on_tick, probe_start(first_ns, first_ns + ms * 1000000), EV_READ);
	ev_io_start(ev, &tick);
	room = n; /* only now: memory from before the fork would be copied once more, by faults */
	source = memory(n);
	target = memory(n);
	mover_start(2);
	if (tern_loop_create_ev(&loop, ev, NULL))
		die("tern_loop_create_ev");
	copied(NULL, NULL);
	ev_run(ev, 0);
	report_begin("movers");
	report_text("system", "tern");
	report_u64("copies", copies);
	report_probe();
	report_end();
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "copy"))
		copy(number(argv[2]), (unsigned)number(argv[3]), number(argv[4]),
		     (unsigned)number(argv[5]));
	else if (argc == 5 && !strcmp(argv[1], "hand"))
		hand_over(number(argv[2]), (unsigned)number(argv[3]), (unsigned)number(argv[4]));
	else if (argc == 4 && !strcmp(argv[1], "away"))
		away(number(argv[2]), number(argv[3]));
	else
		die("usage: bench-movers copy|hand|away ...");
	return 0;
}
