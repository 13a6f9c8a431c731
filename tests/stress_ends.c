/* SPDX-License-Identifier: MIT */
/* Pools created and ended by the thousand, from everywhere it is legal, in memory reused at once.
 */
#include "harness.h"

/* One pool's life; its memory is the pool's hooks', until gone. */
struct life {
	struct tern_pool *pool;
	struct tern_loop *loop;
	unsigned started, stopped, gone, refs_given;
	unsigned runs, dones, submitted;
	unsigned seed;
};

struct item {
	struct tern_work work;
	struct life *life;
};

static unsigned lives_ended;

static void on_start(void *user)
{
	atomic_bump(&((struct life *)user)->started);
}

static void on_stop(void *user)
{
	atomic_bump(&((struct life *)user)->stopped);
}

static void on_gone(void *user)
{
	struct life *life = user;

	ck_assert_uint_eq(atomic_get(&life->started), atomic_get(&life->stopped));
	ck_assert_uint_eq(atomic_bump(&life->gone), 1);
	atomic_bump(&lives_ended);
}

static void run_item(struct tern_work *work)
{
	struct life *life = tern_container_of(work, struct item, work)->life;
	unsigned n = atomic_bump(&life->runs);

	/* every 7th returns a reference that was taken for it */
	if (n % 7 == 0)
		tern_pool_put(life->pool);
}

static void *put_pool(void *pool)
{
	tern_pool_put(pool);
	return NULL;
}

static void item_done(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);

	item->life->dones++;
	memset(item, 0xa5, sizeof(*item));
	free(item);
}

static void fill(struct life *life)
{
	unsigned n = (unsigned)rand_r(&life->seed) % 40;

	for (unsigned i = 1; i <= n; i++)
		if (i % 7 == 0)
			tern_pool_get(life->pool);
	for (unsigned i = 0; i < n; i++) {
		struct item *item = malloc(sizeof(*item));

		item->life = life;
		tern_work_init(&item->work, run_item, item_done);
		life->submitted++;
		tern_pool_submit(life->pool, life->loop, &item->work);
		if (i % 16 == 5)
			tern_loop_prepare(life->loop);
	}
}

static bool is_over(void *arg)
{
	struct life *life = arg;

	return atomic_get(&life->gone) && life->dones == life->submitted;
}

static void live(struct tern_loop *loop, unsigned seed)
{
	struct life *life = calloc(1, sizeof(*life));
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = seed % 3 ? seed % 3 : TERN_NONE,
		.threads_max = 4,
		.idle_ms_max = seed % 2 ? TERN_NONE : 1,
		.thread_start = on_start,
		.thread_stop = on_stop,
		.gone = on_gone,
		.user = life,
	};
	pthread_t thread;
	bool joins = false;

	life->loop = loop;
	life->seed = seed;
	ck_assert_int_eq(tern_pool_create(&life->pool, &opts), 0);
	fill(life);
	switch (seed % 4) {
	case 0:
		tern_pool_put(life->pool);
		break;
	case 1:
		thread = thread_new(put_pool, life->pool);
		joins = true;
		break;
	case 2:
		ck_assert_int_eq(tern_loop_run(loop), 0);
		tern_pool_put(life->pool);
		break;
	case 3:
		ck_assert_int_eq(tern_loop_run(loop), 0);
		/* the references of run are back: this is the last */
		tern_pool_destroy(life->pool);
		ck_assert_uint_eq(life->gone, 1);
		break;
	}
	loop_until(loop, is_over, life);
	if (joins)
		thread_join(thread);
	ck_assert_uint_eq(life->runs, life->submitted);
	memset(life, 0xa5, sizeof(*life));
	free(life);
}

static void *live_by_the_thousand(void *arg)
{
	unsigned seed = *(unsigned *)arg, n = scaled(1000);
	struct tern_loop *loop = loop_new();

	for (unsigned i = 0; i < n; i++) {
		live(loop, seed + i * 11);
		if (i % 50 == 49) {
			tern_loop_destroy(loop);
			loop = loop_new();
		}
	}
	tern_loop_destroy(loop);
	return NULL;
}

static void pools_by_the_thousand(void)
{
	unsigned seeds[3] = {1, 20000, 300000};
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		threads[i] = thread_new(live_by_the_thousand, &seeds[i]);
	for (int i = 0; i < 3; i++)
		thread_join(threads[i]);
	ck_assert_uint_eq(lives_ended, 3 * scaled(1000));
}

/* Ten thousand rounds of add and remove with no kept thread and no idling. */
static void add_and_remove(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_min = TERN_NONE, .idle_ms_max = TERN_NONE};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	for (unsigned i = 0; i < scaled(10000); i++) {
		struct job a, b;

		job_init(&a);
		job_init(&b);
		tern_pool_submit(pool, loop, &a.work);
		if (i % 3 == 0)
			tern_pool_submit(pool, loop, &b.work);
		if (i % 2)
			tern_work_cancel(&a.work);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert_uint_eq(a.dones, 1);
		ck_assert_uint_eq(b.dones, i % 3 == 0);
	}
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
}

/* Foreign threads race to hand items to one loop. */
struct foreign {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct job jobs[64];
	unsigned rounds, *left;
};

static void *submit_and_release(void *arg)
{
	struct foreign *f = arg;

	for (size_t i = 0; i < COUNT(f->jobs); i++) {
		job_init(&f->jobs[i]);
		tern_pool_submit(i % 5 ? f->pool : NULL, f->loop, &f->jobs[i].work);
	}
	tern_loop_release(f->loop);
	return NULL;
}

static void foreign_submitters(void)
{
	struct tern_pool *pool = pool_new(1, 3);

	for (unsigned round = 0; round < scaled(500); round++) {
		struct tern_loop *loop = loop_new();
		struct foreign *f = calloc(6, sizeof(*f));
		pthread_t threads[6];

		for (int i = 0; i < 6; i++) {
			f[i] = (struct foreign){.loop = loop, .pool = pool};
			tern_loop_hold(loop);
			threads[i] = thread_new(submit_and_release, &f[i]);
		}
		ck_assert_int_eq(tern_loop_run(loop), 0);
		tern_loop_destroy(loop); /* at once: the last submitter may not be back yet */
		for (int i = 0; i < 6; i++) {
			thread_join(threads[i]);
			for (size_t k = 0; k < COUNT(f[i].jobs); k++)
				ck_assert_uint_eq(f[i].jobs[k].dones, 1);
		}
		free(f);
	}
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"pools by the thousand, put from everywhere", pools_by_the_thousand},
	{"no kept threads, no idling, ten thousand times", add_and_remove},
	{"many threads submit to one loop", foreign_submitters},
};

int main(int argc, char **argv)
{
	return run_tests("ends", tests, COUNT(tests), argc, argv);
}
