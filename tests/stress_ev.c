/* SPDX-License-Identifier: MIT */
/* Storms on libev: nested runs, breaks with full outboxes, runs that do not block, busy idling. */
#include <tern/ev.h>

#include "harness.h"

#define THREADS 4

/* One libev loop in a thread of its own; all share the pool. */
struct life {
	struct tern_pool *pool;
	struct ev_loop *ev;
	struct tern_loop *loop;
	pthread_t thread;
	unsigned seed, left, submitted, done, ran, canceled, depth, idled;
	bool breaks, nests;
};

struct item {
	struct tern_work work;
	struct life *life;
	unsigned runs;
};

static void run_item(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);

	ck_assert_uint_eq(atomic_bump(&item->runs), 1);
	atomic_bump(&item->life->ran);
}

static void submit_some(struct life *life);

static void item_done(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);
	struct life *life = item->life;

	ck_assert(pthread_equal(life->thread, pthread_self()));
	ck_assert_uint_eq(item->runs, !work->status);
	life->canceled += work->status != 0;
	life->done++;
	memset(item, 0xa5, sizeof(*item));
	free(item);
	submit_some(life);
	if (life->breaks && rand_r(&life->seed) % 3 == 0)
		ev_break(life->ev, EVBREAK_ALL);
	if (life->nests && life->depth < 5 && rand_r(&life->seed) % 4 == 0) {
		life->depth++;
		ev_run(life->ev, rand_r(&life->seed) % 2 ? EVRUN_ONCE : EVRUN_NOWAIT);
		life->depth--;
	}
}

static void submit_some(struct life *life)
{
	unsigned n = (unsigned)rand_r(&life->seed) % 3;

	if (life->submitted - life->done < 8)
		n = 3;
	for (unsigned i = 0; i < n && life->left; i++) {
		struct item *item = malloc(sizeof(*item));

		life->left--;
		life->submitted++;
		item->life = life;
		item->runs = 0;
		tern_work_init(&item->work, run_item, item_done);
		tern_pool_submit(rand_r(&life->seed) % 6 ? life->pool : NULL, life->loop,
				 &item->work);
		if (rand_r(&life->seed) % 8 == 0)
			tern_work_cancel(&item->work);
	}
}

static void count_idle(struct ev_loop *ev, ev_idle *w, int revents)
{
	((struct life *)w->data)->idled++;
}

static void live(struct tern_pool *pool, unsigned seed, int flags)
{
	const struct tern_loop_opts opts = {.size = sizeof(opts), .batch_max = 1 + seed % 20};
	struct life life = {.pool = pool,
			    .thread = pthread_self(),
			    .seed = seed,
			    .left = 400,
			    .breaks = seed % 2,
			    .nests = seed % 3};
	ev_idle idle;

	life.ev = ev_loop_new(0);
	ck_assert_int_eq(tern_loop_create_ev(&life.loop, life.ev, &opts), 0);
	ev_idle_init(&idle, count_idle);
	idle.data = &life;
	if (seed % 5 == 0) {
		ev_idle_start(life.ev, &idle);
		ev_unref(life.ev);
	}
	submit_some(&life);
	while (life.left || life.done < life.submitted) {
		if (!tern_loop_alive(life.loop))
			submit_some(&life);
		ev_run(life.ev, flags);
	}
	if (seed % 5 == 0) {
		ev_ref(life.ev);
		ev_idle_stop(life.ev, &idle);
	}
	ck_assert_uint_eq(life.ran + life.canceled, life.submitted);
	tern_loop_destroy(life.loop);
	ev_run(life.ev, 0);
	ev_loop_destroy(life.ev);
}

struct job_of_thread {
	struct tern_pool *pool;
	unsigned seed;
	int flags;
};

static void *live_often(void *arg)
{
	const struct job_of_thread *job = arg;

	for (unsigned i = 0; i < scaled(60); i++)
		live(job->pool, job->seed + i, job->flags);
	return NULL;
}

static void storm(int flags)
{
	struct tern_pool *pool = pool_new(1, 3);
	struct job_of_thread jobs[THREADS];
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		jobs[i] = (struct job_of_thread){pool, 1 + i * 1000, flags};
		threads[i] = thread_new(live_often, &jobs[i]);
	}
	for (int i = 0; i < THREADS; i++)
		thread_join(threads[i]);
	tern_pool_destroy(pool);
}

static void plain(void)
{
	storm(0);
}

static void once(void)
{
	storm(EVRUN_ONCE);
}

static void nowait(void)
{
	storm(EVRUN_NOWAIT);
}

static const struct test tests[] = {
	{"ev_run: nested, broken, idling", plain},
	{"EVRUN_ONCE: nested, broken, idling", once},
	{"EVRUN_NOWAIT: nested, broken, idling", nowait},
};

int main(int argc, char **argv)
{
	return run_tests("storm on libev", tests, COUNT(tests), argc, argv);
}
