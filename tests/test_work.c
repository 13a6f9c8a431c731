/* SPDX-License-Identifier: MIT */
/* An item's way: submitted, run once on a worker, completed once at home; with no pool, at home. */
#include <poll.h>

#include "harness.h"

static void goes_out_and_comes_home(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct job job;

	job_init(&job);
	ck_assert_ptr_null(job.work.user);
	job.work.user = &job;
	tern_pool_submit(pool, loop, &job.work);
	ck_assert_ptr_eq(tern_work_home(&job.work), loop);
	ck_assert(tern_loop_alive(loop));
	ck_assert_uint_eq(job.dones, 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	ck_assert_uint_eq(job.runs, 1);
	ck_assert_int_eq(job.status, 0);
	ck_assert_ptr_eq(job.work.user, &job);
	ck_assert(pthread_equal(job.done_on, pthread_self()));
	ck_assert(!pthread_equal(job.ran_on, pthread_self()));
	ck_assert(!tern_loop_alive(loop));
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

/* Items that note the order in which they are started, and finished. */
struct step {
	struct tern_work work;
	unsigned number, *started, *finished;
};

static void start_in_order(struct tern_work *work)
{
	struct step *step = tern_container_of(work, struct step, work);

	ck_assert_uint_eq(step->number, (*step->started)++);
}

static void finish(struct tern_work *work)
{
	struct step *step = tern_container_of(work, struct step, work);

	++*step->finished;
}

static void many_at_once_in_order(void)
{
	enum {
		N = 300
	};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct step steps[N];
	struct tern_work **list = calloc(N, sizeof(struct tern_work *));
	unsigned started = 0, finished = 0;

	tern_loop_prepare(loop);
	for (unsigned i = 0; i < N; i++) {
		steps[i] = (struct step){.number = i, .started = &started, .finished = &finished};
		tern_work_init(&steps[i].work, start_in_order, finish);
		list[i] = &steps[i].work;
	}
	tern_pool_submit_many(pool, loop, list, 0);
	tern_pool_submit_many(pool, loop, list, 100);
	for (unsigned i = 100; i < 200; i++)
		tern_pool_submit(pool, loop, list[i]);
	tern_pool_submit_many(pool, loop, list + 200, 100);
	memset(list, 0xa5, N * sizeof(list[0]));
	free(list);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(finished, N);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

/* One thread submits in every way there is; the order of starting is the order of submitting. */
static void one_order_for_all_ways(void)
{
	enum {
		N = 40
	};
	struct tern_loop *loop = loop_new(), *other = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct latch arrived, go;
	struct step steps[N];
	unsigned started = 0, finished = 0;
	struct job stuck;

	latch_init(&arrived, 1);
	latch_init(&go, 1);
	job_init(&stuck);
	stuck.arrives = &arrived;
	stuck.waits = &go;
	tern_loop_prepare(loop);
	tern_pool_submit(pool, loop, &stuck.work);
	latch_wait(&arrived);
	for (unsigned i = 0; i < N; i++) {
		struct tern_work *work = &steps[i].work;

		steps[i] = (struct step){.number = i, .started = &started, .finished = &finished};
		tern_work_init(work, start_in_order, i % 4 == 1 ? NULL : finish);
		if (i % 4 == 0)
			tern_pool_submit(pool, loop, work);
		else if (i % 4 == 1)
			tern_pool_submit(pool, NULL, work);
		else if (i % 4 == 2)
			tern_pool_submit_many(pool, loop, &work, 1);
		else
			tern_pool_submit(pool, other, work);
	}
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(tern_loop_run(other), 0);
	tern_pool_destroy(pool);
	ck_assert_uint_eq(started, N);
	ck_assert_uint_eq(finished, N / 4 * 3);
	tern_loop_destroy(loop);
	tern_loop_destroy(other);
}

static void run_and_free(struct tern_work *work)
{
	struct latch *all = work->user;

	memset(work, 0xa5, sizeof(*work));
	free(work);
	latch_arrive(all);
}

static void without_done_it_is_free_in_run(void)
{
	enum {
		N = 1000
	};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(2, 4);
	struct latch all;

	latch_init(&all, N);
	tern_loop_prepare(loop);
	for (unsigned i = 0; i < N; i++) {
		struct tern_work *work = malloc(sizeof(*work));

		tern_work_init(work, run_and_free, NULL);
		work->user = &all;
		tern_pool_submit(pool, i % 2 ? loop : NULL, work);
	}
	ck_assert(!tern_loop_alive(loop));
	latch_wait(&all);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void done_and_free(struct tern_work *work)
{
	unsigned *n = work->user;

	memset(work, 0xa5, sizeof(*work));
	free(work);
	++*n;
}

static void free_in_done(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(2, 4);
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct tern_work *work = malloc(sizeof(*work));

		tern_work_init(work, run_nothing, done_and_free);
		work->user = &n;
		tern_pool_submit(i % 3 ? pool : NULL, loop, work);
	}
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(n, 1000);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

struct again {
	struct tern_work work;
	struct tern_pool *pools[3];
	struct tern_loop *loop;
	unsigned left;
	bool inside;
};

static void submit_again(struct tern_work *work)
{
	struct again *again = tern_container_of(work, struct again, work);

	ck_assert(!again->inside);
	ck_assert_int_eq(work->status, 0);
	if (!--again->left)
		return;
	again->inside = true;
	tern_pool_submit(again->pools[again->left % 3], again->loop, work);
	again->inside = false;
}

static void submit_in_done(void)
{
	struct again again = {.pools = {pool_new(1, 2), pool_new(TERN_NONE, 1), NULL},
			      .loop = loop_new(),
			      .left = 3000};

	tern_work_init(&again.work, run_nothing, submit_again);
	tern_pool_submit(again.pools[0], again.loop, &again.work);
	ck_assert_int_eq(tern_loop_run(again.loop), 0);
	ck_assert_uint_eq(again.left, 0);
	tern_loop_destroy(again.loop);
	tern_pool_destroy(again.pools[0]);
	tern_pool_destroy(again.pools[1]);
}

/* No pool. */

struct line {
	struct tern_loop *loop;
	struct tern_work work[6];
	unsigned ran, done, more;
	bool inside;
};

static void run_in_line(struct tern_work *work)
{
	struct line *line = work->user;

	ck_assert(!line->inside);
	ck_assert_ptr_eq(work, &line->work[line->ran++]);
	if (line->more && line->ran <= 3) {
		struct tern_work *next = &line->work[2 + line->ran];

		line->inside = true;
		tern_pool_submit(NULL, line->loop, next);
		line->inside = false;
	}
}

static void done_in_line(struct tern_work *work)
{
	struct line *line = work->user;

	ck_assert_ptr_eq(work, &line->work[line->done++]);
	ck_assert_uint_eq(line->done, line->ran);
}

static void line_init(struct line *line, struct tern_loop *loop)
{
	*line = (struct line){.loop = loop};
	for (size_t i = 0; i < COUNT(line->work); i++) {
		tern_work_init(&line->work[i], run_in_line, done_in_line);
		line->work[i].user = line;
	}
}

static void no_pool_in_order(void)
{
	struct tern_loop *loop = loop_new();
	struct line line;

	line_init(&line, loop);
	for (size_t i = 0; i < COUNT(line.work); i++)
		tern_pool_submit(NULL, loop, &line.work[i]);
	ck_assert_uint_eq(line.ran, 0);
	ck_assert(tern_loop_alive(loop));
	ck_assert_int_eq(tern_loop_dispatch(loop, 2), 2);
	ck_assert_uint_eq(line.done, 2);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(line.done, 6);
	tern_loop_destroy(loop);
}

static void no_pool_and_the_next_round(void)
{
	struct tern_loop *loop = loop_new();
	struct line line;

	line_init(&line, loop);
	line.more = 1;
	for (size_t i = 0; i < 3; i++)
		tern_pool_submit(NULL, loop, &line.work[i]);
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 3);
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 3);
	ck_assert_uint_eq(line.done, 6);
	tern_loop_destroy(loop);
}

static void *submit_line(void *arg)
{
	struct line *line = arg;
	struct tern_work *list[COUNT(line->work)];

	for (size_t i = 0; i < COUNT(list); i++)
		list[i] = &line->work[i];
	tern_pool_submit_many(NULL, line->loop, list, COUNT(list));
	tern_loop_release(line->loop);
	return NULL;
}

static void no_pool_from_another_thread(void)
{
	struct tern_loop *loop = loop_new();
	struct line line;
	pthread_t thread;

	line_init(&line, loop);
	tern_loop_hold(loop);
	thread = thread_new(submit_line, &line);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(line.done, 6);
	thread_join(thread);
	tern_loop_destroy(loop);
}

static void no_pool_no_done(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_work *work = malloc(sizeof(*work));
	struct latch all;

	latch_init(&all, 1);
	tern_work_init(work, run_and_free, NULL);
	work->user = &all;
	tern_pool_submit(NULL, loop, work);
	ck_assert(!tern_work_cancel(work));
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(all.left, 0);
	tern_loop_destroy(loop);
}

/* Between turns of the loop, a submission without pool must make the descriptor readable. */
static void no_pool_wakes_a_poll(void)
{
	struct tern_loop *loop = loop_new();
	struct pollfd p = {.fd = tern_loop_fd(loop), .events = POLLIN};
	struct job job;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(tern_loop_prepare(loop), -1);
		job_init(&job);
		tern_pool_submit(NULL, loop, &job.work);
		ck_assert_int_eq(poll(&p, 1, -1), 1);
		ck_assert_int_eq(tern_loop_dispatch(loop, 0), 1);
		ck_assert_uint_eq(job.dones, 1);
	}
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"goes out and comes home", goes_out_and_comes_home},
	{"many at once, in order", many_at_once_in_order},
	{"one order for all ways to submit", one_order_for_all_ways},
	{"without done it is free in run", without_done_it_is_free_in_run},
	{"free in done", free_in_done},
	{"submit again in done, to this pool and others", submit_in_done},
	{"no pool: in order, never inside the call", no_pool_in_order},
	{"no pool: what is added waits for the next round", no_pool_and_the_next_round},
	{"no pool: from another thread", no_pool_from_another_thread},
	{"no pool: no done", no_pool_no_done},
	{"no pool: wakes a poll", no_pool_wakes_a_poll},
};

int main(int argc, char **argv)
{
	return run_tests("work", tests, COUNT(tests), argc, argv);
}
