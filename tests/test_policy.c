/* SPDX-License-Identifier: MIT */
/*
 * Inside: decisions asked one by one: who may look for work, who is called for it, how many a loop
 * lets come together.
 */
#include "../workpool/pool.h"
#include "harness.h"

/* A pool and one of its workers that has run out of work, without any thread. */
static struct tern_pool pool;
static struct tern__worker worker;

static void set(uint32_t cpus, uint32_t awake, uint32_t waiting)
{
	pool = (struct tern_pool){.cpus = cpus, .awake = awake, .waiting = waiting};
	worker = (struct tern__worker){.pool = &pool};
	worker.gap.since_ns = tern__now_ns();
	worker.gap.look_ns = TERN__US;
}

static void a_worker_looks_with_a_cpu_to_spare(void)
{
	set(2, 2, 1);
	ck_assert(tern__policy_search(&worker));
	ck_assert_uint_eq(pool.searching, 0);
	set(2, 2, 0);
	ck_assert(!tern__policy_search(&worker));
	ck_assert_uint_eq(pool.searching, 0);
	set(1, 1, 1);
	ck_assert(!tern__policy_search(&worker));
	set(2, 3, 1);
	ck_assert(!tern__policy_search(&worker));
	set(2, 1, 1);
	worker.gap.look_ns = 0;
	ck_assert(!tern__policy_search(&worker));
}

static void only_one_worker_looks(void)
{
	set(2, 2, 1);
	pool.searching = 1;
	ck_assert(!tern__policy_search(&worker));
	ck_assert_uint_eq(pool.searching, 1);
}

/* A rider that says what the test wants to hear. */
static uint32_t cpus_busy, items_waiting;

static uint32_t busy(struct tern__rider *rider)
{
	return cpus_busy;
}

static uint32_t backlog(struct tern__rider *rider)
{
	return items_waiting;
}

static void nothing(struct tern__rider *rider, enum tern__flush why)
{
}

static const struct tern__rider_ops rider_ops = {
	.flush = nothing, .busy = busy, .backlog = backlog};

static void a_loop_looks_with_a_cpu_to_spare(void)
{
	struct tern_loop *loop = loop_new();
	struct tern__rider rider = {.ops = &rider_ops};

	loop->cpus = 1;
	ck_assert(!tern__spin_has_cpu(loop));
	loop->cpus = 2;
	ck_assert(tern__spin_has_cpu(loop));
	tern__loop_attach(loop, &rider);
	cpus_busy = 1;
	ck_assert(tern__spin_has_cpu(loop));
	cpus_busy = 2;
	ck_assert(!tern__spin_has_cpu(loop));
	tern__loop_detach(loop, &rider);
	tern_loop_destroy(loop);
}

static void *look_for_long(void *loop)
{
	uint64_t now = tern__now_ns();

	ck_assert(tern__spin_look(loop, UINT64_MAX, &now));
	return NULL;
}

static void deliver_nothing(struct tern_node *node)
{
}

/* Of all loops in the process: they share the CPUs. */
static void a_loop_that_looks_takes_a_cpu(void)
{
	struct tern_loop *looks = loop_new(), *asks = loop_new();
	struct tern__rider rider = {.ops = &rider_ops};
	struct tern_node node = {.deliver = deliver_nothing};
	pthread_t thread = thread_new(look_for_long, looks);

	asks->cpus = 2;
	cpus_busy = 1;
	tern__loop_attach(asks, &rider);
	while (tern__spin_has_cpu(asks))
		sched_yield();
	tern__loop_push(looks, &node);
	thread_join(thread);
	ck_assert(tern__spin_has_cpu(asks));
	tern__loop_detach(asks, &rider);
	tern_loop_destroy(looks);
	tern_loop_destroy(asks);
}

static uint32_t awaited(struct tern_loop *loop, uint32_t waiting, uint64_t out, uint32_t lately)
{
	items_waiting = waiting;
	loop->completed = 0;
	loop->submitted_here = out;
	loop->came_lately = lately;
	return tern__coalesce_awaited(loop);
}

static void so_many_come_together(void)
{
	struct tern_loop *loop = loop_new();
	struct tern__rider rider = {.ops = &rider_ops};

	tern__loop_attach(loop, &rider);
	/* a quarter of what waits, of what is out, and no more than came lately */
	ck_assert_uint_eq(awaited(loop, 64, 1000, 1000), 16);
	ck_assert_uint_eq(awaited(loop, 1000, 64, 1000), 16);
	ck_assert_uint_eq(awaited(loop, 1000, 1000, 16), 16);
	ck_assert_uint_eq(awaited(loop, 0, 1000, 1000), 1);
	ck_assert_uint_eq(awaited(loop, 1000, 0, 1000), 1);
	ck_assert_uint_eq(awaited(loop, 1000, 1000, 1), 1);
	/* what came in a time is taken for as many in coalesce_us_max */
	loop->coalesce_ns = 800 * TERN__US;
	tern__coalesce_note(loop, 10, 400 * TERN__US);
	ck_assert_uint_eq(loop->came_lately, 20);
	tern__coalesce_note(loop, 10, 8000 * TERN__US);
	ck_assert_uint_eq(loop->came_lately, 1);
	tern__coalesce_note(loop, UINT32_MAX, 0);
	ck_assert_uint_eq(loop->came_lately, UINT32_MAX);
	loop->submitted_here = loop->completed;
	tern__loop_detach(loop, &rider);
	tern_loop_destroy(loop);
}

#define YOUNG_NS (100 * TERN__US) /* no item is late that soon */

/* The only thread leaves, an item came that long ago: whether who comes in haste starts another. */
static bool starts(enum tern__haste haste, uint64_t ago_ns, struct tern_lane *lane,
		   uint64_t over_ago_ns)
{
	uint64_t now;
	bool start;

	do {
		struct tern_work work;

		set(2, 0, 0);
		pool.threads = pool.leaving = 1;
		pool.threads_max = 2;
		tern_work_init(&work, NULL, NULL);
		now = tern__now_ns();
		if (lane) {
			*lane = (struct tern_lane){.pool = &pool, .running_max = 1, .entered = 1};
			tern_work_set_lane(&work, lane);
		}
		tern__queue_append(&pool, &work, now - ago_ns);
		if (lane) {
			ck_assert_uint_eq(pool.waiting, 0);
			lane->over_ns = now - over_ago_ns;
			tern__lane_leave(lane);
		}
		ck_assert_uint_eq(pool.waiting, 1);
		start = tern__policy_summon(&pool, haste).start;
	} while (tern__now_ns() - now > YOUNG_NS); /* something else had the CPU */
	return start;
}

static void a_turn_starts_a_thread_only_for_old_items(void)
{
	ck_assert(!starts(TERN__HASTE_TURN, 0, NULL, 0));
	ck_assert(starts(TERN__HASTE_TURN, TERN__MS, NULL, 0));
	/* and not before its end */
	ck_assert(!starts(TERN__HASTE_WITHIN, TERN__MS, NULL, 0));
}

/* What a lane held did not wait for a thread until it entered. */
static void what_a_lane_held_is_not_old_by_that(void)
{
	struct tern_lane lane;

	ck_assert(!starts(TERN__HASTE_TURN, 1000 * TERN__MS, &lane, 0));
	ck_assert(starts(TERN__HASTE_TURN, 1000 * TERN__MS, &lane, TERN__MS));
}

static void a_lane_knows_when_one_was_over(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *threads = pool_new(1, 1);
	uint64_t before = tern__now_ns();
	struct tern_lane *lane;
	struct job job;

	ck_assert_int_eq(tern_lane_create(&lane, threads, NULL), 0);
	job_init(&job);
	tern_work_set_lane(&job.work, lane);
	tern_pool_submit(threads, loop, &job.work);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_ge(lane->over_ns, before);
	tern_lane_put(lane);
	tern_pool_destroy(threads);
	tern_loop_destroy(loop);
}

/* Two submitters read their clocks in one order and take the lock in the other. */
static void a_clock_that_comes_late_tells_nothing(void)
{
	struct tern_work work[3];

	set(2, 1, 0);
	for (size_t i = 0; i < COUNT(work); i++)
		tern_work_init(&work[i], NULL, NULL);
	tern__queue_append(&pool, &work[0], 1000);
	tern__queue_append(&pool, &work[1], 1300);
	tern__queue_append(&pool, &work[2], 1200);
	ck_assert_uint_eq(pool.apart_ns, 300);
	ck_assert_uint_eq(pool.came_ns, 1300);
}

/* Who leaves has counted itself out of `awake`. */
static void stand_still(void *user)
{
	const struct tern_pool *own = tern__self()->pool;

	tern_blocking_begin();
	ck_assert_uint_le(tern__load(&own->awake), own->threads_max);
	ck_assert_uint_eq(own->lent, 0);
	tern_blocking_end();
	ck_assert_uint_le(tern__load(&own->awake), own->threads_max);
}

static void a_hook_lends_no_place(void)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .threads_max = 1,
					    .thread_start = stand_still,
					    .thread_stop = stand_still};
	struct tern_pool *own;

	ck_assert_int_eq(tern_pool_create(&own, &opts), 0);
	tern_pool_destroy(own);
}

static bool timed;

static void see_whether_timed(struct tern_work *work)
{
	timed = tern__self()->doing.timed;
}

static void see_whether_surplus(void *user)
{
	ck_assert(!tern__self()->surplus);
}

/* In the place of one that left after many short items, and as one too many. */
static void a_thread_begins_anew(void)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .threads_min = TERN_NONE,
					    .threads_max = 1,
					    .idle_ms_max = TERN_NONE,
					    .thread_start = see_whether_surplus};
	struct tern_loop *loop = loop_new();
	struct tern_pool *own;
	struct tern_work work;

	ck_assert_int_eq(tern_pool_create(&own, &opts), 0);
	tern_work_init(&work, see_whether_timed, ignore_done);
	for (int i = 0; i < 3; i++) {
		while (stats_of(own).threads)
			sched_yield();
		own->workers->timing.rate = 16;
		own->workers->timing.skip = own->workers->timing.left = 7;
		own->workers->gap.slept = false;
		own->workers->surplus = true;
		timed = false;
		tern_pool_submit(own, loop, &work);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert(timed);
		while (stats_of(own).threads)
			sched_yield();
		/* and goes on in the row of 16 */
		ck_assert_uint_eq(own->workers->timing.left + own->workers->timing.skip, 13);
	}
	tern_pool_destroy(own);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"a worker looks with a CPU to spare", a_worker_looks_with_a_cpu_to_spare},
	{"only one worker looks", only_one_worker_looks},
	{"a loop looks with a CPU to spare", a_loop_looks_with_a_cpu_to_spare},
	{"a loop that looks takes a CPU", a_loop_that_looks_takes_a_cpu},
	{"so many come together", so_many_come_together},
	{"a hook lends no place", a_hook_lends_no_place},
	{"a turn starts a thread only for old items", a_turn_starts_a_thread_only_for_old_items},
	{"what a lane held is not old by that", what_a_lane_held_is_not_old_by_that},
	{"a lane knows when one was over", a_lane_knows_when_one_was_over},
	{"a clock that comes late tells nothing", a_clock_that_comes_late_tells_nothing},
	{"a thread begins anew", WITH_STATS(a_thread_begins_anew)},
};

int main(int argc, char **argv)
{
	return run_tests("policy", tests, COUNT(tests), argc, argv);
}
