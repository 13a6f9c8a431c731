/* SPDX-License-Identifier: MIT */
/*
 * The functions of <ucw/asio.h>, on the thread of the queue's owner: requests lent and returned,
 * the counts, and what is kept of write-backs that failed. carrier.c carries requests out.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

enum state {
	IDLE,
	LENT,
	RUNNING,
	DONE, /* until wait gives it out */
};

/* As the library's own: one line to the hook, and the end. */
__attribute__((noreturn)) static void fatal(const char *call, const void *item, const char *what)
{
	tern_fatal_fn *hook = tern_set_fatal(NULL);
	char line[160];

	snprintf(line, sizeof(line), "tern: %s: %p %s", call, item, what);
	hook(line);
	abort();
}

void tern_compat_asio_init_queue(struct asio_queue *q)
{
	const struct asio_queue made = {
		.buffer_size = q->buffer_size,
		.max_writebacks = q->max_writebacks,
		.use_count = q->use_count,
	};

	if (!q->buffer_size)
		fatal("asio_init_queue", q, "has no buffer_size");
	*q = made;
}

static void tell(const struct asio_queue *q)
{
	const struct tern_io_error *e = &q->first_write_error;
	char at[32] = "";

	if (e->offset != TERN_IO_NEXT)
		snprintf(at, sizeof(at), " at %llu", (unsigned long long)e->offset);
	fprintf(stderr,
		"tern: asio: write-backs that failed: %u; the first: fd %d, %llu bytes%s: %s\n",
		q->write_errors, e->fd, (unsigned long long)e->length, at, strerror(e->error));
}

static void note_error(struct asio_queue *q, const struct asio_request *r)
{
	const struct tern_io_error error = {
		.fd = r->fd,
		.offset = r->work.position,
		.length = r->len,
		.error = r->returned_errno,
	};

	if (!q->write_errors++)
		q->first_write_error = error;
	if (q->write_error)
		q->write_error(q, &error);
	else if (q->write_errors == 1)
		tell(q);
}

uns tern_compat_asio_write_errors(struct asio_queue *q, struct tern_io_error *first)
{
	uns n = q->write_errors;

	if (n)
		*first = q->first_write_error;
	q->write_errors = 0;
	return n;
}

static struct asio_request *request_new(struct asio_queue *q)
{
	struct asio_request *r = calloc(1, sizeof(*r));
	void *buffer;

	if (!r || posix_memalign(&buffer, (size_t)sysconf(_SC_PAGESIZE), q->buffer_size)) {
		free(r);
		errno = ENOMEM;
		return NULL;
	}
	r->queue = q;
	r->buffer = buffer;
	r->work.buffer_size = q->buffer_size;
	return r;
}

struct asio_request *tern_compat_asio_get(struct asio_queue *q)
{
	struct asio_request *r = tern__asio_list_take(&q->idle_list);

	if (!r)
		r = request_new(q);
	if (!r)
		return NULL;
	r->fd = -1;
	r->op = ASIO_FREE;
	r->len = 0;
	r->status = -1;
	r->returned_errno = -1;
	r->submitted = 0;
	r->work.state = LENT;
	q->allocated_requests++;
	return r;
}

static void give_back(struct asio_request *r)
{
	r->work.state = IDLE;
	r->submitted = 0;
	r->queue->allocated_requests--;
	tern__asio_list_add(&r->queue->idle_list, r);
}

void tern_compat_asio_put(struct asio_request *r)
{
	if (r->work.state != LENT)
		fatal("asio_put", r, "is not lent");
	give_back(r);
}

/* A request is over. What the callback is told of may be used again by what it calls. */
static void settle(struct asio_queue *q, struct asio_request *r)
{
	if (r->op != ASIO_WRITE_BACK) {
		r->work.state = DONE;
		tern__asio_list_add(&q->done_list, r);
		return;
	}
	give_back(r);
	if (r->status < 0)
		note_error(q, r);
}

/* Waits for one that is running. False: none is. */
static bool collect(struct asio_queue *q)
{
	struct asio_request *r;

	if (!q->running_requests)
		return false;
	r = tern__asio_carrier_take(q->queue);
	q->running_requests--;
	q->running_writebacks -= r->op == ASIO_WRITE_BACK;
	settle(q, r);
	return true;
}

/* Why not even to begin with it, or 0. */
static int refusal(const struct asio_queue *q, const struct asio_request *r)
{
	if (r->len > r->work.buffer_size || r->len > INT_MAX)
		return -EINVAL;
	if (r->op == ASIO_WRITE_BACK)
		return q->max_writebacks ? 0 : -EINVAL;
	return r->op == ASIO_READ || r->op == ASIO_WRITE ? 0 : -EINVAL;
}

void tern_compat_asio_submit(struct asio_request *r)
{
	struct asio_queue *q = r->queue;
	int e;

	if (r->work.state != LENT)
		fatal("asio_submit", r, "is not lent");
	r->work.refused = refusal(q, r);
	if (r->op == ASIO_WRITE_BACK && q->max_writebacks)
		while (q->running_writebacks >= q->max_writebacks)
			collect(q);
	r->submitted = 1;
	e = q->queue ? 0 : tern__asio_carrier_create(&q->queue);
	if (e) { /* then none is running */
		tern__asio_set_position(r);
		tern__asio_set_result(r, e);
		settle(q, r);
		return;
	}
	r->work.state = RUNNING;
	q->running_requests++;
	q->running_writebacks += r->op == ASIO_WRITE_BACK;
	tern__asio_carrier_add(q->queue, r);
}

struct asio_request *tern_compat_asio_wait(struct asio_queue *q)
{
	struct asio_request *r;

	while (!(r = tern__asio_list_take(&q->done_list)))
		if (!collect(q))
			return NULL;
	r->work.state = LENT;
	r->submitted = 0;
	return r;
}

void tern_compat_asio_sync(struct asio_queue *q)
{
	while (collect(q))
		;
}

void tern_compat_asio_cleanup_queue(struct asio_queue *q)
{
	struct asio_request *r;

	tern_compat_asio_sync(q);
	if (q->allocated_requests)
		fatal("asio_cleanup_queue", q, "has requests that were not returned");
	if (q->write_errors > 1 && !q->write_error)
		tell(q);
	while ((r = tern__asio_list_take(&q->idle_list))) {
		free(r->buffer);
		free(r);
	}
	if (q->queue)
		tern__asio_carrier_destroy(q->queue);
	q->queue = NULL;
}
