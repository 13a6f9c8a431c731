/* SPDX-License-Identifier: MIT */
/*
 * Carries out the requests of one asio_queue, one by one, in order.
 *
 * A request goes to the thread as a post, and waits there in a list until those before it are over.
 * All of a carrier is the thread's, but for what is finished, which is under its lock and comes
 * back without a loop: the owner of an asio_queue need not have one, nor be always one thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "private.h"

struct tern_compat_asio_carrier {
	struct asio_thread *thread;
	struct tern_loop *loop;
	struct tern_io_queue *queue; /* NULL: not to be had so far */
	struct tern_io *io;	     /* the only one it lends */
	struct tern_compat_asio_list waiting;
	struct asio_request *running;
	struct tern_post leave;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct tern_compat_asio_list finished;
	bool left;
};

void tern__asio_set_position(struct asio_request *r)
{
	if (r->op == ASIO_WRITE_BACK)
		r->work.position = (uint64_t)lseek(r->fd, 0, SEEK_CUR); /* or TERN_IO_NEXT */
}

void tern__asio_set_result(struct asio_request *r, int64_t result)
{
	r->status = result < 0 ? -1 : (int)result;
	r->returned_errno = result < 0 ? (int)-result : 0;
}

static void finish(struct tern_compat_asio_carrier *c, struct asio_request *r, int64_t result)
{
	tern__asio_set_result(r, result);
	pthread_mutex_lock(&c->lock);
	tern__asio_list_add(&c->finished, r);
	pthread_cond_signal(&c->news);
	pthread_mutex_unlock(&c->lock);
}

static int have_queue(struct tern_compat_asio_carrier *c)
{
	int e = c->queue ? 0 : tern__asio_thread_queue(c->thread, &c->queue);

	if (!e && !c->io)
		c->io = tern_io_get(c->queue);
	return e;
}

/*
 * The file as it is, with or without O_DIRECT, which is of packets where there are no positions.
 * Asked each time: numbers are used again.
 */
static int look_at(struct tern_io_file *file, int fd)
{
	int flags = fcntl(fd, F_GETFL);
	bool direct;

	if (flags < 0)
		return -errno;
	direct = flags & O_DIRECT && lseek(fd, 0, SEEK_CUR) >= 0;
	return tern_io_adopt(file, fd, direct ? TERN_IO_DIRECT : TERN_IO_BUFFERED);
}

static void on_done(struct tern_io *io);

static int begin(struct tern_compat_asio_carrier *c, struct asio_request *r)
{
	struct tern_io_file file;
	int e = r->work.refused;

	tern__asio_set_position(r);
	if (!e)
		e = have_queue(c);
	if (!e)
		e = look_at(&file, r->fd);
	if (e)
		return e;
	if (r->op == ASIO_READ)
		tern_io_prep_read(c->io, &file, TERN_IO_NEXT, r->len);
	else
		tern_io_prep_write(c->io, &file, TERN_IO_NEXT, r->len);
	c->io->buffer = r->buffer;
	c->io->done = on_done;
	c->io->user = c;
	return tern_io_submit(c->io);
}

static void go_on(struct tern_compat_asio_carrier *c)
{
	while (!c->running) {
		struct asio_request *r = tern__asio_list_take(&c->waiting);
		int e;

		if (!r)
			return;
		e = begin(c, r);
		if (e)
			finish(c, r, e);
		else
			c->running = r;
	}
}

static void on_done(struct tern_io *io)
{
	struct tern_compat_asio_carrier *c = io->user;
	struct asio_request *r = c->running;

	c->running = NULL;
	finish(c, r, io->result);
	go_on(c);
}

static void on_arrival(struct tern_post *post)
{
	struct asio_request *r = tern_container_of(post, struct asio_request, work.post);
	struct tern_compat_asio_carrier *c = r->work.carrier;

	tern__asio_list_add(&c->waiting, r);
	go_on(c);
}

void tern__asio_carrier_add(struct tern_compat_asio_carrier *c, struct asio_request *r)
{
	r->work.carrier = c;
	tern_post_init(&r->work.post, on_arrival);
	tern_loop_post(c->loop, &r->work.post);
}

struct asio_request *tern__asio_carrier_take(struct tern_compat_asio_carrier *c)
{
	struct asio_request *r;

	pthread_mutex_lock(&c->lock);
	while (!(r = tern__asio_list_take(&c->finished)))
		pthread_cond_wait(&c->news, &c->lock);
	pthread_mutex_unlock(&c->lock);
	return r;
}

int tern__asio_carrier_create(struct tern_compat_asio_carrier **ret)
{
	struct tern_compat_asio_carrier *c = malloc(sizeof(*c));
	int e;

	if (!c)
		return -ENOMEM;
	*c = (struct tern_compat_asio_carrier){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.news = PTHREAD_COND_INITIALIZER,
	};
	e = tern__asio_thread_get(&c->thread, &c->loop);
	if (e) {
		free(c);
		return e;
	}
	*ret = c;
	return 0;
}

static void on_leave(struct tern_post *post)
{
	struct tern_compat_asio_carrier *c =
		tern_container_of(post, struct tern_compat_asio_carrier, leave);

	if (c->queue) {
		tern_io_release(c->io);
		tern_io_queue_destroy(c->queue);
	}
	pthread_mutex_lock(&c->lock);
	c->left = true;
	pthread_cond_signal(&c->news);
	pthread_mutex_unlock(&c->lock);
}

void tern__asio_carrier_destroy(struct tern_compat_asio_carrier *c)
{
	tern_post_init(&c->leave, on_leave);
	tern_loop_post(c->loop, &c->leave);
	pthread_mutex_lock(&c->lock);
	while (!c->left)
		pthread_cond_wait(&c->news, &c->lock);
	pthread_mutex_unlock(&c->lock);
	tern__asio_thread_put(c->thread);
	pthread_cond_destroy(&c->news);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
