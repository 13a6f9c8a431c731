/* SPDX-License-Identifier: MIT */
/* Programming errors with pools and items: one fatal line that names the call and the item. */
#include "harness.h"

static struct tern_loop *loop;
static struct tern_pool *pool;
static struct job job, stuck;
static struct latch arrived, never;

/* A loop, a pool whose only thread is stuck for ever, and an item that is ready to go. */
static void set_scene(bool prepared)
{
	loop = loop_new();
	pool = pool_new(1, 1);
	latch_init(&arrived, 1);
	latch_init(&never, 1);
	job_init(&job);
	job_init(&stuck);
	stuck.arrives = &arrived;
	stuck.waits = &never;
	if (prepared)
		tern_loop_prepare(loop);
	tern_pool_submit(pool, loop, &stuck.work);
	latch_wait(&arrived);
}

static void submit_twice(void)
{
	set_scene(true);
	tern_pool_submit(pool, loop, &job.work);
	expect_fatal("tern_pool_submit", &job.work);
	tern_pool_submit(pool, loop, &job.work);
}

static void submit_running(void)
{
	set_scene(true);
	expect_fatal("tern_pool_submit", &stuck.work);
	tern_pool_submit(pool, loop, &stuck.work);
}

static void submit_many_with_a_double(void)
{
	struct tern_work *list[] = {&job.work, &stuck.work};

	set_scene(true);
	expect_fatal("tern_pool_submit_many", &stuck.work);
	tern_pool_submit_many(pool, loop, list, 2);
}

static void submit_uninitialised(void)
{
	set_scene(true);
	memset(&job, 0xa5, sizeof(job));
	expect_fatal("tern_pool_submit", &job.work);
	tern_pool_submit(pool, loop, &job.work);
}

static void submit_without_run(void)
{
	set_scene(true);
	tern_work_init(&job.work, NULL, job_done);
	expect_fatal("tern_pool_submit", &job.work);
	tern_pool_submit(pool, loop, &job.work);
}

static void submit_without_home(void)
{
	set_scene(true);
	expect_fatal("tern_pool_submit", &job.work);
	tern_pool_submit(pool, NULL, &job.work);
}

static void submit_without_pool_and_home(void)
{
	set_scene(true);
	job.work.done = NULL;
	expect_fatal("tern_pool_submit", &job.work);
	tern_pool_submit(NULL, NULL, &job.work);
}

static void submit_after_put(void)
{
	set_scene(false);
	tern_pool_put(pool);
	expect_fatal("tern_pool_submit", &job.work);
	tern_pool_submit(pool, loop, &job.work);
}

static void submit_after_put_batched(void)
{
	set_scene(true);
	tern_pool_put(pool);
	expect_fatal("tern_pool_submit", &job.work);
	tern_pool_submit(pool, loop, &job.work);
}

static void submit_many_after_put(void)
{
	struct tern_work *list[] = {&job.work};

	set_scene(true);
	tern_pool_put(pool);
	expect_fatal("tern_pool_submit_many", &job.work);
	tern_pool_submit_many(pool, loop, list, 1);
}

static void put_twice(void)
{
	set_scene(true);
	tern_pool_put(pool);
	expect_fatal("tern_pool_put", pool);
	tern_pool_put(pool);
}

static void destroy_while_others_hold(void)
{
	set_scene(true);
	tern_pool_get(pool);
	expect_fatal("tern_pool_destroy", pool);
	tern_pool_destroy(pool);
}

static void destroy_own_pool(struct tern_work *work)
{
	expect_fatal("tern_pool_destroy", work->user);
	tern_pool_destroy(work->user);
}

static void destroy_by_a_worker(void)
{
	loop = loop_new();
	pool = pool_new(1, 1);
	tern_work_init(&job.work, destroy_own_pool, job_done);
	job.work.user = pool;
	tern_pool_submit(pool, loop, &job.work);
	tern_loop_run(loop);
}

static void loop_with_work_running(void)
{
	set_scene(false);
	expect_fatal("tern_loop_destroy", loop);
	tern_loop_destroy(loop);
}

/* Of items that lie with the loop or in the queue, the line tells which. */
static void loop_with_work_in_outbox(void)
{
	set_scene(true);
	tern_loop_prepare(loop);
	tern_pool_submit(pool, loop, &job.work);
	expect_fatal("tern_loop_destroy", &job.work);
	tern_loop_destroy(loop);
}

static void loop_with_work_in_queue(void)
{
	set_scene(true);
	tern_pool_submit(pool, loop, &job.work);
	tern_loop_flush(loop);
	expect_fatal("tern_loop_destroy", &job.work);
	tern_loop_destroy(loop);
}

static void loop_with_work_come_home(void)
{
	set_scene(true);
	latch_arrive(&never);
	tern_pool_destroy(pool);
	expect_fatal("tern_loop_destroy", loop);
	tern_loop_destroy(loop);
}

static void submit_user(struct tern_post *post)
{
	tern_pool_submit(pool, loop, &job.work);
}

static void loop_whose_last_post_submits(void)
{
	struct tern_post post;

	loop = loop_new();
	pool = pool_new(1, 1);
	job_init(&job);
	tern_post_init(&post, submit_user);
	tern_loop_post(loop, &post);
	expect_fatal("tern_loop_destroy", loop);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"fatal: submit twice", submit_twice},
	{"fatal: submit a running item", submit_running},
	{"fatal: submit many with a double", submit_many_with_a_double},
	{"fatal: submit what was not initialised", submit_uninitialised},
	{"fatal: submit without run", submit_without_run},
	{"fatal: submit with done without home", submit_without_home},
	{"fatal: submit without pool and home", submit_without_pool_and_home},
	{"fatal: submit after put", submit_after_put},
	{"fatal: submit after put, from the loop", submit_after_put_batched},
	{"fatal: submit many after put", submit_many_after_put},
	{"fatal: put twice", put_twice},
	{"fatal: destroy a pool that others hold", destroy_while_others_hold},
	{"fatal: destroy a pool in its own thread", destroy_by_a_worker},
	{"fatal: destroy a loop with work running", loop_with_work_running},
	{"fatal: destroy a loop with work in its outbox", loop_with_work_in_outbox},
	{"fatal: destroy a loop with work in the queue", loop_with_work_in_queue},
	{"fatal: destroy a loop with work come home", loop_with_work_come_home},
	{"fatal: destroy a loop whose last post submits", loop_whose_last_post_submits},
};

int main(int argc, char **argv)
{
	return run_tests("misuse", tests, COUNT(tests), argc, argv);
}
