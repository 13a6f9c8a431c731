/* SPDX-License-Identifier: MIT */
/* after_fork: a loop, a pool and lanes of the parent's go on in the child, and in the parent. */
#include <sched.h>
#include <tern/ev.h>

#include "forking.h"

/* -- fork in done, on the loop's thread -- */

struct chain {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct job jobs[4];
	unsigned before; /* how many were done when one forked */
};

static struct chain *chain;
static pid_t forked;
static unsigned rang; /* timers */

static void done_forks(struct tern_work *work)
{
	job_done(work);
	if (forked >= 0)
		return;
	for (size_t i = 0; i < COUNT(chain->jobs); i++)
		chain->before += chain->jobs[i].dones;
	forked = fork_child();
	if (!forked)
		MUST(!tern_loop_after_fork(chain->loop));
}

/* All four wait at home before the first is entered. */
static void chain_open(struct chain *c, tern_work_fn *done, bool prepares)
{
	struct latch ran;

	memset(c, 0, sizeof(*c));
	chain = c;
	forked = -1;
	c->loop = loop_new();
	c->pool = pool_new(1, 1);
	latch_init(&ran, COUNT(c->jobs));
	if (prepares)
		tern_loop_prepare(c->loop);
	for (size_t i = 0; i < COUNT(c->jobs); i++) {
		job_init(&c->jobs[i]);
		c->jobs[i].work.done = done;
		c->jobs[i].arrives = &ran;
		tern_pool_submit(c->pool, c->loop, &c->jobs[i].work);
	}
	tern_loop_flush(c->loop);
	latch_wait(&ran);
	while (stats_of(c->pool).idle != 1)
		sched_yield();
}

static void chain_close(struct chain *c)
{
	reap(forked);
	for (size_t i = 0; i < COUNT(c->jobs); i++)
		ck_assert_uint_eq(c->jobs[i].dones, 1);
	work_through(c->pool, c->loop);
	tern_loop_destroy(c->loop);
	tern_pool_destroy(c->pool);
}

/* The child, when the callback has returned: nothing of the parent's comes any more. */
static void chain_in_child(struct chain *c)
{
	struct tern_pool *pool = child_pool();
	unsigned dones = 0;

	MUST(!tern_loop_alive(c->loop) && !tern_loop_run(c->loop));
	for (size_t i = 0; i < COUNT(c->jobs); i++)
		dones += c->jobs[i].dones;
	MUST(dones == c->before);
	work_through(pool, c->loop);
	if (THREADS_IN_CHILD) {
		MUST(!tern_pool_after_fork(c->pool)); /* it was idle */
		work_through(c->pool, c->loop);
	}
	tern_loop_destroy(c->loop);
	tern_pool_destroy(c->pool);
	child_pool_destroy(pool);
	_exit(EXIT_SUCCESS);
}

static void fork_in_done_of_dispatch(void)
{
	struct chain c;

	chain_open(&c, done_forks, false);
	while (tern_loop_alive(c.loop))
		tern_loop_dispatch(c.loop, 0);
	if (!forked)
		chain_in_child(&c);
	chain_close(&c);
}

static void fork_in_done_of_prepare(void)
{
	struct chain c;

	chain_open(&c, done_forks, true);
	ck_assert_int_eq(tern_loop_run(c.loop), 0);
	if (!forked)
		chain_in_child(&c);
	chain_close(&c);
}

static void on_timer(struct tern_timer *timer)
{
	chain->before++;
	if (chain->before == 1) {
		forked = fork_child();
		if (!forked)
			MUST(!tern_loop_after_fork(chain->loop));
	}
}

static void fork_in_a_timer(void)
{
	struct tern_timer both[2];
	struct chain c;

	chain_open(&c, job_done, true);
	for (int i = 0; i < 2; i++) {
		tern_timer_init(&both[i], on_timer);
		tern_timer_start(c.loop, &both[i], 0);
	}
	ck_assert_int_eq(tern_loop_run(c.loop), 0);
	ck_assert_uint_eq(c.before, 2); /* in the child too: they are its own */
	if (!forked) {
		for (size_t i = 0; i < COUNT(c.jobs); i++)
			MUST(!c.jobs[i].dones);
		_exit(EXIT_SUCCESS);
	}
	chain_close(&c);
}

static void is_expected(const char *line)
{
	MUST(rang < 2 && strstr(line, "tern_loop_dispatch") &&
	     strstr(line, "tern_loop_after_fork"));
	_exit(EXIT_SUCCESS);
}

static void done_returns(struct tern_work *work)
{
	job_done(work);
	if (forked >= 0)
		return;
	forked = fork_child();
	if (!forked)
		tern_set_fatal(is_expected);
}

static void back_to_the_parents_loop(void)
{
	struct chain c;

	chain_open(&c, done_returns, true);
	ck_assert_int_eq(tern_loop_run(c.loop), 0);
	ck_assert_int_gt(forked, 0);
	chain_close(&c);
}

/* -- an idle loop and pool -- */

static struct tern_loop *own_loop;
static struct tern_pool *own_pool;

static void wait_idle(unsigned threads)
{
	while (stats_of(own_pool).idle != threads)
		sched_yield();
}

static void idle_open(uint32_t threads_min, uint32_t threads_max)
{
	own_loop = loop_new();
	own_pool = pool_new(threads_min, threads_max);
	work_through(own_pool, own_loop);
	wait_idle(stats_of(own_pool).threads);
	while (!tern_loop_prepare(own_loop))
		;
}

static void idle_close(void)
{
	work_through(own_pool, own_loop);
	tern_loop_destroy(own_loop);
	tern_pool_destroy(own_pool);
}

static void adopt_pool_first(void *arg)
{
	struct tern_pool_stats stats;
	const unsigned *threads = arg;

	MUST(!tern_pool_after_fork(own_pool) && !tern_pool_after_fork(own_pool));
	stats = stats_of(own_pool);
	MUST(stats.threads == *threads && stats.queued == 0);
	MUST(stats.threads_created <= stats.threads_exited + *threads);
	MUST(!tern_loop_after_fork(own_loop));
	idle_close();
}

static void adopt_loop_first(void *arg)
{
	struct tern_lane *lane = NULL;

	MUST(!tern_loop_after_fork(own_loop) && !tern_pool_after_fork(own_pool));
	MUST(!tern_lane_create(&lane, own_pool, NULL));
	tern_lane_put(lane);
	idle_close();
}

static void adopt_pool_alone(void *arg)
{
	struct tern_loop *other = own_loop;

	own_loop = loop_new();
	MUST(!tern_pool_after_fork(own_pool));
	idle_close();
	tern_loop_destroy(other); /* with its port into what was the pool */
}

static void grandchild(void *arg)
{
	adopt_pool_first(arg);
}

static void adopt_and_fork(void *arg)
{
	MUST(!tern_pool_after_fork(own_pool) && !tern_loop_after_fork(own_loop));
	work_through(own_pool, own_loop);
	wait_idle(stats_of(own_pool).threads);
	in_child(grandchild, arg);
	idle_close();
}

static void only_fork(void *arg)
{
	in_child(grandchild, arg);
	MUST(tern_pool_stats(own_pool, NULL) == -ECHILD);
}

static void pools_and_loops_go_on_in_a_child(void)
{
	unsigned threads = 3;

	idle_open(threads, threads);
	in_child(adopt_pool_first, &threads);
	in_child(adopt_loop_first, NULL);
	in_child(adopt_pool_alone, NULL);
	in_child(adopt_and_fork, &threads);
	in_child(only_fork, &threads);
	ck_assert_int_eq(tern_pool_after_fork(own_pool), 0);
	ck_assert_int_eq(tern_loop_after_fork(own_loop), 0);
	ck_assert(!is_readable(own_loop, 0));
	idle_close();
}

static void a_pool_that_keeps_none(void)
{
	unsigned threads = 1;

	idle_open(TERN_NONE, 4);
	in_child(adopt_pool_first, &threads);
	idle_close();
}

static void lanes_go_on(void *arg)
{
	struct tern_lane *lane = arg;
	struct job job;

	MUST(!tern_pool_after_fork(own_pool) && !tern_loop_after_fork(own_loop));
	job_init(&job);
	tern_work_set_lane(&job.work, lane);
	for (int i = 0; i < 3; i++) {
		job.runs = job.dones = 0;
		tern_pool_submit(own_pool, own_loop, &job.work);
		MUST(!tern_loop_run(own_loop) && job.dones == 1);
	}
	tern_lane_put(lane);
	idle_close();
}

static void lanes_of_the_parent(void)
{
	struct tern_lane *lane;

	idle_open(1, 2);
	ck_assert_int_eq(tern_lane_create(&lane, own_pool, NULL), 0);
	in_child(lanes_go_on, lane);
	tern_lane_put(lane);
	idle_close();
}

/* -- descriptors, timers, holds -- */

static void told(struct tern_post *post)
{
	atomic_bump(post->user);
}

static struct tern_timer timers[2];
static void ring(struct tern_timer *timer)
{
	rang++;
}

static void *post_to(void *arg)
{
	tern_loop_post(own_loop, arg);
	return NULL;
}

static void timers_ring(void *arg)
{
	struct tern_post post;
	unsigned told_times = 0;

	MUST(!tern_loop_after_fork(own_loop) && tern_loop_alive(own_loop));
	MUST(tern_timer_stop(&timers[0]));
	tern_post_init(&post, told);
	post.user = &told_times;
	if (THREADS_IN_CHILD)
		thread_join(thread_new(post_to, &post));
	else
		post_to(&post);
	MUST(is_readable(own_loop, 0));
	tern_loop_release(own_loop);
	MUST(!tern_loop_run(own_loop));
	MUST(rang == 1 && told_times == 1);
	tern_loop_destroy(own_loop);
}

static void writes_and_ends(void *arg)
{
	struct tern_post post;

	MUST(!tern_loop_after_fork(own_loop));
	tern_post_init(&post, told);
	post_to(&post);
	MUST(is_readable(own_loop, 0));
}

static void timers_are_forgotten(void *arg)
{
	MUST(!tern_loop_after_fork(own_loop));
	tern_loop_release(own_loop);
	MUST(!tern_loop_alive(own_loop));
	tern_timer_init(&timers[1], ring);
	tern_timer_start(own_loop, &timers[1], 0);
	MUST(!tern_loop_run(own_loop) && rang == 1);
	tern_loop_destroy(own_loop);
}

static void destroys_as_it_is(void *arg)
{
	tern_loop_destroy(own_loop);
}

static void *fork_elsewhere(void *arg)
{
	in_child(timers_are_forgotten, NULL);
	in_child(destroys_as_it_is, NULL);
	return NULL;
}

static void timers_and_holds_stay(void)
{
	own_loop = loop_new();
	tern_loop_prepare(own_loop);
	tern_loop_hold(own_loop);
	for (size_t i = 0; i < COUNT(timers); i++)
		tern_timer_init(&timers[i], ring);
	rang = 0;
	tern_timer_start(own_loop, &timers[0], UINT64_MAX);
	tern_timer_start(own_loop, &timers[1], 0);
	in_child(timers_ring, NULL);
	in_child(writes_and_ends, NULL);
	ck_assert(!is_readable(own_loop, 0));
	in_child(destroys_as_it_is, NULL);
	thread_join(thread_new(fork_elsewhere, NULL));
	ck_assert(!is_readable(own_loop, 0));
	tern_loop_release(own_loop);
	ck_assert(tern_timer_stop(&timers[0]));
	ck_assert_int_eq(tern_loop_run(own_loop), 0);
	ck_assert_uint_eq(rang, 1);
	tern_loop_destroy(own_loop);
}

/* -- libev -- */

static struct ev_loop *ev;

static bool has_come_home(void *arg)
{
	const struct job *job = arg;

	return job->dones;
}

/* ev_run returns when nothing is outstanding, so it is a test of alive as well. */
static void ev_round(void)
{
	struct job jobs[50];

	for (size_t i = 0; i < COUNT(jobs); i++) {
		job_init(&jobs[i]);
		tern_pool_submit(own_pool, own_loop, &jobs[i].work);
	}
	ev_run(ev, 0);
	for (size_t i = 0; i < COUNT(jobs); i++)
		if (!has_come_home(&jobs[i]))
			abort();
}

static void ev_adopts(void *arg)
{
	ev_loop_fork(ev);
	MUST(!tern_loop_after_fork(own_loop));
	own_pool = child_pool();
	for (int i = 0; i < 10; i++)
		ev_round();
	tern_loop_destroy(own_loop);
	ev_loop_destroy(ev);
}

static void ev_destroys(void *arg)
{
	tern_loop_destroy(own_loop);
	ev_loop_fork(ev);
	ev_run(ev, 0); /* nothing keeps it */
	ev_loop_destroy(ev);
}

static void on_libev(void)
{
	struct latch in_run, go;
	struct job job;

	ev = ev_loop_new(EVBACKEND_EPOLL);
	ck_assert_int_eq(tern_loop_create_ev(&own_loop, ev, NULL), 0);
	own_pool = pool_new(1, 2);
	ev_round();
	latch_init(&in_run, 1);
	latch_init(&go, 1);
	job_init(&job);
	job.arrives = &in_run;
	job.waits = &go;
	tern_pool_submit(own_pool, own_loop, &job.work);
	latch_wait(&in_run);
	in_child(ev_destroys, NULL);
	in_child(ev_adopts, NULL);
	in_child(ev_destroys, NULL);
	latch_arrive(&go);
	ev_run(ev, 0);
	ck_assert_uint_eq(job.dones, 1);
	for (int i = 0; i < 10; i++)
		ev_round();
	tern_loop_destroy(own_loop);
	ev_loop_destroy(ev);
	tern_pool_destroy(own_pool);
}

static void timer_returns(struct tern_timer *timer)
{
	rang++;
	if (rang > 1)
		return;
	forked = fork_child();
	if (!forked)
		tern_set_fatal(is_expected);
}

static void back_from_a_timer(void)
{
	own_loop = loop_new();
	rang = 0;
	for (size_t i = 0; i < COUNT(timers); i++) {
		tern_timer_init(&timers[i], timer_returns);
		tern_timer_start(own_loop, &timers[i], 0);
	}
	ck_assert_int_eq(tern_loop_run(own_loop), 0);
	MUST(forked); /* the child does not come here */
	ck_assert_uint_eq(rang, 2);
	reap(forked);
	tern_loop_destroy(own_loop);
}

static unsigned kept;

static void keep(void *user, bool on)
{
	kept = on;
}

static void adopts_bound(void *arg)
{
	MUST(kept == 1 && !tern_loop_after_fork(own_loop) && !kept);
}

static void a_binding_is_told(void)
{
	const struct tern_loop_binding binding = {.size = sizeof(binding), .alive = keep};
	struct job job;

	own_loop = loop_new();
	ck_assert_int_eq(tern_loop_bind(own_loop, &binding, NULL), 0);
	tern_loop_prepare(own_loop);
	job_init(&job);
	tern_pool_submit(NULL, own_loop, &job.work);
	in_child(adopts_bound, NULL);
	ck_assert_int_eq(tern_loop_run(own_loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	tern_loop_destroy(own_loop);
}

static struct latch heard;

static void is_stuck(void *user, tern_work_fn *run, void *item_user, uint32_t ms)
{
	if (item_user == &heard) /* a tiny one may have been kept from its CPU */
		latch_arrive(&heard);
}

/* An item that is over when the watchdog has told of it. */
static void wait_for_watchdog(void)
{
	struct job stuck;

	latch_init(&heard, 1);
	quiet_init(&stuck);
	stuck.waits = &heard;
	stuck.work.user = &heard;
	tern_pool_submit(own_pool, own_loop, &stuck.work);
	MUST(!tern_loop_run(own_loop));
	MUST(stuck.dones == 1);
}

static void adopt_watched(void *arg)
{
	MUST(!tern_loop_after_fork(own_loop) && !tern_pool_after_fork(own_pool));
	wait_for_watchdog();
	idle_close();
}

static void put_watched(void *arg)
{
	tern_pool_put(own_pool);
	tern_loop_destroy(own_loop);
}

static void a_pool_with_a_watchdog(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.run_ms_warn = 1,
		.stuck = is_stuck,
	};

	own_loop = loop_new();
	ck_assert_int_eq(tern_pool_create(&own_pool, &opts), 0);
	wait_for_watchdog(); /* a thread that just starts may hold locks of a sanitizer's */
	in_child(put_watched, NULL);
	in_child(adopt_watched, NULL);
	idle_close();
}

static const struct test tests[] = {
	{"fork in done, from dispatch", WITH_STATS(fork_in_done_of_dispatch)},
	{"fork in done, from prepare", WITH_STATS(fork_in_done_of_prepare)},
	{"fork in a timer", WITH_STATS(fork_in_a_timer)},
	{"back to the parent's loop from done is fatal", WITH_STATS(back_to_the_parents_loop)},
	{"so is going back from a timer", back_from_a_timer},
	{"timers and holds stay, unless another thread forked", timers_and_holds_stay},
	{"a binding is told that nothing is out", a_binding_is_told},
	{"the parent's epoll set is left alone", on_libev},
	{"an idle pool and its loop go on in the child",
	 WITH_STATS(pools_and_loops_go_on_in_a_child)},
	{"so does a pool that keeps no threads", WITH_STATS(a_pool_that_keeps_none)},
	{"so do lanes", WITH_STATS(lanes_of_the_parent)},
	{"so does a watchdog", a_pool_with_a_watchdog},
};

int main(int argc, char **argv)
{
	return run_fork_tests("after_fork", tests, COUNT(tests), 4, argc, argv);
}
