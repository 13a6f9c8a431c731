/* SPDX-License-Identifier: MIT */
/* fork: what a child may do with the loops and pools of its parent, and what the parent notices. */
#include <poll.h>
#include <sched.h>

#include "forking.h"

/* A pool of one thread, which is in run; items that wait for it, and one that a lane holds back. */
struct busy {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct tern_lane *lane;
	struct latch in_run, go;
	struct job running, queued[2], laned[2], inline_job;
};

static unsigned hooks;

static void hook(void *user)
{
	atomic_bump(&hooks);
}

static void busy_open(struct busy *b, bool prepares)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_max = 1,
		.queue_max = TERN_NONE,
		.thread_stop = hook,
		.gone = hook,
	};

	hooks = 0;
	b->loop = loop_new();
	ck_assert_int_eq(tern_pool_create(&b->pool, &opts), 0);
	ck_assert_int_eq(tern_lane_create(&b->lane, b->pool, NULL), 0);
	if (prepares)
		tern_loop_prepare(b->loop);
	latch_init(&b->in_run, 1);
	latch_init(&b->go, 1);
	job_init(&b->running);
	b->running.arrives = &b->in_run;
	b->running.waits = &b->go;
	tern_pool_submit(b->pool, b->loop, &b->running.work);
	latch_wait(&b->in_run);
	for (size_t i = 0; i < 2; i++) {
		job_init(&b->queued[i]);
		job_init(&b->laned[i]);
		tern_work_set_lane(&b->laned[i].work, b->lane);
		tern_pool_submit(b->pool, b->loop, &b->queued[i].work);
		tern_pool_submit(b->pool, b->loop, &b->laned[i].work);
	}
	job_init(&b->inline_job);
	tern_pool_submit(NULL, b->loop, &b->inline_job.work);
}

/* The parent: all comes home once, whatever a child did. */
static void busy_close(struct busy *b)
{
	ck_assert_uint_eq(hooks, 0);
	latch_arrive(&b->go);
	ck_assert_int_eq(tern_loop_run(b->loop), 0);
	ck_assert_uint_eq(b->running.dones, 1);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(b->queued[i].dones, 1);
		ck_assert_uint_eq(b->laned[i].dones, 1);
		ck_assert_int_eq(b->laned[i].status, 0);
	}
	ck_assert_uint_eq(b->inline_job.dones, 1);
	tern_loop_destroy(b->loop);
	tern_lane_put(b->lane);
	tern_pool_destroy(b->pool);
	ck_assert_uint_eq(hooks, 2);
}

#ifdef TERN_STATS
#define NO_STATS (-ECHILD)
#else
#define NO_STATS (-ENOTSUP)
#endif

static void answers(void *arg)
{
	struct busy *b = arg;
	struct tern_pool_stats stats = {.size = sizeof(stats), .wakes = 77};
	struct tern_lane *lane = NULL;
	struct job job;

	MUST(tern_lane_create(&lane, b->pool, NULL) == -ECHILD && !lane);
	MUST(tern_pool_stats(b->pool, &stats) == NO_STATS && stats.wakes == 77);
	MUST(tern_lane_stats(b->lane, NULL) == NO_STATS);
	MUST(tern_pool_dump(b->pool, STDERR_FILENO) == -ECHILD);
	job_init(&job);
	MUST(tern_pool_try_submit(b->pool, NULL, &job.work) == -ECHILD);
	tern_work_set_lane(&job.work, b->lane);
	MUST(tern_pool_try_submit(b->pool, NULL, &job.work) == -ECHILD);
	MUST(tern_pool_after_fork(b->pool) == -EBUSY);
	MUST(tern_pool_after_fork(b->pool) == -EBUSY);
	MUST(!tern_work_canceled());
}

static void counts(struct tern_resolve *r)
{
	MUST(r->error == EAI_SYSTEM && r->system_error == ECHILD);
	atomic_bump(r->user);
}

static void told(struct tern_post *post)
{
	atomic_bump(post->user);
}

/* What comes home with -ECHILD, in a loop of the child's own. */
static void give_back(void *arg)
{
	struct busy *b = arg;
	struct tern_loop *loop = NULL;
	struct tern_pool *pool = child_pool();
	struct tern_work *all[2], lone;
	struct tern_resolve look;
	struct tern_post post;
	struct job jobs[4];
	unsigned looked = 0, room = 0;

	MUST(!tern_loop_create(&loop, NULL));
	for (int i = 0; i < 4; i++)
		job_init(&jobs[i]);
	tern_pool_submit(b->pool, loop, &jobs[0].work);
	tern_work_set_lane(&jobs[1].work, b->lane);
	tern_pool_submit(b->pool, loop, &jobs[1].work);
	all[0] = &jobs[2].work;
	all[1] = &jobs[3].work;
	tern_pool_submit_many(b->pool, loop, all, 2);
	tern_work_init(&lone, job_run, NULL);
	tern_pool_submit(b->pool, NULL, &lone);
	tern_pool_submit(b->pool, NULL, &lone); /* is ours again */
	tern_resolve_init(&look, counts);
	look.user = &looked;
	tern_resolve(b->pool, loop, &look);
	tern_post_init(&post, told);
	post.user = &room;
	tern_pool_notify_room(b->pool, loop, &post);
	MUST(!tern_work_cancel(&jobs[0].work));
	MUST(!jobs[0].dones && !looked && !room);
	MUST(!tern_loop_run(loop));
	for (int i = 0; i < 4; i++)
		MUST(jobs[i].status == -ECHILD && jobs[i].dones == 1 && !jobs[i].runs);
	MUST(looked == 1 && room == 1);
	work_through(pool, loop);
	tern_loop_destroy(loop);
	child_pool_destroy(pool);
}

static void cancel_all(const struct busy *b)
{
	struct busy *own = (struct busy *)b;

	MUST(!tern_work_cancel(&own->running.work));
	for (size_t i = 0; i < 2; i++) {
		MUST(!tern_work_cancel(&own->queued[i].work));
		MUST(!tern_work_cancel(&own->laned[i].work));
	}
	MUST(!tern_work_cancel(&own->inline_job.work));
}

static void cancels(void *arg)
{
	struct busy *b = arg;

	cancel_all(b);
	tern_lane_put(b->lane);
	tern_loop_destroy(b->loop);
	tern_pool_put(b->pool);
	cancel_all(b); /* whose memory is still here, unlike its pool's */
	MUST(!hooks);
}

static void destroys(void *arg)
{
	struct busy *b = arg;
	struct tern_timer timer;

	MUST(tern_pool_get(b->pool) == b->pool);
	tern_pool_destroy(b->pool);
	tern_pool_put(b->pool);
	MUST(tern_pool_try_submit(b->pool, NULL, &b->running.work) == -ECHILD); /* lane, loop */
	tern_lane_put(b->lane);
	MUST(!tern_loop_after_fork(b->loop));
	tern_timer_init(&timer, NULL);
	MUST(!tern_timer_stop(&timer) && !tern_loop_alive(b->loop));
	tern_loop_destroy(b->loop);
	MUST(!hooks);
}

static void adopts_the_loop(void *arg)
{
	struct busy *b = arg;
	int fd = tern_loop_fd(b->loop);
	struct tern_pool *pool = child_pool();

	MUST(!tern_loop_after_fork(b->loop) && tern_loop_fd(b->loop) == fd);
	MUST(!tern_loop_after_fork(b->loop)); /* once is enough */
	MUST(!tern_loop_alive(b->loop) && !tern_loop_run(b->loop));
	cancel_all(b);
	MUST(tern_pool_after_fork(b->pool) == -EBUSY);
	job_init(&b->inline_job);
	tern_pool_submit(NULL, b->loop, &b->inline_job.work);
	work_through(pool, b->loop);
	MUST(b->inline_job.dones == 1);
	tern_loop_destroy(b->loop);
	child_pool_destroy(pool);
}

static void *from_elsewhere(void *arg)
{
	struct busy *b = arg;

	in_child(answers, b);
	in_child(give_back, b);
	in_child(cancels, b);
	in_child(destroys, b);
	in_child(adopts_the_loop, b);
	return NULL;
}

static void under_load(bool prepares, bool elsewhere)
{
	struct busy b;

	busy_open(&b, prepares);
	if (elsewhere)
		thread_join(thread_new(from_elsewhere, &b));
	else
		from_elsewhere(&b);
	busy_close(&b);
}

static void a_busy_pool_of_the_parent(void)
{
	under_load(false, false);
}

static void items_in_outboxes(void)
{
	under_load(true, false);
}

static void forked_by_another_thread(void)
{
	under_load(true, true);
}

/* -- a worker calls fork -- */

static pid_t forked;
static struct job *forks_in;
static struct tern_pool *forks_on;

/* When the only thread of the child has ended. */
static void quit(void)
{
	MUST(!forks_in || !forks_in->dones);
	_exit(EXIT_SUCCESS);
}

static void run_forks(struct tern_work *work)
{
	job_run(work);
	if (work->done)
		tern_work_cancel(work);
	ck_assert_int_eq(tern_work_canceled(), work->done != NULL);
	forked = fork_child();
	if (!forked) {
		MUST(!tern_work_canceled());
		MUST(tern_pool_try_submit(forks_on, NULL, work) == -ECHILD);
		tern_pool_put(forks_on);
		MUST(!atexit(quit));
	}
}

static void run_and_return(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 2);
	struct job job, lone;

	forks_on = pool;
	forks_in = &job;
	job_init(&job);
	job.work.run = run_forks;
	tern_pool_submit(pool, loop, &job.work);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(job.dones, 1);
	reap(forked);
	tern_pool_destroy(pool);
	/* the same without done: only the pool's end tells that it is over */
	job_init(&lone);
	tern_work_init(&lone.work, run_forks, NULL);
	forks_in = NULL;
	forks_on = pool = pool_new(1, 2);
	tern_pool_submit(pool, NULL, &lone.work);
	tern_pool_destroy(pool);
	reap(forked);
	tern_loop_destroy(loop);
}

static void hook_forks(void *user)
{
	unsigned *calls = user;

	if (atomic_bump(calls) != 1)
		return;
	forked = fork_child();
	if (!forked)
		MUST(!atexit(quit));
}

static void hooks_and_return(void)
{
	struct tern_pool_opts opts = {.size = sizeof(opts), .threads_max = 1};
	struct tern_pool *pool;
	unsigned calls = 0;

	forks_in = NULL;
	opts.user = &calls;
	opts.thread_start = hook_forks;
	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	tern_pool_destroy(pool);
	reap(forked);
	calls = 0;
	opts.thread_start = NULL;
	opts.thread_stop = hook_forks;
	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	tern_pool_destroy(pool);
	reap(forked);
}

static struct latch stuck_told;

static void stuck_forks(void *user, tern_work_fn *run, void *item_user, uint32_t ms)
{
	forked = fork_child();
	if (!forked)
		MUST(!atexit(quit));
	else
		latch_arrive(&stuck_told);
}

static void run_until_told(struct tern_work *work)
{
	latch_wait(&stuck_told);
}

static void stuck_and_return(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .run_ms_warn = 20, .stuck = stuck_forks};
	struct tern_pool *pool;
	struct tern_work work;

	forks_in = NULL;
	latch_init(&stuck_told, 1);
	tern_work_init(&work, run_until_told, NULL);
	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	tern_pool_submit(pool, NULL, &work);
	tern_pool_destroy(pool);
	reap(forked);
}

/* -- what is fatal in a child -- */

static struct tern_loop *own_loop;
static struct tern_pool *own_pool;
static struct tern_post a_post;
static struct tern_timer a_timer;
static struct job a_job;

static void no_timer(struct tern_timer *timer)
{
}

static void do_post(struct tern_loop *loop)
{
	tern_loop_post(loop, &a_post);
}

static void do_prepare(struct tern_loop *loop)
{
	tern_loop_prepare(loop);
}

static void do_dispatch(struct tern_loop *loop)
{
	tern_loop_dispatch(loop, 0);
}

static void do_run(struct tern_loop *loop)
{
	tern_loop_run(loop);
}

static void do_alive(struct tern_loop *loop)
{
	tern_loop_alive(loop);
}

static void do_timer(struct tern_loop *loop)
{
	tern_timer_start(loop, &a_timer, 0);
}

static void do_inline(struct tern_loop *loop)
{
	tern_pool_submit(NULL, loop, &a_job.work);
}

static void do_submit(struct tern_loop *loop)
{
	struct tern_work *work = &a_job.work;

	MUST(!THREADS_IN_CHILD || !tern_pool_after_fork(own_pool));
	tern_pool_submit_many(own_pool, loop, &work, 1);
}

static void do_room(struct tern_loop *loop)
{
	tern_pool_notify_room(own_pool, loop, &a_post);
}

static const struct {
	const char *call;
	void (*fn)(struct tern_loop *loop);
} uses[] = {
	{"tern_loop_post", do_post},	      {"tern_loop_prepare", do_prepare},
	{"tern_loop_dispatch", do_dispatch},  {"tern_loop_prepare", do_run},
	{"tern_loop_alive", do_alive},	      {"tern_loop_flush", tern_loop_flush},
	{"tern_loop_hold", tern_loop_hold},   {"tern_loop_release", tern_loop_release},
	{"tern_timer_start", do_timer},	      {"tern_pool_submit", do_inline},
	{"tern_pool_submit_many", do_submit}, {"tern_pool_notify_room", do_room},
};

static const char *expected;

static void is_expected(const char *line)
{
	MUST(strstr(line, expected) && strstr(line, "tern_loop_after_fork"));
	_exit(EXIT_SUCCESS);
}

static void misuse(void *arg)
{
	const size_t *i = arg;

	expected = uses[*i].call;
	tern_set_fatal(is_expected);
	uses[*i].fn(own_loop);
	MUST(!expected);
}

static void all_else_is_fatal(void)
{
	struct pollfd p = {.events = POLLIN};

	own_loop = loop_new();
	own_pool = pool_new(1, 1);
	work_through(own_pool, own_loop);
	while (stats_of(own_pool).idle != 1)
		sched_yield();
	while (!tern_loop_prepare(own_loop))
		;
	p.fd = tern_loop_fd(own_loop);
	job_init(&a_job);
	tern_post_init(&a_post, told);
	tern_timer_init(&a_timer, no_timer);
	for (size_t i = 0; i < COUNT(uses); i++)
		in_child(misuse, &i);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	work_through(own_pool, own_loop);
	tern_loop_destroy(own_loop);
	tern_pool_destroy(own_pool);
}

static struct tern_loop *loops[2];
static unsigned order[100], ordered;

static void *prepare_elsewhere(void *loop)
{
	while (!tern_loop_prepare(loop))
		;
	return NULL;
}

static void note_order(struct tern_work *work)
{
	order[ordered++] = *(unsigned *)work->user; /* there is one worker */
}

/* Two loops that had threads of their own are one thread's now, and its items stay in order. */
static void items_stay_in_order(void *arg)
{
	struct latch arrived, go;
	struct tern_work items[COUNT(order)];
	unsigned numbers[COUNT(order)];
	struct job first;

	MUST(!tern_pool_after_fork(own_pool));
	for (size_t i = 0; i < COUNT(loops); i++)
		MUST(!tern_loop_after_fork(loops[i]));
	latch_init(&arrived, 1);
	latch_init(&go, 1);
	quiet_init(&first);
	first.arrives = &arrived;
	first.waits = &go;
	tern_pool_submit(own_pool, loops[0], &first.work);
	latch_wait(&arrived);
	for (unsigned i = 0; i < COUNT(items); i++) {
		numbers[i] = i;
		tern_work_init(&items[i], note_order, ignore_done);
		items[i].user = &numbers[i];
		tern_pool_submit(own_pool, loops[i % COUNT(loops)], &items[i]);
	}
	latch_arrive(&go);
	for (size_t i = 0; i < COUNT(loops); i++)
		MUST(!tern_loop_run(loops[i]));
	MUST(ordered == COUNT(items));
	for (unsigned i = 0; i < COUNT(items); i++)
		MUST(order[i] == i);
}

static void one_thread_adopts_two_loops(void)
{
	own_pool = pool_new(1, 1);
	for (size_t i = 0; i < COUNT(loops); i++) {
		loops[i] = loop_new();
		thread_join(thread_new(prepare_elsewhere, loops[i]));
	}
	in_child(items_stay_in_order, NULL);
	for (size_t i = 0; i < COUNT(loops); i++)
		tern_loop_destroy(loops[i]);
	tern_pool_destroy(own_pool);
}

static const struct test tests[] = {
	{"an inherited pool that was busy", a_busy_pool_of_the_parent},
	{"an inherited pool with items in outboxes", items_in_outboxes},
	{"a thread that has nothing to do with it calls fork", forked_by_another_thread},
	{"run that returns in the child ends it", run_and_return},
	{"hooks that return in the child end it", hooks_and_return},
	{"so does the watchdog's callback", stuck_and_return},
	{"most use of the parent's loop is fatal", WITH_STATS(all_else_is_fatal)},
	{"one thread adopts two loops", one_thread_adopts_two_loops},
};

int main(int argc, char **argv)
{
	return run_fork_tests("fork", tests, COUNT(tests), 1, argc, argv);
}
