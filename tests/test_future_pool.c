/* SPDX-License-Identifier: MIT */
/* Work items and lookups as futures, on a loop and without one. */
#include "forking.h"
#include "futures.h"
#include "wrapped.h"

/* What takes the place of the C library's in this program (see meson.build). */
WRAPPED(int, getaddrinfo, const char *node, const char *service, const struct addrinfo *hints,
	struct addrinfo **result);

static const struct {
	const char *node;
	int error;
	int64_t result;
} answers[] = {
	{"again.example", EAI_AGAIN, -EAGAIN},	 {"memory.example", EAI_MEMORY, -ENOMEM},
	{"system.example", EAI_SYSTEM, -EMFILE}, {"noname.example", EAI_NONAME, -ENOENT},
	{"fail.example", EAI_FAIL, -ENOENT},
};

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **result)
{
	for (size_t i = 0; i < COUNT(answers); i++) {
		if (!node || strcmp(node, answers[i].node) != 0)
			continue;
		*result = (struct addrinfo *)(void *)&answers; /* anything may be there */
		errno = EMFILE;
		return answers[i].error;
	}
	return __real_getaddrinfo(node, service, hints, result);
}

struct task {
	struct tern_work_future work;
	struct latch *arrives, *waits;
	unsigned runs;
	bool asks; /* returns whether it was cancelled */
	int64_t result;
	struct tern_loop *home;
	pthread_t ran_on;
};

static int64_t carry_out(struct tern_work_future *w)
{
	struct task *t = tern_container_of(w, struct task, work);

	t->runs++;
	t->ran_on = pthread_self();
	t->home = tern_work_home(&w->work);
	if (t->arrives)
		latch_arrive(t->arrives);
	if (t->waits)
		latch_wait(t->waits);
	return t->asks ? tern_future_canceled(&w->future) : t->result;
}

static void task_init(struct task *t, struct tern_pool *pool, int64_t result)
{
	*t = (struct task){.result = result};
	tern_work_future_init(&t->work, pool, carry_out);
}

/* Through a loop, or waited for. */
static int64_t come(struct tern_loop *loop, struct tern_future *f)
{
	struct came came = {.dones = 0};
	struct tern_future_run run;

	if (!loop)
		return tern_runtime_wait(f);
	ck_assert_int_eq(tern_future_run(&run, loop, f, note_came, &came), 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(came.dones, 1);
	return came.result;
}

static void run_once_on_a_worker(void)
{
	struct tern_pool *pool = pool_new(1, 2);
	struct tern_loop *loop = loop_new();
	struct task t;

	for (int on_loop = 0; on_loop <= 1; on_loop++) {
		struct tern_loop *home = on_loop ? loop : NULL;

		task_init(&t, pool, INT64_C(1) << 40);
		ck_assert(tern_future_has_property(&t.work.future, TERN_FUTURE_ASYNC));
		ck_assert_int_eq(come(home, &t.work.future), INT64_C(1) << 40);
		ck_assert_uint_eq(t.runs, 1);
		ck_assert(!pthread_equal(t.ran_on, pthread_self()));
		ck_assert_ptr_eq(t.home, home);
		task_init(&t, pool, -EDOM);
		ck_assert_int_eq(come(home, &t.work.future), -EDOM);
	}
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void what_cannot_be_submitted_says_so(void)
{
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_loop *loop = loop_new();
	struct task t;

	task_init(&t, NULL, 4);
	ck_assert_int_eq(come(NULL, &t.work.future), -EINVAL);
	task_init(&t, NULL, 4); /* no pool: on the loop */
	ck_assert_int_eq(come(loop, &t.work.future), 4);
	ck_assert(pthread_equal(t.ran_on, pthread_self()));
	task_init(&t, pool, 4);
	t.work.run = NULL;
	ck_assert_int_eq(come(NULL, &t.work.future), -EINVAL);
	task_init(&t, pool, 4);
	t.work.work.priority = 9;
	ck_assert_int_eq(come(loop, &t.work.future), -EINVAL);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

/* A pool whose one thread is busy until `go`. */
struct busy {
	struct tern_pool *pool;
	struct tern_loop *loop;
	struct task task;
	struct latch there, go;
	struct tern_future_run run;
	struct came came;
};

static void busy_begin(struct busy *b)
{
	b->pool = pool_new(1, 1);
	b->loop = loop_new();
	b->came = (struct came){.dones = 0};
	latch_init(&b->there, 1);
	latch_init(&b->go, 1);
	task_init(&b->task, b->pool, 1);
	b->task.arrives = &b->there;
	b->task.waits = &b->go;
	b->task.asks = true;
	ck_assert_int_eq(
		tern_future_run(&b->run, b->loop, &b->task.work.future, note_came, &b->came), 0);
	tern_loop_prepare(b->loop);
	tern_loop_flush(b->loop);
	latch_wait(&b->there);
}

static void busy_end(struct busy *b)
{
	ck_assert_int_eq(tern_loop_run(b->loop), 0);
	ck_assert_uint_eq(b->came.dones, 1);
	tern_pool_destroy(b->pool);
	tern_loop_destroy(b->loop);
}

static void cancel_in_each_state(void)
{
	struct busy b;
	struct task t[3];
	struct tern_future_run run;
	struct came came = {.dones = 0};

	busy_begin(&b);
	task_init(&t[0], b.pool, 1); /* never polled */
	tern_future_cancel(&t[0].work.future);
	ck_assert_int_eq(tern_runtime_wait(&t[0].work.future), -ECANCELED);
	task_init(&t[1], b.pool, 1); /* waits for a worker, without home */
	ck_assert_int_eq(tern_future_poll(&t[1].work.future, NULL), TERN_FUTURE_RUNNING);
	tern_future_cancel(&t[1].work.future);
	ck_assert_int_eq(tern_runtime_wait(&t[1].work.future), -ECANCELED);
	task_init(&t[2], b.pool, 1); /* the same with one */
	ck_assert_int_eq(tern_future_run(&run, b.loop, &t[2].work.future, note_came, &came), 0);
	tern_loop_prepare(b.loop);
	tern_future_run_cancel(&run);
	while (!came.dones)
		tern_loop_prepare(b.loop);
	ck_assert_int_eq(came.result, -ECANCELED);
	ck_assert_uint_eq(t[0].runs + t[1].runs + t[2].runs, 0);
	/* and the one that runs, which is told of it and comes to its end */
	ck_assert_uint_eq(b.came.dones, 0);
	tern_future_run_cancel(&b.run);
	tern_loop_prepare(b.loop);
	tern_loop_prepare(b.loop);
	ck_assert_uint_eq(b.came.dones, 0);
	latch_arrive(&b.go);
	busy_end(&b);
	ck_assert_int_eq(b.came.result, true);
}

static void one_without_home_that_runs_is_told_too(void)
{
	struct tern_pool *pool = pool_new(1, 1);
	struct latch there, go;
	struct task t;

	latch_init(&there, 1);
	latch_init(&go, 1);
	task_init(&t, pool, 0);
	t.arrives = &there;
	t.waits = &go;
	t.asks = true;
	ck_assert_int_eq(tern_future_poll(&t.work.future, NULL), TERN_FUTURE_RUNNING);
	latch_wait(&there);
	tern_future_cancel(&t.work.future);
	ck_assert_int_eq(tern_future_poll(&t.work.future, NULL), TERN_FUTURE_RUNNING);
	latch_arrive(&go);
	ck_assert_int_eq(tern_runtime_wait(&t.work.future), true);
	tern_pool_destroy(pool);
}

static void one_that_waited_too_long_is_not_run(void)
{
	const struct tern_lane_opts opts = {.size = sizeof(opts), .wait_ms_max = 1};
	struct busy b;
	struct task t;
	struct tern_lane *lane;
	struct tern_future_run run;
	struct came came = {.dones = 0};
	uint64_t later;

	busy_begin(&b);
	ck_assert_int_eq(tern_lane_create(&lane, b.pool, &opts), 0);
	task_init(&t, b.pool, 1);
	tern_work_set_lane(&t.work.work, lane);
	ck_assert_int_eq(tern_future_run(&run, b.loop, &t.work.future, note_came, &came), 0);
	tern_loop_flush(b.loop);
	tern_lane_put(lane);
	later = now_ns() + 5 * MS;
	loop_until(b.loop, is_past, &later);
	latch_arrive(&b.go);
	busy_end(&b);
	ck_assert_int_eq(came.result, -ETIMEDOUT);
	ck_assert_uint_eq(t.runs, 0);
}

#define MANY 1000

static void a_thousand_joined_and_freed_at_once(void)
{
	struct tern_pool *pool = pool_new(2, 4);
	struct tern_loop *loop = loop_new();
	struct tern_future *futures[MANY];
	struct tern_join join;

	for (unsigned round = 0; round < scaled(20); round++) {
		struct task *tasks = malloc(MANY * sizeof(*tasks));

		for (unsigned i = 0; i < MANY; i++) {
			task_init(&tasks[i], pool, 0);
			futures[i] = &tasks[i].work.future;
		}
		tern_join_init(&join, futures, MANY);
		ck_assert_int_eq(come(round % 2 ? loop : NULL, &join.future), 0);
		for (unsigned i = 0; i < MANY; i++)
			ck_assert_uint_eq(tasks[i].runs, 1);
		spoil(tasks, MANY * sizeof(*tasks));
	}
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void be_the_child(void *arg)
{
	struct busy *b = arg;
	struct task t;
	struct tern_future_run run;
	struct came came = {.dones = 0};

	task_init(&t, b->pool, 3);
	MUST(tern_runtime_wait(&t.work.future) == -ECHILD);
	MUST(!tern_loop_after_fork(b->loop));
	task_init(&t, b->pool, 3);
	MUST(!tern_future_run(&run, b->loop, &t.work.future, note_came, &came));
	MUST(!tern_loop_run(b->loop));
	MUST(came.dones == 1 && came.result == -ECHILD && !t.runs);
}

static void a_child_cannot_use_its_parents_pool(void)
{
	struct busy b;

	busy_begin(&b);
	in_child(be_the_child, &b);
	latch_arrive(&b.go);
	busy_end(&b);
}

static void lookups(void)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_STREAM};
	struct tern_pool *pool = pool_new(1, 2);
	struct tern_loop *loop = loop_new();
	struct tern_resolve_future r;

	for (int on_loop = 0; on_loop <= 1; on_loop++) {
		struct tern_loop *home = on_loop ? loop : NULL;

		tern_resolve_future_init(&r, pool);
		r.node = "192.0.2.7";
		r.service = "80";
		r.hints = &hints;
		ck_assert_int_eq(come(home, &r.work.future), 0);
		ck_assert_int_eq(r.error, 0);
		ck_assert_ptr_nonnull(r.result);
		freeaddrinfo(r.result);
		for (size_t i = 0; i < COUNT(answers); i++) {
			tern_resolve_future_init(&r, pool);
			r.node = answers[i].node;
			ck_assert_int_eq(come(home, &r.work.future), answers[i].result);
			ck_assert_int_eq(r.error, answers[i].error);
			ck_assert_ptr_null(r.result);
		}
		tern_resolve_future_init(&r, pool);
		tern_future_cancel(&r.work.future);
		ck_assert_int_eq(come(home, &r.work.future), -ECANCELED);
		ck_assert_int_eq(r.error, 0);
	}
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"run once, on a worker; with the loop as home, if there is one", run_once_on_a_worker},
	{"what cannot be submitted says so", what_cannot_be_submitted_says_so},
	{"cancel in each state", cancel_in_each_state},
	{"one without home that runs is told, too", one_without_home_that_runs_is_told_too},
	{"one that waited too long is not run", one_that_waited_too_long_is_not_run},
	{"a thousand, joined, and freed at once", a_thousand_joined_and_freed_at_once},
	{"a child cannot use its parent's pool", a_child_cannot_use_its_parents_pool},
	{"lookups, and what their errors become", lookups},
};

int main(int argc, char **argv)
{
	return run_tests("work as futures", tests, COUNT(tests), argc, argv);
}
