/* SPDX-License-Identifier: MIT */
/*
 * Pools of the drop-in <iv_work.h> in a storm: threads with a loop of ivykis each, several pools a
 * thread, items that come again, go on as another item, use no pool between, and pools that come
 * and go meanwhile.
 */
#include "../harness.h"

#include <iv.h>
#include <iv_work.h>

#define OWNERS 3
#define POOLS  2
#define ITEMS  20
#define ROUNDS 30
#define PUTS   20

struct job_iv {
	struct iv_work_item first, second, local;
	struct crew *crew;
	unsigned rounds_left;
};

/* A pool and the items that use it; the last item's last completion puts and frees the pool. */
struct crew {
	struct iv_work_pool *pool;
	pthread_t owner;
	struct job_iv jobs[ITEMS];
	unsigned jobs_left, pools_left;
	unsigned ran, completed, starts, stops;
};

static void crew_begin(struct crew *crew);

static bool is_home(const struct crew *crew)
{
	return pthread_equal(pthread_self(), crew->owner);
}

/* On a worker; has no completion, so the item may run again as soon as this one is entered. */
static void first_work(void *cookie)
{
	struct job_iv *job = cookie;

	ck_assert(!is_home(job->crew));
	atomic_bump(&job->crew->ran);
	iv_work_pool_submit_continuation(job->crew->pool, &job->second);
}

static void second_work(void *cookie)
{
	struct job_iv *job = cookie;

	ck_assert(!is_home(job->crew));
	atomic_bump(&job->crew->ran);
}

static void second_done(void *cookie)
{
	struct job_iv *job = cookie;

	ck_assert(is_home(job->crew));
	job->crew->completed++;
	iv_work_pool_submit_work(NULL, &job->local);
}

static void local_work(void *cookie)
{
	struct job_iv *job = cookie;

	ck_assert(is_home(job->crew));
	atomic_bump(&job->crew->ran);
}

static void local_done(void *cookie)
{
	struct job_iv *job = cookie;
	struct crew *crew = job->crew;

	crew->completed++;
	if (job->rounds_left--) {
		iv_work_pool_submit_work(crew->pool, &job->first);
		return;
	}
	if (--crew->jobs_left)
		return;
	iv_work_pool_put(crew->pool);
	free(crew->pool);
	if (crew->pools_left--)
		crew_begin(crew);
}

static void on_start(void *cookie)
{
	atomic_bump(&((struct crew *)cookie)->starts);
}

static void on_stop(void *cookie)
{
	atomic_bump(&((struct crew *)cookie)->stops);
}

static void crew_begin(struct crew *crew)
{
	crew->pool = malloc(sizeof(*crew->pool));
	ck_assert_ptr_nonnull(crew->pool);
	*crew->pool = (struct iv_work_pool){
		.max_threads = 3, .cookie = crew, .thread_start = on_start, .thread_stop = on_stop};
	ck_assert_int_eq(iv_work_pool_create(crew->pool), 0);
	crew->jobs_left = ITEMS;
	for (unsigned i = 0; i < ITEMS; i++) {
		struct job_iv *job = &crew->jobs[i];

		*job = (struct job_iv){
			.first = {.cookie = job, .work = first_work},
			.second = {.cookie = job, .work = second_work, .completion = second_done},
			.local = {.cookie = job, .work = local_work, .completion = local_done},
			.crew = crew,
			.rounds_left = ROUNDS,
		};
		iv_work_pool_submit_work(crew->pool, &job->first);
	}
}

static void *owner_main(void *arg)
{
	struct crew *crews = calloc(POOLS, sizeof(*crews));

	ck_assert_ptr_nonnull(crews);
	iv_init();
	for (unsigned i = 0; i < POOLS; i++) {
		crews[i].owner = pthread_self();
		crews[i].pools_left = PUTS;
		crew_begin(&crews[i]);
	}
	iv_main();
	iv_deinit();
	for (unsigned i = 0; i < POOLS; i++) {
		unsigned items = (PUTS + 1) * ITEMS * (ROUNDS + 1);

		ck_assert_uint_eq(crews[i].ran, 3 * items);
		ck_assert_uint_eq(crews[i].completed, 2 * items);
		ck_assert_uint_ge(crews[i].starts, PUTS + 1);
		ck_assert_uint_eq(crews[i].starts, crews[i].stops);
	}
	free(crews);
	return NULL;
}

static void storm(void)
{
	pthread_t threads[OWNERS];

	/* it chooses how to poll, and is not made for two threads that do so at the same time */
	iv_init();
	iv_deinit();
	for (unsigned i = 0; i < OWNERS; i++)
		threads[i] = thread_new(owner_main, NULL);
	for (unsigned i = 0; i < OWNERS; i++)
		thread_join(threads[i]);
}

static const struct test tests[] = {
	{"all that was submitted runs and completes on its owner, and iv_main returns", storm},
};

int main(int argc, char **argv)
{
	return run_tests("iv_work storm", tests, COUNT(tests), argc, argv);
}
