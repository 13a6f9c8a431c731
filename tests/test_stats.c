/* SPDX-License-Identifier: MIT */
/* What a pool tells of itself is true, and what it estimates is right on average. */
#include "../workpool/pool.h"
#include "harness.h"

#ifdef TERN_STATS
static struct tern_lane_stats stats_of_lane(struct tern_lane *lane)
{
	struct tern_lane_stats stats = {.size = sizeof(stats)};

	ck_assert_int_eq(tern_lane_stats(lane, &stats), 0);
	return stats;
}

/* Rows of 16, whatever becomes of the rate and whoever has slept: no item counts twice or never. */
static void rows_are_counted_whole(void)
{
	static struct tern_pool pool;
	struct tern__worker w = {.pool = &pool, .timing.clock_ns = 1}; /* not its first item */
	unsigned seed = 1, counted = 0, timed = 0, places[16] = {0};

	pool.run_beyond_ns = -1;
	for (unsigned i = 0; i < 160000; i++) {
		bool slept = rand_r(&seed) % 8 == 0, times;

		if (i >= 80000)
			pool.run_beyond_ns = rand_r(&seed) % 2 ? 1 : -1;
		w.gap.slept = slept;
		times = tern__timing_is_due(&w);
		ck_assert(times || (!slept && !w.timing.weight));
		timed += times;
		counted += w.timing.weight;
		if (i < 80000)
			places[i % 16] += w.timing.weight;
		if (i % 16 == 15)
			ck_assert_uint_eq(counted, i + 1);
		if (i == 79999)
			ck_assert_uint_le(timed, i / 4);
	}
	for (unsigned i = 0; i < COUNT(places); i++) {
		ck_assert_uint_gt(places[i], 80000 / 16 * 3 / 4);
		ck_assert_uint_lt(places[i], 80000 / 16 * 5 / 4);
	}
}

/* Runs that drive the rate up and down, by their own length: the sum is right none the less. */
static void the_estimate_is_right_on_average(void)
{
	static struct tern_pool pool;
	struct tern__worker w = {.pool = &pool, .timing.clock_ns = 1}; /* not its first item */
	unsigned seed = 1, every = 0, sampled = 0, n = 4000000;
	double exact = 0, estimate = 0;
	unsigned counted = 0;

	for (unsigned i = 0; i < n; i++) {
		bool busy = i / 777 % 3 == 0;
		uint64_t ns = rand_r(&seed) % (busy ? 50 : 5000) == 0 ? 200 * TERN__US : 100;

		exact += (double)ns;
		if (!tern__timing_is_due(&w))
			continue;
		w.timing.run_ns = ns;
		tern__timing_note(&w);
		counted += w.timing.weight;
		estimate += (double)(w.timing.weight * ns);
		every += w.timing.weight == 1;
		sampled += w.timing.weight == 16;
	}
	ck_assert_uint_eq(counted, n);
	ck_assert_uint_gt(every, n / 100);
	ck_assert_uint_gt(sampled, n / 100);
	ck_assert_double_gt(estimate, 0.95 * exact);
	ck_assert_double_lt(estimate, 1.05 * exact);
}

/* Of items that are short, but every 16th. */
static void short_run(struct tern_work *work)
{
	uint64_t until = tern__now_ns() + 20 * TERN__US;

	while (work->user && tern__now_ns() < until)
		;
}

static void no_pattern_is_in_step(void)
{
	enum {
		N = 16
	};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_work work[N], *all[N];
	struct tern_pool_stats s;

	for (unsigned i = 0; i < N; i++) {
		tern_work_init(&work[i], short_run, ignore_done);
		work[i].user = i == 3 ? work : NULL;
		all[i] = &work[i];
	}
	for (unsigned i = 0; i < 1000; i++) {
		tern_pool_submit_many(pool, loop, all, N);
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	s = stats_of(pool);
	ck_assert_uint_eq(s.started, 1000 * N);
	ck_assert_uint_eq(s.run.count, s.started);
	ck_assert_uint_eq(s.wait.count, s.started);
	ck_assert_uint_ge(tern_histogram_quantile(&s.run, 63.0 / 64), 20 * TERN__US);
	ck_assert_uint_lt(tern_histogram_quantile(&s.run, 0.75), 20 * TERN__US);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

/* Jobs of one lane or none, held in run. */
struct gate {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct tern_lane *lane;
	struct latch go;
	struct job jobs[8];
	unsigned n, in;
};

static void gate_open(struct gate *gate, uint32_t threads)
{
	*gate = (struct gate){.loop = loop_new(), .pool = pool_new(1, threads)};
	latch_init(&gate->go, 1);
}

static void run_without_done(struct tern_work *work)
{
	latch_wait(work->user);
}

static void gate_submit(struct gate *gate, unsigned n)
{
	for (; n; n--) {
		struct job *job = &gate->jobs[gate->n++];

		job_init(job);
		job->waits = &gate->go;
		tern_work_set_lane(&job->work, gate->lane);
		tern_pool_submit(gate->pool, gate->loop, &job->work);
	}
}

static bool so_many_are_in(void *arg)
{
	struct gate *gate = arg;
	struct tern_pool_stats s = stats_of(gate->pool);

	return s.running == gate->in && s.running + s.queued == gate->n;
}

/* Until n of them are in run and the others wait in the pool. */
static void gate_until_in(struct gate *gate, unsigned n)
{
	gate->in = n;
	loop_until(gate->loop, so_many_are_in, gate);
}

static void gate_close(struct gate *gate)
{
	latch_arrive(&gate->go);
	ck_assert_int_eq(tern_loop_run(gate->loop), 0);
}

static void gate_destroy(struct gate *gate)
{
	if (gate->lane)
		tern_lane_put(gate->lane);
	tern_pool_destroy(gate->pool);
	tern_loop_destroy(gate->loop);
}

static void let_3_ms_pass(struct gate *gate)
{
	uint64_t end = tern__now_ns() + 3 * TERN__MS;

	loop_until(gate->loop, is_past, &end);
}

static bool one_is_in(void *arg)
{
	struct gate *gate = arg;

	return stats_of(gate->pool).running == 1;
}

static void who_is_in_an_item_is_running(void)
{
	struct gate gate;
	struct tern_pool_stats s;
	struct tern_work homeless;

	gate_open(&gate, 3);
	ck_assert_uint_eq(stats_of(gate.pool).running, 0);
	gate_submit(&gate, 2);
	gate_until_in(&gate, 2);
	gate_submit(&gate, 3);
	gate_until_in(&gate, 3);
	s = stats_of(gate.pool);
	ck_assert_uint_eq(s.started, 3);
	ck_assert_uint_eq(s.queued, 2);
	ck_assert_uint_eq(s.threads, 3);
	ck_assert_uint_eq(s.run.count, 0);
	gate_close(&gate);
	s = stats_of(gate.pool);
	ck_assert_uint_eq(s.running, 0);
	ck_assert_uint_eq(s.queued, 0);
	ck_assert_uint_eq(s.started, 5);
	/* an item that comes home to nobody */
	latch_init(&gate.go, 1);
	tern_work_init(&homeless, run_without_done, NULL);
	homeless.user = &gate.go;
	tern_pool_submit(gate.pool, NULL, &homeless);
	gate.n = 0;
	loop_until(gate.loop, one_is_in, &gate);
	latch_arrive(&gate.go);
	gate_until_in(&gate, 0);
	ck_assert_uint_eq(stats_of(gate.pool).run.count, 6);
	gate_destroy(&gate);
}

/* The first items of a pool are all timed. */
static void times_are_not_too_short(void)
{
	struct gate gate;
	struct tern_pool_stats s;

	gate_open(&gate, 1);
	ck_assert_uint_eq(stats_of(gate.pool).sample, 1);
	gate_submit(&gate, 3);
	gate_until_in(&gate, 1);
	let_3_ms_pass(&gate);
	gate_close(&gate);
	s = stats_of(gate.pool);
	ck_assert_uint_eq(s.run.count, 3);
	ck_assert_uint_eq(s.run.measured, 3);
	ck_assert_uint_eq(s.wait.count, 3);
	ck_assert_uint_eq(s.wait.measured, 3);
	ck_assert_uint_gt(s.run.longest_ns, 3 * TERN__MS);
	ck_assert_uint_gt(tern_histogram_quantile(&s.run, 1), 3 * TERN__MS);
	ck_assert_uint_ge(s.run.sum_ns, s.run.longest_ns);
	ck_assert_uint_gt(tern_histogram_quantile(&s.wait, 0.5), 3 * TERN__MS);
	ck_assert_uint_gt(s.wait.sum_ns, 6 * TERN__MS);
	gate_destroy(&gate);
}

static void a_lane_counts_its_own(void)
{
	static const struct tern_lane_opts two = {.size = sizeof(two), .running_max = 2};
	struct tern_lane_stats s;
	struct tern_lane *idle;
	struct gate gate;
	struct job other;

	gate_open(&gate, 4);
	ck_assert_int_eq(tern_lane_create(&gate.lane, gate.pool, &two), 0);
	ck_assert_int_eq(tern_lane_create(&idle, gate.pool, NULL), 0);
	gate_submit(&gate, 6);
	gate_until_in(&gate, 2);
	s = stats_of_lane(gate.lane);
	ck_assert_uint_eq(s.running, 2);
	ck_assert_uint_eq(s.queued, 4);
	ck_assert_uint_eq(s.started, 2);
	ck_assert_uint_eq(stats_of(gate.pool).queued, 4);
	ck_assert(tern_work_cancel(&gate.jobs[3].work));
	s = stats_of_lane(gate.lane);
	ck_assert_uint_eq(s.queued, 3);
	ck_assert_uint_eq(s.canceled, 1);
	job_init(&other);
	tern_pool_submit(gate.pool, gate.loop, &other.work);
	let_3_ms_pass(&gate);
	gate_close(&gate);
	s = stats_of_lane(gate.lane);
	ck_assert_uint_eq(s.running, 0);
	ck_assert_uint_eq(s.queued, 0);
	ck_assert_uint_eq(s.started, 5);
	ck_assert_uint_eq(s.canceled, 1);
	ck_assert_uint_eq(s.timed_out, 0);
	ck_assert_uint_eq(s.run.count, 5);
	ck_assert_uint_eq(s.wait.count, 5);
	ck_assert_uint_gt(s.run.longest_ns, 3 * TERN__MS);
	/* three waited with the lane */
	ck_assert_uint_gt(tern_histogram_quantile(&s.wait, 0.5), 3 * TERN__MS);
	ck_assert_uint_eq(stats_of(gate.pool).started, 6);
	ck_assert_uint_eq(stats_of(gate.pool).run.count, 6);
	ck_assert_uint_eq(stats_of_lane(idle).started, 0);
	tern_lane_put(idle);
	gate_destroy(&gate);
}

/* They are started, but in no histogram: they never ran. */
static void too_old_ones(void)
{
	static const struct tern_lane_opts hasty = {
		.size = sizeof(hasty), .running_max = 8, .wait_ms_max = 1};
	struct tern_lane_stats s;
	struct gate gate;

	gate_open(&gate, 1);
	gate_submit(&gate, 1);
	gate_until_in(&gate, 1);
	ck_assert_int_eq(tern_lane_create(&gate.lane, gate.pool, &hasty), 0);
	gate_submit(&gate, 3);
	gate_until_in(&gate, 1);
	let_3_ms_pass(&gate);
	gate_close(&gate);
	s = stats_of_lane(gate.lane);
	ck_assert_uint_eq(s.started, 3);
	ck_assert_uint_eq(s.timed_out, 3);
	ck_assert_uint_eq(s.running, 0);
	ck_assert_uint_eq(s.run.count, 0);
	ck_assert_uint_eq(s.wait.count, 0);
	ck_assert_uint_eq(stats_of(gate.pool).timed_out, 3);
	ck_assert_uint_eq(stats_of(gate.pool).running, 0);
	ck_assert_uint_eq(stats_of(gate.pool).run.count, 1);
	gate_destroy(&gate);
}

static void searches_that_pay_and_that_do_not(void)
{
	static struct tern_pool pool = {.cpus = 2, .awake = 1};
	static struct tern__worker w = {.pool = &pool, .gap = {.since_ns = 1, .look_ns = 1}};

	w.gap.look_ns = 0;
	ck_assert(!tern__policy_search(&w));
	ck_assert_uint_eq(w.tally.searches_failed, 0);
	w.gap.look_ns = 1;
	ck_assert(!tern__policy_search(&w));
	ck_assert_uint_eq(w.tally.searches_failed, 1);
	ck_assert_uint_eq(w.tally.searches_paid, 0);
	pool.waiting = 1;
	ck_assert(tern__policy_search(&w));
	ck_assert_uint_eq(w.tally.searches_failed, 1);
	ck_assert_uint_eq(w.tally.searches_paid, 1);
	/* another one looks */
	pool.searching = 1;
	ck_assert(!tern__policy_search(&w));
	ck_assert_uint_eq(w.tally.searches_failed, 1);
}

/* Asks all the time, while threads come and go. */
struct asker {
	struct tern_pool *pool;
	struct tern_lane *lane;
	unsigned end, asked;
};

static void *ask(void *arg)
{
	struct asker *asker = arg;
	struct tern_pool_stats before = stats_of(asker->pool);

	for (; !atomic_get(&asker->end); asker->asked++) {
		struct tern_pool_stats now = stats_of(asker->pool);
		struct tern_lane_stats lane = stats_of_lane(asker->lane);

		ck_assert_uint_le(now.running + now.idle, now.threads);
		ck_assert_uint_le(lane.running, 2);
		ck_assert_uint_ge(now.started, before.started);
		ck_assert_uint_ge(now.searches_paid, before.searches_paid);
		ck_assert_uint_ge(now.searches_failed, before.searches_failed);
		ck_assert_uint_ge(now.run.count, before.run.count);
		ck_assert_uint_ge(now.wait.sum_ns, before.wait.sum_ns);
		for (unsigned i = 0; i < TERN_HISTOGRAM_BUCKETS; i++)
			ck_assert_uint_ge(now.run.buckets[i], before.run.buckets[i]);
		before = now;
	}
	return NULL;
}

static void nothing_goes_back(void)
{
	static const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_max = 4, .idle_ms_max = TERN_NONE};
	static const struct tern_lane_opts two = {.size = sizeof(two), .running_max = 2};
	struct tern_loop *loop = loop_new();
	struct tern_pool_stats s;
	struct asker asker = {.end = 0};
	struct tern_work work[24];
	unsigned n = scaled(4000);
	pthread_t thread;

	ck_assert_int_eq(tern_pool_create(&asker.pool, &opts), 0);
	ck_assert_int_eq(tern_lane_create(&asker.lane, asker.pool, &two), 0);
	thread = thread_new(ask, &asker);
	for (size_t i = 0; i < COUNT(work); i++) {
		tern_work_init(&work[i], short_run, ignore_done);
		work[i].user = i % 8 ? NULL : work;
		tern_work_set_lane(&work[i], i % 3 ? NULL : asker.lane);
	}
	for (unsigned i = 0; i < n; i++) {
		for (size_t k = 0; k < COUNT(work); k++)
			tern_pool_submit(asker.pool, loop, &work[k]);
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	__atomic_store_n(&asker.end, 1, __ATOMIC_SEQ_CST);
	thread_join(thread);
	s = stats_of(asker.pool);
	ck_assert_uint_eq(s.started, n * COUNT(work));
	ck_assert_uint_eq(stats_of_lane(asker.lane).started, n * COUNT(work) / 3);
	/* each worker has one row that is not full, and workers are as many as threads at most */
	ck_assert_uint_lt(s.run.count, s.started + 16 * (uint64_t)s.threads_peak);
	ck_assert_uint_gt(s.run.count + 16 * (uint64_t)s.threads_peak, s.started);
	tern_lane_put(asker.lane);
	tern_pool_destroy(asker.pool);
	tern_loop_destroy(loop);
}

static void other_versions(void)
{
	struct {
		struct tern_lane_stats stats;
		unsigned char tail[16];
	} longer;
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_lane *lane;

	ck_assert_int_eq(tern_lane_create(&lane, pool, NULL), 0);
	memset(&longer, 0xff, sizeof(longer));
	longer.stats.size = sizeof(longer) - 1;
	ck_assert_int_eq(tern_lane_stats(lane, &longer.stats), 0);
	ck_assert_uint_eq(longer.stats.size, sizeof(longer) - 1);
	ck_assert_uint_eq(longer.stats.run.longest_ns, 0);
	ck_assert_uint_eq(longer.tail[14], 0);
	ck_assert_uint_eq(longer.tail[15], 0xff);
	longer.stats.size = offsetof(struct tern_lane_stats, started);
	longer.stats.started = 12345;
	ck_assert_int_eq(tern_lane_stats(lane, &longer.stats), 0);
	ck_assert_uint_eq(longer.stats.started, 12345);
	longer.stats.size = sizeof(size_t) - 1;
	ck_assert_int_eq(tern_lane_stats(lane, &longer.stats), -EINVAL);
	tern_lane_put(lane);
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"rows are counted whole", rows_are_counted_whole},
	{"the estimate is right on average", the_estimate_is_right_on_average},
	{"no pattern is in step", no_pattern_is_in_step},
	{"who is in an item is running", who_is_in_an_item_is_running},
	{"times are not too short", times_are_not_too_short},
	{"a lane counts its own", a_lane_counts_its_own},
	{"too old ones", too_old_ones},
	{"searches that pay and that do not", searches_that_pay_and_that_do_not},
	{"nothing goes back", nothing_goes_back},
	{"other versions", other_versions},
};
#else
/* Built without: says so, and works. */
static void there_are_none(void)
{
	struct tern_pool_stats stats = {.size = sizeof(stats), .threads = 12345};
	struct tern_lane_stats of_lane = {.size = sizeof(of_lane), .running = 12345};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_lane *lane;
	struct job job;

	ck_assert_int_eq(tern_lane_create(&lane, pool, NULL), 0);
	job_init(&job);
	tern_work_set_lane(&job.work, lane);
	tern_pool_submit(pool, loop, &job.work);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	ck_assert_int_eq(tern_pool_stats(pool, &stats), -ENOTSUP);
	ck_assert_int_eq(tern_lane_stats(lane, &of_lane), -ENOTSUP);
	ck_assert_uint_eq(stats.threads, 12345);
	ck_assert_uint_eq(of_lane.running, 12345);
	tern_lane_put(lane);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"there are none", there_are_none},
};
#endif

int main(int argc, char **argv)
{
	return run_tests("stats", tests, COUNT(tests), argc, argv);
}
