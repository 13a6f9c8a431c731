/* SPDX-License-Identifier: MIT */
/*
 * The thread that carries requests out while their owners do something else: one for the process,
 * made with the first queue that submits and gone with the last. It runs a tern loop, which is the
 * home of a tern_io_queue for each asio_queue, so all of them are served at the same time.
 *
 * Their engine is io_uring. Where that cannot be had it is a pool, made when it first turns out.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <tern/io_engine.h>
#include <tern/pool.h>
#include <unistd.h>

#include "private.h"

/* A thread of the pool for each queue that has something to wait for, and one to spare. */
#define POOL_THREADS_MAX 1024

struct asio_thread {
	struct tern_loop *loop;
	struct tern_pool *pool; /* NULL: not needed so far */
	pthread_t thread;
	struct tern_post leave;
	unsigned users; /* under the lock */
	pid_t pid;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct asio_thread *current; /* under the lock; NULL: nobody needs it */

static void *run(void *arg)
{
	struct asio_thread *t = arg;

	while (tern_loop_run(t->loop)) /* no poll for now: it is tried again */
		;
	return NULL;
}

static void on_leave(struct tern_post *post)
{
	tern_loop_release(tern_container_of(post, struct asio_thread, leave)->loop);
}

/* Signals are for the program's own threads; those of a write, SIGPIPE too, become its error. */
static int start(struct asio_thread *t)
{
	sigset_t all, before;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&t->thread, NULL, run, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!e)
		pthread_setname_np(t->thread, "asio");
	return -e;
}

static int begin(struct asio_thread **ret)
{
	struct asio_thread *t = calloc(1, sizeof(*t));
	int e;

	if (!t)
		return -ENOMEM;
	t->pid = getpid();
	tern_post_init(&t->leave, on_leave);
	e = tern_loop_create(&t->loop, NULL);
	if (!e) {
		tern_loop_hold(t->loop);
		e = start(t);
		if (!e) {
			*ret = t;
			return 0;
		}
		tern_loop_release(t->loop);
		tern_loop_destroy(t->loop);
	}
	free(t);
	return e;
}

static void end(struct asio_thread *t)
{
	tern_loop_post(t->loop, &t->leave);
	pthread_join(t->thread, NULL);
	tern_loop_destroy(t->loop);
	if (t->pool)
		tern_pool_destroy(t->pool);
	free(t);
}

/* The current one for one more user, which is made the current one if there is none. */
static struct asio_thread *use(struct asio_thread *made)
{
	struct asio_thread *t;

	pthread_mutex_lock(&lock);
	if (!current || current->pid != getpid()) /* a parent's stayed there */
		current = made;
	t = current;
	if (t)
		t->users++;
	pthread_mutex_unlock(&lock);
	return t;
}

int tern__asio_thread_get(struct asio_thread **ret, struct tern_loop **loop)
{
	struct asio_thread *t = use(NULL), *made;
	int e;

	if (!t) {
		e = begin(&made);
		if (e)
			return e;
		t = use(made);
		if (t != made) /* another was faster */
			end(made);
	}
	*loop = t->loop;
	*ret = t;
	return 0;
}

void tern__asio_thread_put(struct asio_thread *t)
{
	bool last;

	pthread_mutex_lock(&lock);
	last = !--t->users;
	if (last && current == t)
		current = NULL;
	pthread_mutex_unlock(&lock);
	if (last)
		end(t);
}

static int create_on(struct asio_thread *t, struct tern_io_queue **ret,
		     const struct tern_io_engine *engine)
{
	const struct tern_io_opts opts = {
		.size = sizeof(opts),
		.depth = 1,
		.requests_max = 1,
		.buffer_size = TERN_NONE,
		.ordered = true, /* for TERN_IO_NEXT */
		.engine = engine,
	};

	return tern_io_queue_create(ret, t->loop, &opts);
}

int tern__asio_thread_queue(struct asio_thread *t, struct tern_io_queue **ret)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = TERN_NONE,
		.threads_max = POOL_THREADS_MAX,
		.name = "asio",
	};
	struct tern_io_engine engine;
	int e = create_on(t, ret, tern_io_engine_uring());

	if (!e)
		return 0;
	if (!t->pool) {
		e = tern_pool_create(&t->pool, &opts);
		if (e)
			return e;
	}
	tern_io_engine_pool(&engine, t->pool, 1);
	return create_on(t, ret, &engine);
}
