/* SPDX-License-Identifier: MIT */
/* A queue's beginning and end, and the requests that it lends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../base/fatal.h"
#include "../base/options.h"
#include "io.h"

#define DEPTH	     32
#define DEPTH_TOP    32768
#define REQUESTS_TOP (1u << 20)
#define BUFFER	     65536
#define BUFFER_TOP   (1u << 30)
#define LINE	     64

static int read_options(struct tern_io_opts *o, const struct tern_io_opts *opts)
{
	int e = tern__options_read(o, sizeof(*o), opts);

	if (e)
		return e;
	o->size = sizeof(*o);
	if (o->depth > DEPTH_TOP || o->requests_max > REQUESTS_TOP ||
	    (o->buffer_size > BUFFER_TOP && o->buffer_size != TERN_NONE) ||
	    (o->writebacks_max > DEPTH_TOP && o->writebacks_max != TERN_NONE) ||
	    (o->stop_on_error && !o->ordered))
		return -EINVAL;
	o->depth = tern__option(o->depth, DEPTH);
	o->requests_max = tern__option(o->requests_max, 2 * o->depth);
	o->buffer_size = tern__option(o->buffer_size, BUFFER);
	o->writebacks_max = tern__option(o->writebacks_max, (o->depth + 1) / 2);
	return 0;
}

/* The memory comes when it is touched: a page of requests, a buffer when it is filled. */
static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static int make_slabs(struct tern_io_queue *q)
{
	q->request_stride =
		round_up(sizeof(struct tern_io), LINE) + round_up(q->engine.request_size, LINE);
	if (q->request_stride > SIZE_MAX / q->opts.requests_max)
		return -ENOMEM;
	q->requests = map(q->opts.requests_max * q->request_stride);
	if (!q->requests)
		return -ENOMEM;
	q->requests_end = q->requests + q->opts.requests_max * q->request_stride;
	return 0;
}

static int make_buffers(struct tern_io_queue *q)
{
	if (!q->opts.buffer_size)
		return 0;
	q->buffer_stride = round_up(q->opts.buffer_size, (size_t)sysconf(_SC_PAGESIZE));
	if (q->buffer_stride > SIZE_MAX / q->opts.requests_max)
		return -ENOMEM;
	q->buffers_size = q->opts.requests_max * q->buffer_stride;
	q->buffers = map(q->buffers_size);
	return q->buffers ? 0 : -ENOMEM;
}

/* A table may be a program's, and older or newer than the library. */
static int read_table(struct tern_io_engine *to, const struct tern_io_engine *from)
{
	int e = tern__options_read(to, sizeof(*to), from);

	if (e)
		return e;
	return to->name && to->open && to->close && to->start && !to->reap == !to->ready &&
			       to->request_size <= BUFFER_TOP
		       ? 0
		       : -EINVAL;
}

static int open_engine(struct tern_io_queue *q, const struct tern_io_engine *engine)
{
	struct tern_io_engine_params params = {
		.size = sizeof(params),
		.home = q->home,
		.depth = q->opts.ordered ? 1 : q->opts.depth,
		.buffers = q->buffers,
		.buffers_size = q->buffers_size,
		.wake_fd = q->home->fd,
	};

	q->engine = *engine;
	return engine->open(&q->state, engine, &params);
}

/* The text for tern_io_queue_engine: which, and if it is the fallback, why. */
static int name_engine(struct tern_io_queue *q, const char *refused, int why)
{
	static const char with_why[] = "%s: %s refused (%s)";
	const char *name = q->engine.name, *said = strerror(why);
	size_t size = sizeof(with_why) + strlen(name) + strlen(refused) + strlen(said);

	q->engine_text = malloc(size); /* not asprintf: tests refuse memory, and count it */
	if (!q->engine_text) {
		q->engine.close(q->state);
		return -ENOMEM;
	}
	if (why)
		snprintf(q->engine_text, size, with_why, name, refused, said);
	else
		snprintf(q->engine_text, size, "%s", name);
	return 0;
}

static int choose_engine(struct tern_io_queue *q)
{
	const struct tern_io_engine *engine = q->opts.engine, *fallback = q->opts.fallback;
	struct tern_io_engine first, second;
	int e = read_table(&first, engine ? engine : tern_io_engine_uring()), why;

	if (!e && fallback)
		e = read_table(&second, fallback);
	if (e)
		return e;
	why = open_engine(q, &first);
	if (why && fallback)
		e = open_engine(q, &second);
	else if (why)
		e = engine ? why : -ENOTSUP;
	return e ? e : name_engine(q, first.name, -why);
}

static void free_slabs(struct tern_io_queue *q)
{
	if (q->requests)
		munmap(q->requests, (size_t)(q->requests_end - q->requests));
	if (q->buffers)
		munmap(q->buffers, q->buffers_size);
	free(q->engine_text);
	free(q);
}

static struct tern_io_queue *queue_of(struct tern__source *source)
{
	return tern_container_of(source, struct tern_io_queue, source);
}

static void flush(struct tern__source *source)
{
	struct tern_io_queue *q = queue_of(source);

	if (q->engine.flush)
		q->engine.flush(q->state);
}

static bool ready(struct tern__source *source)
{
	struct tern_io_queue *q = queue_of(source);

	return q->started && q->engine.ready && q->engine.ready(q->state);
}

static void fetch(struct tern__source *source)
{
	struct tern_io_queue *q = queue_of(source);

	q->engine.reap(q->state);
}

static const void *find_item(struct tern__source *source)
{
	struct tern_io_queue *q = queue_of(source);

	for (char *r = q->requests; r < q->requests + q->used * q->request_stride;
	     r += q->request_stride)
		if (tern__io_state((struct tern_io *)r) > TERN__IO_LENT)
			return r;
	return NULL;
}

static void disarm(struct tern_loop *home, struct tern_timer *timer)
{
	if (timer->loop && home->timers.root) /* else the loop has forgotten all of them */
		tern__timers_remove(&home->timers, timer);
	timer->loop = NULL;
}

/* The queue's timers leave its loop. */
static void disarm_all(struct tern_io_queue *q)
{
	char *end = q->requests + q->used * q->request_stride;

	if (q->retry.loop)
		q->home->timers_own--;
	disarm(q->home, &q->retry);
	for (char *r = q->requests; r < end; r += q->request_stride)
		disarm(q->home, &((struct tern_io *)r)->timer);
}

static void detach(struct tern__source *source)
{
	struct tern_io_queue *q = queue_of(source);

	disarm_all(q);
	q->home = NULL;
}

static const struct tern__source_ops source_ops = {flush, ready, fetch, find_item, detach};

/* What can be had of what somebody was refused. */
static uint8_t granted(const struct tern_io_queue *q)
{
	uint8_t can = 0;

	if (q->lent < q->opts.requests_max)
		can |= TERN__IO_GET;
	if (q->stats.outstanding < q->opts.depth) {
		can |= TERN__IO_SUBMIT;
		if (q->stats.writebacks < q->opts.writebacks_max)
			can |= TERN__IO_WRITE_BACK;
	}
	return q->wants & can;
}

static void room_came(struct tern_node *node)
{
	struct tern_io_queue *q = tern_container_of(node, struct tern_io_queue, room);
	uint8_t now;

	q->room_out = false;
	tern__loop_completed(q->home);
	now = granted(q);
	if (!now)
		return; /* others were faster */
	q->wants &= (uint8_t)~now;
	q->opts.room(q);
}

int tern_io_queue_create(struct tern_io_queue **ret, struct tern_loop *home,
			 const struct tern_io_opts *opts)
{
	struct tern_io_queue *q;
	int e;

	tern__loop_check(home, "tern_io_queue_create");
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->home = home;
	q->made_in = tern__fork_generation();
	e = read_options(&q->opts, opts);
	if (!e)
		e = make_buffers(q);
	if (!e)
		e = choose_engine(q);
	if (!e) {
		e = make_slabs(q);
		if (e)
			q->engine.close(q->state);
	}
	if (e) {
		free_slabs(q);
		return e;
	}
	q->room.deliver = room_came;
	tern_timer_init(&q->retry, tern__io_retry);
	q->source.ops = &source_ops;
	tern__source_attach(home, &q->source, q->engine.reap || q->engine.flush);
	*ret = q;
	return 0;
}

/* In a child it is only memory, and the engine's descriptors, that are given back. */
static void take_down(struct tern_io_queue *q)
{
	bool ours = !tern__forked(q->made_in);

	if (q->home && ours) {
		q->wants = 0;
		while (q->room_out && tern__part_run(q->home, &q->room, &q->room + 1))
			;
	}
	if (q->home && (ours || tern__loop_is_whole(q->home)))
		disarm_all(q);
	if (q->home)
		tern__source_detach(q->home, &q->source);
	for (struct tern__io_entry *e = q->entry; e; e = e->outer)
		e->gone = true;
	if (ours)
		tern__io_empty_slots(q); /* now; a ring lets go of all it has a little later */
	q->engine.close(q->state);
	free_slabs(q);
}

int tern_io_queue_destroy(struct tern_io_queue *q)
{
	if (tern__forked(q->made_in)) {
		take_down(q);
		return 0;
	}
	tern__io_enter(q, "tern_io_queue_destroy");
	if (q->lent || q->bringing)
		return -EBUSY;
	if (q->has_error && !q->error_told) {
		q->error_told = true;
		return -EIO;
	}
	take_down(q);
	return 0;
}

void tern__io_enter(struct tern_io_queue *q, const char *call)
{
	if (tern__forked(q->made_in))
		tern__fatal(call, "queue %p is the parent's", (void *)q);
	if (!q->home)
		tern__fatal(call, "the loop of queue %p is gone", (void *)q);
	tern__loop_enter(q->home, call);
}

void tern__io_note_room(struct tern_io_queue *q)
{
	if (!q->wants || q->room_out || !q->opts.room || !granted(q))
		return;
	q->room_out = true;
	tern__loop_submitted(q->home, 1, true);
	tern__loop_push_own(q->home, &q->room);
}

static struct tern_io *make_request(struct tern_io_queue *q)
{
	struct tern_io *io = (struct tern_io *)(q->requests + q->used * q->request_stride);

	io->queue = q;
	io->own_buffer = q->buffers ? q->buffers + q->used * q->buffer_stride : NULL;
	io->node.deliver = tern__io_deliver;
	q->used++;
	return io;
}

struct tern_io *tern_io_get(struct tern_io_queue *q)
{
	struct tern_node *node;
	struct tern_io *io;

	tern__io_enter(q, "tern_io_get");
	node = tern__fifo_pop(&q->idle);
	if (node)
		io = tern_container_of(node, struct tern_io, node);
	else if (q->used < q->opts.requests_max)
		io = make_request(q);
	else {
		q->wants |= TERN__IO_GET;
		return NULL;
	}
	q->lent++;
	io->op = TERN_IO_NONE;
	io->flags = 0;
	io->iov_count = 0;
	io->file = (struct tern_io_file){.fd = -1};
	io->offset = io->length = io->deadline_ns = 0;
	io->buffer = io->own_buffer;
	io->iov = NULL;
	io->done = NULL;
	io->result = 0;
	io->refused = NULL;
	io->state = TERN__IO_LENT;
	return io;
}

void tern__io_recycle(struct tern_io *io)
{
	struct tern_io_queue *q = io->queue;

	io->state = TERN__IO_IDLE;
	tern__fifo_push(&q->idle, &io->node);
	q->lent--;
}

void tern_io_release(struct tern_io *io)
{
	tern__io_enter(io->queue, "tern_io_release");
	if (tern__io_state(io) != TERN__IO_LENT)
		tern__fatal("tern_io_release", "request %p is not yours", (void *)io);
	tern__io_recycle(io);
	tern__io_note_room(io->queue);
}

uint32_t tern_io_depth(const struct tern_io_queue *q)
{
	return q->opts.depth;
}

void *tern_io_queue_user(const struct tern_io_queue *q)
{
	return q->opts.user;
}

uint32_t tern_io_outstanding(const struct tern_io_queue *q)
{
	return q->stats.outstanding;
}

const char *tern_io_queue_engine(const struct tern_io_queue *q)
{
	return q->engine_text;
}

int tern_io_stats(const struct tern_io_queue *q, struct tern_io_stats *stats)
{
	struct tern_io_stats known = q->stats;

	/* the histograms' own counts are not kept: they are made up here */
	for (unsigned op = 0; op < TERN_IO_OPS; op++) {
		known.latency[op] = (struct tern_histogram){0};
		tern__histogram_merge(&known.latency[op], &q->stats.latency[op]);
	}
	return tern__options_write(stats, &known, sizeof(known));
}
