/* SPDX-License-Identifier: MIT */
/* Lanes: however much slow work waits, it takes one thread at most; quick work has the others. */
#include <semaphore.h>
#include <stdio.h>
#include <tern.h>

#define SLOW 3

static sem_t quick_is_home;

static void run_slow(struct tern_work *work)
{
	sem_wait(&quick_is_home); /* a slow disk, say */
	sem_post(&quick_is_home);
}

static void run_quick(struct tern_work *work)
{
}

static void slow_done(struct tern_work *work)
{
	puts("slow");
}

static void quick_done(struct tern_work *work)
{
	puts("quick");
	sem_post(&quick_is_home);
}

int main(void)
{
	const struct tern_pool_opts two_threads = {.size = sizeof(two_threads), .threads_max = 2};
	const struct tern_lane_opts one_at_a_time = {.size = sizeof(one_at_a_time),
						     .running_max = 1};
	struct tern_work slow[SLOW], quick;
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct tern_lane *lane;

	sem_init(&quick_is_home, 0, 0);
	if (tern_loop_create(&loop, NULL) || tern_pool_create(&pool, &two_threads) ||
	    tern_lane_create(&lane, pool, &one_at_a_time))
		return 1;
	for (int i = 0; i < SLOW; i++) {
		tern_work_init(&slow[i], run_slow, slow_done);
		tern_work_set_lane(&slow[i], lane);
		tern_pool_submit(pool, loop, &slow[i]);
	}
	tern_work_init(&quick, run_quick, quick_done);
	tern_pool_submit(pool, loop, &quick); /* the last submitted, the first home */
	tern_loop_run(loop);
	tern_lane_put(lane);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	sem_destroy(&quick_is_home);
	return 0;
}
