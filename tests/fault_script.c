/* SPDX-License-Identifier: MIT */
/*
 * A script of some two hundred operations, in which the pool reaches threads_max twice, is run
 * again and again; each time another call to the system fails, or several in a row. Nothing may be
 * lost, leaked or called twice, and creation says what was refused.
 */
#include <poll.h>
#include <sched.h>

#include "fault.h"
#include "harness.h"

#define MAX   3
#define ITEMS 80

/* check allocates: no assertion of its own while calls fail. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fault_disarm();                                                            \
			ck_abort_msg("kind %d, call %u, %u in a row: %s", kind, first, in_a_row,   \
				     #condition);                                                  \
		}                                                                                  \
	} while (0)

static enum fault_kind kind;
static unsigned first, in_a_row;

static struct tern_loop *loop;
static struct tern_pool *pool;
static unsigned ran[2 * ITEMS], done[2 * ITEMS], canceled, started, stopped, gone, others, stuck;
static struct tern_work items[2 * ITEMS];
static struct latch go;

static void on_start(void *user)
{
	atomic_bump(&started);
}

static void on_stop(void *user)
{
	atomic_bump(&stopped);
}

static void on_gone(void *user)
{
	atomic_bump(&gone);
}

static void run_item(struct tern_work *work)
{
	atomic_bump(&ran[work - items]);
}

static void run_stuck(struct tern_work *work)
{
	run_item(work);
	atomic_bump(&stuck);
	latch_wait(&go);
}

static void item_done(struct tern_work *work)
{
	done[work - items]++;
	canceled += work->status == -ECANCELED;
	REQUIRE(ran[work - items] == !work->status);
}

static void count_post(struct tern_post *post)
{
	others++;
}

static void count_timer(struct tern_timer *timer)
{
	others++;
}

static void turn(void)
{
	struct pollfd p = {.fd = tern_loop_fd(loop), .events = POLLIN};
	int64_t ns = tern_loop_prepare(loop);

	poll(&p, 1, ns ? 1 : 0);
}

static void run_loop(void)
{
	while (tern_loop_alive(loop))
		turn();
}

/* Constructors are tried until they succeed; each failure must be the one that was injected. */
static void create_loop(void)
{
	const struct tern_loop_opts opts = {.size = sizeof(opts), .batch_max = 5};
	int e;

	do {
		unsigned before = fault_hits();

		loop = NULL;
		e = tern_loop_create(&loop, &opts);
		REQUIRE(!e || (fault_hits() > before && e == -fault_errno(kind) && !loop));
	} while (e);
}

static void create_pool(uint32_t min, cpu_set_t *cpus)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = min,
		.threads_max = MAX,
		.idle_ms_max = 1,
		.affinity = cpus,
		.affinity_size = sizeof(*cpus),
		.thread_start = on_start,
		.thread_stop = on_stop,
		.gone = on_gone,
	};
	int e;

	do {
		unsigned before = fault_hits();

		pool = NULL;
		e = tern_pool_create(&pool, &opts);
		REQUIRE(!e || (fault_hits() > before && e == -fault_errno(kind) && !pool));
		REQUIRE(!gone);
		REQUIRE(!e || started == stopped);
	} while (e);
}

/* As many stuck items as there may be threads; without a failure there are that many. */
static void reach_max(unsigned from)
{
	unsigned before = fault_hits();

	stuck = 0;
	latch_init(&go, 1);
	for (unsigned i = from; i < from + MAX; i++) {
		tern_work_init(&items[i], run_stuck, item_done);
		tern_pool_submit(pool, loop, &items[i]);
	}
	while (atomic_get(&stuck) < MAX && fault_hits() == before)
		turn();
	latch_arrive(&go);
	run_loop();
}

static void all_kinds_of_things(unsigned from)
{
	struct tern_work *list[10];
	struct tern_timer timers[10];
	struct tern_post posts[10];

	for (unsigned i = from; i < from + ITEMS - MAX; i++) {
		tern_work_init(&items[i], run_item, item_done);
		if (i % 4 == 0)
			turn();
		tern_pool_submit(i % 9 ? pool : NULL, loop, &items[i]);
		if (i % 6 == 5)
			tern_work_cancel(&items[i]);
	}
	for (unsigned i = 0; i < COUNT(list); i++) {
		list[i] = &items[from + ITEMS - MAX - 1 - i];
		tern_timer_init(&timers[i], count_timer);
		tern_timer_start(loop, &timers[i], i * 10000);
		tern_post_init(&posts[i], count_post);
		tern_loop_post(loop, &posts[i]);
	}
	run_loop();
	/* some once more */
	for (unsigned i = 0; i < COUNT(list); i++)
		ran[list[i] - items] = done[list[i] - items] = 0;
	tern_pool_submit_many(pool, loop, list, COUNT(list));
	run_loop();
	while (others < COUNT(list) * 2)
		turn();
	others = 0;
}

static bool has_idled(uint32_t min)
{
	struct tern_pool_stats s = {.size = sizeof(s)};

	tern_pool_stats(pool, &s);
	return s.threads == min && s.idle == min;
}

static void script(uint32_t min, cpu_set_t *cpus)
{
	struct tern_pool_stats s = {.size = sizeof(s)};
	const uint32_t kept = min == TERN_NONE ? 0 : min;

	memset(ran, 0, sizeof(ran));
	memset(done, 0, sizeof(done));
	started = stopped = gone = canceled = 0;
	create_loop();
	create_pool(min, cpus);
	for (unsigned round = 0; round < 2; round++) {
		all_kinds_of_things(round * ITEMS);
		reach_max((round + 1) * ITEMS - MAX);
		tern_pool_stats(pool, &s);
		REQUIRE(s.threads_peak <= MAX && (s.threads_peak == MAX || fault_hits()));
		while (!has_idled(kept))
			turn();
		/* the loop of the second round is another one */
		tern_loop_destroy(loop);
		create_loop();
	}
	REQUIRE(s.threads_failed <= fault_hits());
	tern_pool_put(pool);
	while (!atomic_get(&gone))
		turn();
	tern_loop_destroy(loop);
	for (unsigned i = 0; i < 2 * ITEMS; i++)
		REQUIRE(done[i] == 1);
	REQUIRE(started == stopped && gone == 1);
}

/* The last thread may still be on its way out of pthread code: its memory is libc's, not counted.
 */
static void fail_every_call(enum fault_kind what, unsigned at_once)
{
	static const uint32_t mins[] = {1, 2, TERN_NONE};
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	kind = what;
	in_a_row = at_once;
	for (size_t i = 0; i < COUNT(mins); i++) {
		unsigned hits = 1;

		for (first = 1; hits; first++) {
			long memory = fault_memory();

			fault_arm(kind, first, in_a_row);
			script(mins[i], &cpus);
			hits = fault_disarm();
			while (fault_memory() != memory)
				sched_yield();
		}
	}
}

static void malloc_fails(void)
{
	fail_every_call(FAULT_MALLOC, 1);
	fail_every_call(FAULT_MALLOC, 4);
}

static void memalign_fails(void)
{
	fail_every_call(FAULT_MEMALIGN, 1);
	fail_every_call(FAULT_MEMALIGN, 4);
}

static void eventfd_fails(void)
{
	fail_every_call(FAULT_EVENTFD, 1);
	fail_every_call(FAULT_EVENTFD, 4);
}

static void a_thread_fails(void)
{
	fail_every_call(FAULT_THREAD, 1);
}

static void threads_fail(void)
{
	fail_every_call(FAULT_THREAD, 3);
}

static void attributes_fail(void)
{
	fail_every_call(FAULT_ATTRIBUTE, 1);
	fail_every_call(FAULT_ATTRIBUTE, 2);
}

static void mutex_fails(void)
{
	fail_every_call(FAULT_MUTEX, 1);
	fail_every_call(FAULT_MUTEX, 4);
}

static const struct test tests[] = {
	{"malloc fails, each time and several times", WITH_STATS(malloc_fails)},
	{"posix_memalign fails, each time and several times", WITH_STATS(memalign_fails)},
	{"eventfd fails, each time and several times", WITH_STATS(eventfd_fails)},
	{"pthread_create fails, each time", WITH_STATS(a_thread_fails)},
	{"pthread_create fails several times", WITH_STATS(threads_fail)},
	{"thread attributes fail, each time and twice", WITH_STATS(attributes_fail)},
	{"pthread_mutex_init fails, each time and several times", WITH_STATS(mutex_fails)},
};

int main(int argc, char **argv)
{
	return run_tests("script with faults", tests, COUNT(tests), argc, argv);
}
