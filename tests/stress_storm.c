/* SPDX-License-Identifier: MIT */
/*
 * Storm: loops in threads of their own on one pool, everything at random, loops destroyed and
 * recreated while the others go on. Items lie in memory that is poisoned and freed in done.
 */
#include "harness.h"

#define LOOPS 8

struct storm {
	struct tern_pool *pool;
	unsigned seed, rounds;
};

/* One loop's life; counts are exact at its end. */
struct life {
	struct tern_loop *loop;
	struct tern_pool *pool;
	pthread_t thread;
	unsigned seed, steps;
	unsigned submitted, ran, done, canceled, won, bare, bare_ran, posted, post_ran;
	struct tern_timer tick, other;
	struct item *last; /* submitted most recently, not done */
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

static void run_bare(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);
	struct life *life = item->life;

	memset(item, 0xa5, sizeof(*item));
	free(item);
	atomic_bump(&life->bare_ran);
}

static void submit_some(struct life *life);

static void item_done(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);
	struct life *life = item->life;

	ck_assert(pthread_equal(life->thread, pthread_self()));
	ck_assert_uint_eq(item->runs, !work->status);
	life->done++;
	if (work->status) {
		ck_assert_int_eq(work->status, -ECANCELED);
		life->canceled++;
	}
	if (life->last == item)
		life->last = NULL;
	if (life->steps && rand_r(&life->seed) % 4 == 0) {
		item->runs = 0;
		life->submitted++;
		life->steps--;
		tern_pool_submit(rand_r(&life->seed) % 8 ? life->pool : NULL, life->loop, work);
		return;
	}
	memset(item, 0xa5, sizeof(*item));
	free(item);
	submit_some(life);
}

static struct item *item_new(struct life *life, tern_work_fn *run, tern_work_fn *done)
{
	struct item *item = malloc(sizeof(*item));

	tern_work_init(&item->work, run, done);
	item->life = life;
	item->runs = 0;
	return item;
}

static void post_came(struct tern_post *post)
{
	struct life *life = post->user;

	life->post_ran++;
	memset(post, 0xa5, sizeof(*post));
	free(post);
}

static void submit_some(struct life *life)
{
	unsigned n = (unsigned)rand_r(&life->seed) % 4;
	struct tern_work *list[3];

	if (n > life->steps)
		n = life->steps;
	life->steps -= n;
	switch (rand_r(&life->seed) % 8) {
	case 0:
		for (unsigned i = 0; i < n; i++) {
			list[i] = &item_new(life, run_item, item_done)->work;
			life->submitted++;
		}
		tern_pool_submit_many(life->pool, life->loop, list, n);
		break;
	case 1:
		for (unsigned i = 0; i < n; i++) {
			life->bare++;
			tern_pool_submit(life->pool, i % 2 ? life->loop : NULL,
					 &item_new(life, run_bare, NULL)->work);
		}
		break;
	case 2:
		for (unsigned i = 0; i < n; i++) {
			struct tern_post *post = malloc(sizeof(*post));

			tern_post_init(post, post_came);
			post->user = life;
			life->posted++;
			tern_loop_post(life->loop, post);
		}
		break;
	default:
		for (unsigned i = 0; i < n; i++) {
			life->last = item_new(life, run_item, item_done);
			life->submitted++;
			tern_pool_submit(rand_r(&life->seed) % 8 ? life->pool : NULL, life->loop,
					 &life->last->work);
		}
		if (life->last && rand_r(&life->seed) % 2)
			life->won += tern_work_cancel(&life->last->work);
	}
}

static void ticked(struct tern_timer *timer)
{
	struct life *life = timer->user;

	submit_some(life);
	if (!life->steps) {
		tern_timer_stop(&life->other);
		return;
	}
	tern_timer_start(life->loop, timer, (unsigned)rand_r(&life->seed) % 20000);
	tern_timer_start(life->loop, &life->other, (unsigned)rand_r(&life->seed) % 20000);
	if (rand_r(&life->seed) % 2)
		tern_timer_stop(&life->other);
}

static bool bare_have_run(void *arg)
{
	struct life *life = arg;

	return atomic_get(&life->bare_ran) == life->bare;
}

static void live(struct tern_pool *pool, unsigned seed, unsigned steps)
{
	const struct tern_loop_opts opts = {
		.size = sizeof(opts), .batch_max = 1 + seed % 9, .spin_us_max = seed % 3};
	struct life life = {.pool = pool, .thread = pthread_self(), .seed = seed, .steps = steps};

	ck_assert_int_eq(tern_loop_create(&life.loop, &opts), 0);
	tern_timer_init(&life.tick, ticked);
	tern_timer_init(&life.other, ticked);
	life.tick.user = life.other.user = &life;
	tern_timer_start(life.loop, &life.tick, 0);
	for (int i = 0; i < 10; i++)
		submit_some(&life);
	while (life.steps)
		ck_assert_int_eq(tern_loop_run(life.loop), 0);
	ck_assert_int_eq(tern_loop_run(life.loop), 0);
	loop_until(life.loop, bare_have_run, &life);
	tern_loop_destroy(life.loop);
	ck_assert_uint_eq(life.done, life.submitted);
	ck_assert_uint_eq(atomic_get(&life.ran) + life.canceled, life.submitted);
	ck_assert_uint_eq(life.won, life.canceled);
	ck_assert_uint_eq(life.post_ran, life.posted);
}

static void *live_again_and_again(void *arg)
{
	struct storm *storm = arg;

	for (unsigned round = 0; round < storm->rounds; round++)
		live(storm->pool, storm->seed * 1000 + round, 100 + round * 7 % 400);
	return NULL;
}

static void storm(uint32_t min, uint32_t max, uint32_t idle_ms)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = min,
		.threads_max = max,
		.idle_ms_max = idle_ms,
	};
	struct storm storms[LOOPS];
	pthread_t threads[LOOPS];
	struct tern_pool_stats s;
	struct tern_pool *pool;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	for (unsigned i = 0; i < LOOPS; i++) {
		storms[i] = (struct storm){.pool = pool, .seed = i + 1, .rounds = scaled(60)};
		threads[i] = thread_new(live_again_and_again, &storms[i]);
	}
	for (int i = 0; i < LOOPS; i++)
		thread_join(threads[i]);
	s = stats_of(pool);
	ck_assert_uint_eq(s.queued, 0);
	ck_assert_uint_le(s.threads_peak, max);
	tern_pool_destroy(pool);
}

static void ordinary(void)
{
	storm(1, 4, 0);
}

static void one_thread(void)
{
	storm(1, 1, 0);
}

static void no_thread_kept(void)
{
	storm(TERN_NONE, 3, TERN_NONE);
}

static void short_idling(void)
{
	storm(2, 8, 1);
}

static const struct test tests[] = {
	{"eight loops, one pool", WITH_STATS(ordinary)},
	{"eight loops, one thread", WITH_STATS(one_thread)},
	{"eight loops, no thread kept, none idles", WITH_STATS(no_thread_kept)},
	{"eight loops, threads come and go", WITH_STATS(short_idling)},
};

int main(int argc, char **argv)
{
	return run_tests("storm", tests, COUNT(tests), argc, argv);
}
