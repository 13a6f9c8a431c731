/* SPDX-License-Identifier: MIT */
/*
 * load FILE: traces a run of every kind of item into FILE and prints what the trace must show:
 * how many were submitted, were run, and completed; posts; loops; dones that found their run
 * skipped.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <tern.h>

#define LOOPS 3
#define ITEMS 300

/* exported: the trace knows it by name, and the static ones by their place */
void run_with_a_name(struct tern_work *work);

struct item {
	struct tern_work work;
	struct side *side;
	unsigned left; /* times to submit it again */
};

struct side {
	struct tern_pool *pool;
	struct tern_loop *loop;
	struct item items[ITEMS], inner[ITEMS];
	struct tern_post post;
	struct tern_timer timer;
	unsigned submits, runs, dones, skipped, posts;
};

static void must(int error)
{
	if (error)
		abort();
}

static void count(unsigned *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

static void count_run(struct tern_work *work)
{
	count(&tern_container_of(work, struct item, work)->side->runs);
}

static void submit(struct item *item, struct tern_pool *pool)
{
	count(&item->side->submits);
	tern_pool_submit(pool, item->side->loop, &item->work);
}

static void count_done(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);

	item->side->dones++;
	item->side->skipped += work->status != 0;
	if (item->left) {
		item->left--;
		submit(item, item->side->pool);
	}
}

/* From a worker, on behalf of the loop. */
void run_with_a_name(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);
	struct item *inner = &item->side->inner[item - item->side->items];

	count_run(work);
	tern_work_init(&inner->work, count_run, count_done);
	inner->side = item->side;
	submit(inner, item->side->pool);
}

static void count_post(struct tern_post *post)
{
	tern_container_of(post, struct side, post)->posts++;
}

static void expire(struct tern_timer *timer)
{
}

static void *run_side(void *arg)
{
	struct side *s = arg;

	must(tern_loop_create(&s->loop, NULL));
	tern_loop_prepare(s->loop); /* from here on it batches */
	tern_post_init(&s->post, count_post);
	tern_loop_post(s->loop, &s->post);
	tern_timer_init(&s->timer, expire);
	tern_timer_start(s->loop, &s->timer, 1000);
	for (unsigned i = 0; i < ITEMS; i++) {
		struct item *item = &s->items[i];
		bool named = i % 3 == 0;

		tern_work_init(&item->work, named ? run_with_a_name : count_run, count_done);
		item->side = s;
		item->left = i % 2 && !named;
		if (i % 5 == 0)
			item->work.priority = TERN_LOW;
		submit(item, i % 7 || named ? s->pool : NULL);
		if (i % 11 == 0)
			tern_work_cancel(&item->work);
	}
	must(tern_loop_run(s->loop));
	tern_loop_destroy(s->loop);
	return NULL;
}

static void run_homeless(struct tern_work *work)
{
	count(work->user);
}

int main(int argc, char **argv)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_max = 3, .name = "load \"1\""};
	static struct side sides[LOOPS];
	static struct tern_work homeless[ITEMS];
	struct side sum = {.submits = ITEMS};
	struct tern_pool *pool;
	pthread_t threads[LOOPS];

	must(tern_trace_start(argv[1]));
	must(tern_pool_create(&pool, &opts));
	for (unsigned i = 0; i < LOOPS; i++) {
		sides[i].pool = pool;
		must(pthread_create(&threads[i], NULL, run_side, &sides[i]));
	}
	for (unsigned i = 0; i < ITEMS; i++) {
		tern_work_init(&homeless[i], run_homeless, NULL);
		homeless[i].user = &sum.runs;
		tern_pool_submit(pool, NULL, &homeless[i]);
	}
	for (unsigned i = 0; i < LOOPS; i++) {
		must(pthread_join(threads[i], NULL));
		sum.submits += sides[i].submits;
		sum.dones += sides[i].dones;
		sum.skipped += sides[i].skipped;
		sum.posts += sides[i].posts;
	}
	tern_pool_destroy(pool);
	tern_trace_stop();
	for (unsigned i = 0; i < LOOPS; i++)
		sum.runs += sides[i].runs;
	printf("{\"submits\": %u, \"runs\": %u, \"dones\": %u, \"skipped\": %u, \"posts\": %u, "
	       "\"loops\": %u, \"homeless\": %u}\n",
	       sum.submits, sum.runs, sum.dones, sum.skipped, sum.posts, LOOPS, ITEMS);
	return 0;
}
