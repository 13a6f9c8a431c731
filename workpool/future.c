/* SPDX-License-Identifier: MIT */
/*
 * Work items and lookups as futures. With a home loop an item comes home first, as all do, and is
 * completed there; so it goes with what else the loop submits. Without one it has no done, and the
 * worker completes it: the last that the worker has to do with it.
 */
#include <errno.h>
#include <tern/future_pool.h>

#include "pool.h"

static struct tern_work_future *of_work(struct tern_work *work)
{
	return tern_container_of(work, struct tern_work_future, work);
}

static struct tern_work_future *of_future(struct tern_future *f)
{
	return tern_container_of(f, struct tern_work_future, future);
}

static void run(struct tern_work *work)
{
	struct tern_work_future *w = of_work(work);

	w->came = w->run(w);
}

static void done(struct tern_work *work)
{
	struct tern_work_future *w = of_work(work);

	tern_future_complete(&w->future, work->status ? work->status : w->came);
}

static void run_and_complete(struct tern_work *work)
{
	struct tern_work_future *w = of_work(work);

	tern_future_complete(&w->future, w->run(w));
}

/* Why it cannot be submitted; 0. */
static int obstacle(const struct tern_work_future *w, const struct tern_loop *home)
{
	if (tern_future_canceled(&w->future))
		return -ECANCELED;
	if (!w->run || w->work.priority > TERN_LOW || (!w->pool && !home))
		return -EINVAL;
	/* what has no home has nobody there to bring it back */
	return w->pool && tern__pool_is_parents(w->pool) ? -ECHILD : 0;
}

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_work_future *w = of_future(f);
	int e;

	if (f->state != TERN_FUTURE_IDLE)
		return tern_future_attach(f, n);
	e = obstacle(w, n->home);
	if (e) {
		f->result = e;
		return TERN_FUTURE_COMPLETE;
	}
	w->work.run = n->home ? run : run_and_complete;
	w->work.done = n->home ? done : NULL;
	tern_future_attach(f, n);
	tern_pool_submit(w->pool, n->home, &w->work);
	return TERN_FUTURE_RUNNING;
}

static void cancel(struct tern_future *f)
{
	struct tern_work_future *w = of_future(f);

	if (f->state == TERN_FUTURE_RUNNING && tern_work_cancel(&w->work) && !w->work.done)
		tern_future_complete(f, -ECANCELED);
}

static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	return property == TERN_FUTURE_ASYNC;
}

static const struct tern_future_ops ops = {sizeof(ops), poll, cancel, has_property};

void tern_work_future_init(struct tern_work_future *w, struct tern_pool *pool,
			   tern_work_future_fn *fn)
{
	*w = (struct tern_work_future){.pool = pool, .run = fn};
	tern_future_init(&w->future, &ops);
	tern_work_init(&w->work, run, done);
}

static int64_t result_of(int error, int system_error)
{
	switch (error) {
	case 0:
		return 0;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return system_error ? -system_error : -EIO;
	default:
		return -ENOENT;
	}
}

static int64_t look_up(struct tern_work_future *w)
{
	struct tern_resolve_future *r = tern_container_of(w, struct tern_resolve_future, work);

	r->error = getaddrinfo(r->node, r->service, r->hints, &r->result);
	/* where it fails, what it leaves there is not defined */
	if (r->error)
		r->result = NULL;
	return result_of(r->error, errno);
}

void tern_resolve_future_init(struct tern_resolve_future *r, struct tern_pool *pool)
{
	*r = (struct tern_resolve_future){.error = 0};
	tern_work_future_init(&r->work, pool, look_up);
}
