/* SPDX-License-Identifier: MIT */
/* Forks in the middle of a storm, from each kind of thread, and what the children make of it. */
#include <sched.h>

#include "forking.h"

#define ITEMS 200

static struct tern_loop *loop;
static struct tern_pool *pool;
static struct tern_lane *lane;
static struct job jobs[ITEMS];
static unsigned forks_left, stop;
static pid_t main_process;

/* -- whether an item is out is never mistaken -- */

static unsigned finished;

static void run_counts(struct tern_work *work)
{
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

static void wait_a_little(unsigned n)
{
	for (volatile unsigned i = 0; i < n * 16; i++)
		;
}

static void ask_while_out(unsigned items)
{
	pid_t child = fork_child();

	if (!child) {
		int e = tern_pool_after_fork(pool);

		MUST(e == -EBUSY || (!e && atomic_get(&finished) == items));
		_exit(EXIT_SUCCESS);
	}
	reap(child);
}

static void ask_when_home(struct tern_work *work)
{
	struct job *job = tern_container_of(work, struct job, work);
	unsigned *left = work->user;
	pid_t child;

	job->dones++;
	if (--*left)
		return;
	child = fork_child();
	if (!child) {
		MUST(!tern_pool_after_fork(pool));
		_exit(EXIT_SUCCESS);
	}
	reap(child);
}

static void what_is_out_is_seen(bool laned)
{
	unsigned rounds = scaled(3000);

	loop = loop_new();
	pool = pool_new(1, 2);
	ck_assert_int_eq(tern_lane_create(&lane, pool, NULL), 0);
	tern_loop_prepare(loop);
	for (unsigned round = 0; round < rounds; round++) {
		unsigned n = 1 + round % 3, left = n;

		finished = 0;
		for (unsigned i = 0; i < n; i++) {
			tern_work_init(&jobs[i].work, run_counts, ask_when_home);
			jobs[i].work.user = &left;
			tern_work_set_lane(&jobs[i].work, laned ? lane : NULL);
			tern_pool_submit(pool, loop, &jobs[i].work);
		}
		if (round % 2)
			tern_loop_flush(loop);
		wait_a_little(round);
		ask_while_out(n);
		ck_assert_int_eq(tern_loop_run(loop), 0);
	}
	tern_lane_put(lane);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static void seen_in_queues(void)
{
	what_is_out_is_seen(false);
}

static void seen_in_lanes(void)
{
	what_is_out_is_seen(true);
}

/* -- a storm -- */

static void own_work(struct tern_loop *home)
{
	struct tern_loop *own = home;
	struct tern_pool *p = child_pool();

	MUST(home || !tern_loop_create(&own, NULL));
	work_through(p, own);
	child_pool_destroy(p);
	if (!home)
		tern_loop_destroy(own);
}

static void close_as_it_is(void)
{
	tern_lane_put(lane);
	tern_pool_put(pool);
	tern_loop_destroy(loop);
}

/* One of the things that a child may do, in turn. Does not return. */
static void live(unsigned n, bool in_dispatch)
{
	struct job job;

	switch (MEMORY_IN_CHILD ? n % 5 : n % 3 + 2) {
	case 0:
		_exit(EXIT_SUCCESS);
	case 1:
		own_work(NULL);
		break;
	case 2:
		MUST(!tern_loop_after_fork(loop));
		if (MEMORY_IN_CHILD)
			own_work(loop);
		break;
	case 3:
		tern_work_init(&job.work, run_counts, NULL);
		MUST(tern_pool_try_submit(pool, NULL, &job.work) == -ECHILD);
		break;
	default:
		MUST(!tern_work_cancel(&jobs[n % ITEMS].work));
	}
	if (!in_dispatch && MEMORY_IN_CHILD)
		close_as_it_is();
	_exit(EXIT_SUCCESS);
}

static bool is_my_turn(unsigned *n)
{
	unsigned left = atomic_get(&forks_left);

	while (left) {
		if (__atomic_compare_exchange_n(&forks_left, &left, left - 1, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			*n = left;
			return true;
		}
	}
	return false;
}

static void fork_one(bool in_dispatch)
{
	pid_t child;
	unsigned n;

	if (!is_my_turn(&n))
		return;
	child = fork_child();
	if (!child)
		live(n, in_dispatch);
	reap(child);
}

static void storm_run(struct tern_work *work)
{
	struct job *job = tern_container_of(work, struct job, work);

	if (++job->runs % 64 == 0)
		fork_one(false);
}

static void storm_done(struct tern_work *work)
{
	struct job *job = tern_container_of(work, struct job, work);

	MUST(getpid() == main_process);
	job->dones += !work->status;
	MUST(job->dones == job->runs);
	if (job->dones % 64 == 32)
		fork_one(true);
	if (atomic_get(&forks_left) || !atomic_get(&stop))
		tern_pool_submit(pool, loop, work);
	else
		return;
	if ((job - jobs) % 3 == 0)
		tern_work_cancel(work); /* so that the guard is held now and then */
}

static void *third(void *arg)
{
	while (atomic_get(&forks_left))
		fork_one(false);
	atomic_bump(&stop);
	return NULL;
}

static void storm(void)
{
	pthread_t thread;

	main_process = getpid();
	forks_left = scaled(2000);
	stop = 0;
	loop = loop_new();
	pool = pool_new(2, 4);
	ck_assert_int_eq(tern_lane_create(&lane, pool, NULL), 0);
	for (size_t i = 0; i < ITEMS; i++) {
		tern_work_init(&jobs[i].work, storm_run, storm_done);
		if (i % 4 == 0)
			tern_work_set_lane(&jobs[i].work, lane);
		jobs[i].work.priority = (uint8_t)(i % 3);
		tern_pool_submit(pool, loop, &jobs[i].work);
	}
	thread = thread_new(third, NULL);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	thread_join(thread);
	tern_lane_put(lane);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"forks in a storm", storm},
	{"what is out is seen, in queues", seen_in_queues},
	{"what is out is seen, in lanes", seen_in_lanes},
};

int main(int argc, char **argv)
{
	return run_fork_tests("fork in a storm", tests, COUNT(tests), 2, argc, argv);
}
