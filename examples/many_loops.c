/* SPDX-License-Identifier: MIT */
/* Many loops, one pool: a loop in each thread, and each result finds its way home. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <tern.h>

#define LOOPS	       4
#define ITEMS_PER_LOOP 1000

struct home {
	pthread_t thread;
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct tern_work work[ITEMS_PER_LOOP];
	unsigned int finished; /* only this loop's thread counts: no lock, no atomic */
	bool astray;
};

static atomic_uint carried_out;

static void run(struct tern_work *work)
{
	atomic_fetch_add(&carried_out, 1);
}

static void done(struct tern_work *work)
{
	struct home *home = work->user;

	home->finished++;
	if (!pthread_equal(pthread_self(), home->thread))
		home->astray = true;
}

/* The thread that first runs a loop owns it, whoever created it. */
static void *serve(void *arg)
{
	struct home *home = arg;

	for (int i = 0; i < ITEMS_PER_LOOP; i++) {
		tern_work_init(&home->work[i], run, done);
		home->work[i].user = home;
		tern_pool_submit(home->pool, home->loop, &home->work[i]);
	}
	tern_loop_run(home->loop); /* returns when all of them are home */
	return NULL;
}

int main(void)
{
	static struct home homes[LOOPS];
	struct tern_pool *pool;
	int failures = 0;

	if (tern_pool_create(&pool, NULL))
		return 1;
	for (int i = 0; i < LOOPS; i++) {
		homes[i].pool = pool;
		if (tern_loop_create(&homes[i].loop, NULL) ||
		    pthread_create(&homes[i].thread, NULL, serve, &homes[i]))
			return 1;
	}
	for (int i = 0; i < LOOPS; i++) {
		pthread_join(homes[i].thread, NULL);
		printf("loop %d: %u of %d came home\n", i, homes[i].finished, ITEMS_PER_LOOP);
		failures += homes[i].astray || homes[i].finished != ITEMS_PER_LOOP;
		tern_loop_destroy(homes[i].loop);
	}
	tern_pool_destroy(pool);
	printf("the pool carried out %u items\n", carried_out);
	return failures != 0;
}
