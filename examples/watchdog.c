/* SPDX-License-Identifier: MIT */
/* The watchdog: it tells of an item that runs for too long, and a dump shows the whole pool. */
#include <semaphore.h>
#include <stdio.h>
#include <tern.h>
#include <unistd.h>

static struct tern_pool *pool;
static sem_t come_back;

/* Not static, so that the dump can name it: the program is linked with -rdynamic. */
void never_ends(struct tern_work *work);
void never_ends(struct tern_work *work)
{
	sem_wait(&come_back);
}

static void done(struct tern_work *work)
{
	puts("it came home after all");
}

/* On the watchdog's own thread. The item may be gone by now: its user is all there is of it. */
static void stuck(void *user, tern_work_fn *run, void *item_user, uint32_t ms)
{
	printf("%s has been running for %u ms\n", (const char *)item_user, (unsigned)ms);
	fflush(stdout);
	tern_pool_dump(pool, STDOUT_FILENO);
	sem_post(&come_back);
}

int main(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .name = "web", .run_ms_warn = 20, .stuck = stuck};
	static char request[] = "a request for /slow";
	struct tern_loop *loop;
	struct tern_work work;

	sem_init(&come_back, 0, 0);
	if (tern_loop_create(&loop, NULL) || tern_pool_create(&pool, &opts))
		return 1;
	tern_work_init(&work, never_ends, done);
	work.user = request;
	tern_pool_submit(pool, loop, &work);
	tern_loop_run(loop);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	sem_destroy(&come_back);
	return 0;
}
