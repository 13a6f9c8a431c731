/* SPDX-License-Identifier: MIT */
/* Cancel: what no worker has started can be taken back; its completion comes all the same, once. */
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <tern.h>

struct item {
	struct tern_work work;
	const char *name;
};

static sem_t started, go_on;

static void run_first(struct tern_work *work)
{
	sem_post(&started);
	sem_wait(&go_on);
}

static void run_queued(struct tern_work *work)
{
}

static void done(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);

	printf("%s: %s\n", item->name, work->status == -ECANCELED ? "cancelled, never ran" : "ran");
}

static void submit(struct tern_pool *pool, struct tern_loop *loop, struct item *item,
		   tern_work_fn *run)
{
	tern_work_init(&item->work, run, done);
	tern_pool_submit(pool, loop, &item->work);
}

int main(void)
{
	const struct tern_pool_opts one_thread = {.size = sizeof(one_thread), .threads_max = 1};
	struct item items[] = {
		{.name = "first"}, {.name = "second"}, {.name = "third"}, {.name = "fourth"}};
	struct tern_loop *loop;
	struct tern_pool *pool;

	sem_init(&started, 0, 0);
	sem_init(&go_on, 0, 0);
	if (tern_loop_create(&loop, NULL) || tern_pool_create(&pool, &one_thread))
		return 1;
	submit(pool, loop, &items[0], run_first);
	sem_wait(&started); /* the only thread is busy from here on */
	for (int i = 1; i < 4; i++)
		submit(pool, loop, &items[i], run_queued);

	/* True says: run will not be entered. done comes in either case, from the loop. */
	printf("cancel the first: %s\n", tern_work_cancel(&items[0].work) ? "yes" : "too late");
	printf("cancel the third: %s\n", tern_work_cancel(&items[2].work) ? "yes" : "too late");
	sem_post(&go_on);
	tern_loop_run(loop);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	sem_destroy(&started);
	sem_destroy(&go_on);
	return 0;
}
