/* SPDX-License-Identifier: MIT */
/*
 * The pools and items of <iv_work.h> over those of tern: names, and what ivykis promises of its
 * own.
 *
 * A pool's threads may outlive its put, and the program's structure need not: what they need is
 * copied. It goes when the last of them has told the owner's loop that it is gone, behind all
 * completions, and only then does the pool let go of that loop.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "private.h"

struct pool {
	struct tern_pool *tern;
	struct tern_loop *home;
	void *cookie;
	void (*thread_start)(void *cookie);
	void (*thread_stop)(void *cookie);
	struct tern_post gone;
};

/*
 * So that iv_now and the like work in a work function. That takes a descriptor of each thread, and
 * ivykis ends the process when there is none; a thread that gets none goes without instead.
 */
static void join_ivykis(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return;
	close(fd);
	iv_init();
}

static void on_start(void *user)
{
	struct pool *p = user;

	join_ivykis();
	tern__iv_local_set_worker();
	if (p->thread_start)
		p->thread_start(p->cookie);
	tern__iv_local_run();
}

static void on_stop(void *user)
{
	struct pool *p = user;

	if (p->thread_stop)
		p->thread_stop(p->cookie);
	tern__iv_local_run();
	if (iv_inited())
		iv_deinit();
}

static void on_gone(void *user)
{
	struct pool *p = user;

	tern_loop_post(p->home, &p->gone);
}

static void forget(struct tern_post *post)
{
	free(tern_container_of(post, struct pool, gone));
	tern__iv_home_put();
}

/* Threads of ivykis have the system's default; programs may rely on that. */
static size_t stack_size(void)
{
	pthread_attr_t attr;
	size_t size = 0;

	if (!pthread_attr_init(&attr)) {
		pthread_attr_getstacksize(&attr, &size);
		pthread_attr_destroy(&attr);
	}
	return size;
}

static int create_tern(struct pool *p, uint32_t threads_max)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = TERN_NONE,
		.threads_max = threads_max,
		.name = "iv_work",
		.stack_size = stack_size(),
		.thread_start = on_start,
		.thread_stop = on_stop,
		.gone = on_gone,
		.user = p,
	};
	int e = tern__iv_home_get(&p->home);

	if (e)
		return e;
	e = tern_pool_create(&p->tern, &opts);
	if (e)
		tern__iv_home_put();
	return e;
}

static int create(struct iv_work_pool *pool)
{
	struct pool *p;
	int e;

	if (pool->max_threads < 1)
		return -EINVAL;
	if (tern__iv_local_is_worker())
		return -ENOTSUP; /* nobody runs its loop: no completion would come */
	if (!iv_inited())
		iv_fatal("iv_work_pool_create: called before iv_init");
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = (struct pool){
		.cookie = pool->cookie,
		.thread_start = pool->thread_start,
		.thread_stop = pool->thread_stop,
	};
	tern_post_init(&p->gone, forget);
	e = create_tern(p, (uint32_t)pool->max_threads);
	if (e)
		free(p);
	else
		pool->priv = p;
	return e;
}

void tern_compat_iv_work_pool_init(struct iv_work_pool *pool)
{
	pool->thread_start = NULL;
	pool->thread_stop = NULL;
}

void tern_compat_iv_work_item_init(struct iv_work_item *item)
{
	/* all of it is filled in by the program and by submit */
}

int tern_compat_iv_work_pool_create(struct iv_work_pool *pool)
{
	int e = create(pool);

	if (!e)
		return 0;
	errno = -e;
	return -1;
}

void tern_compat_iv_work_pool_put(struct iv_work_pool *pool)
{
	/* priv stays: a running item may still submit continuations */
	tern_pool_put(((struct pool *)pool->priv)->tern);
}

static void run(struct tern_work *work)
{
	struct iv_work_item *item = tern_container_of(work, struct iv_work_item, tern);

	item->work(item->cookie);
	tern__iv_local_run();
}

static void done(struct tern_work *work)
{
	struct iv_work_item *item = tern_container_of(work, struct iv_work_item, tern);

	item->completion(item->cookie);
}

void tern_compat_iv_work_pool_submit_work(struct iv_work_pool *pool, struct iv_work_item *item)
{
	struct tern_loop *home;
	struct pool *p;

	if (!pool) {
		tern__iv_local_submit(item);
		return;
	}
	p = pool->priv;
	home = p->home; /* once the item is submitted, p lives on only if another reason keeps it */
	tern_work_init(&item->tern, run, item->completion ? done : NULL);
	tern_pool_submit(p->tern, home, &item->tern);
	tern__iv_home_submitted(home);
}

void tern_compat_iv_work_pool_submit_continuation(struct iv_work_pool *pool,
						  struct iv_work_item *item)
{
	tern_compat_iv_work_pool_submit_work(pool, item);
}
