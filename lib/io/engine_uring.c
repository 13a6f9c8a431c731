/* SPDX-License-Identifier: MIT */
/*
 * The engine on io_uring, by liburing: a ring for each queue. Requests fill submission entries as
 * they start; one system call hands over what has come together, before the loop looks or sleeps.
 * The ring writes the loop's own descriptor when something is over.
 *
 * With DEFER_TASKRUN completions are made on the loop's thread, when it asks: TASKRUN in the ring's
 * flags says that it should. Such a ring belongs to one thread, so it is set up disabled, and
 * enabled by the first start, on the loop's.
 */
#include <errno.h>

#include "../base/fatal.h"
#include "carry_out.h"
#include "io.h"

#ifndef TERN_URING

static int open_none(void **state, const struct tern_io_engine *engine,
		     const struct tern_io_engine_params *params)
{
	return -ENOSYS;
}

static void close_none(void *state)
{
}

static int start_none(void *state, struct tern_io *io)
{
	return -ENOSYS;
}

const struct tern_io_engine *tern_io_engine_uring(void)
{
	static const struct tern_io_engine engine = {
		.size = sizeof(engine),
		.name = "uring",
		.open = open_none,
		.close = close_none,
		.start = start_none,
	};

	return &engine;
}

#else

#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX    64
#define AT_ONCE	       32		  /* more in one call wait for the disk's tags inside it */
#define SHALLOW	       16		  /* see start() */
#define REGISTERED_MAX ((size_t)64 << 20) /* registered buffers take their memory at once */
#define OP_FTRUNCATE   55		  /* as of Linux 6.9 */

struct ring {
	struct io_uring ring;
	bool enabled, stuck;
	bool truncates, shallow, keeps;
	uint32_t flying;     /* the kernel has them */
	const char *buffers; /* registered; NULL: none */
	size_t buffers_size;
};

/* Of each request: whether what it did last was to wait for its file. Few ever look. */
struct extra {
	bool polled;
};

/* In an entry's user data, beside the request: this waits for its file. */
#define POLLS	       ((uintptr_t)1)

static const unsigned flags_to_try[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
	IORING_SETUP_R_DISABLED,
};

static int set_up(struct ring *r, uint32_t depth)
{
	unsigned entries = depth < ENTRIES_MAX ? depth : ENTRIES_MAX;
	int e = -EINVAL;

	/* an older kernel knows fewer flags */
	for (size_t i = 0; i < sizeof(flags_to_try) / sizeof(*flags_to_try) && e == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = flags_to_try[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = depth > entries ? depth : entries,
		};

		e = io_uring_queue_init_params(entries, &r->ring, &p);
	}
	return e;
}

/* Saves the kernel to look up the pages each time; where the limit on locked memory allows it. */
static void register_buffers(struct ring *r, const struct tern_io_engine_params *params)
{
	struct iovec iov = {params->buffers, params->buffers_size};

	if (params->buffers_size && params->buffers_size <= REGISTERED_MAX &&
	    !io_uring_register_buffers(&r->ring, &iov, 1)) {
		r->buffers = params->buffers;
		r->buffers_size = params->buffers_size;
	}
}

static bool knows(struct ring *r, int op)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&r->ring);
	bool does = probe && probe->last_op >= op && probe->ops[op].flags & IO_URING_OP_SUPPORTED;

	io_uring_free_probe(probe);
	return does;
}

static int open_ring(void **state, const struct tern_io_engine *engine,
		     const struct tern_io_engine_params *params)
{
	struct ring *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	e = set_up(r, params->depth);
	if (e) {
		free(r);
		return e;
	}
	e = io_uring_register_eventfd(&r->ring, params->wake_fd);
	if (e) {
		io_uring_queue_exit(&r->ring);
		free(r);
		return e;
	}
	r->shallow = params->depth <= SHALLOW;
	r->truncates = knows(r, OP_FTRUNCATE);
	register_buffers(r, params);
	*state = r;
	return 0;
}

static void close_ring(void *state)
{
	struct ring *r = state;

	io_uring_queue_exit(&r->ring);
	free(r);
}

static int enable(struct ring *r)
{
	/* not io_uring_enable_rings, which the shared liburing 2.3 forgets to export */
	int e = io_uring_register((unsigned)r->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);

	if (e < 0)
		return e;
	io_uring_register_ring_fd(&r->ring); /* without it each call takes a little longer */
	r->enabled = true;
	return 0;
}

static bool has_work(const struct ring *r)
{
	return IO_URING_READ_ONCE(*r->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static void complete(uintptr_t data, int result)
{
	struct tern_io *io = (struct tern_io *)(data & ~POLLS);

	if (data & POLLS) {
		struct extra *extra = tern_io_engine_data(io);

		/* the transfer itself is still to come: it is started again */
		extra->polled = result >= 0;
		result = result < 0 ? result : -EAGAIN;
	}
	__builtin_prefetch(io->buffer, 1, 2); /* the device had it; done reads or fills it next */
	tern_io_complete(io, result);
}

/* The kernel refuses the call, as a filter has it that was set up late: what it has it keeps. */
static void refuse(struct ring *r, int error)
{
	struct io_uring_sq *sq = &r->ring.sq;
	unsigned from = *sq->khead, to = sq->sqe_tail;

	if (r->flying)
		tern__fatal("io_uring_enter", "refused, with %u requests in the kernel: %s",
			    r->flying, strerror(-error));
	*sq->ktail = sq->sqe_head = sq->sqe_tail = from; /* it looks there only in the call */
	while (from != to)
		complete((uintptr_t)sq->sqes[from++ & sq->ring_mask].user_data, error);
}

/* Some errors mean that it cannot take more now: what is over must be reaped first. */
static bool passes(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -EINTR || error == -ENOMEM;
}

static void note(struct ring *r, int submitted)
{
	if (submitted < 0 && !passes(submitted)) {
		refuse(r, submitted);
		submitted = 0;
	}
	/* a part of it: the kernel may have left before it ran what is listed */
	r->stuck = submitted < 0 || io_uring_sq_ready(&r->ring);
	if (submitted > 0)
		r->flying += (uint32_t)submitted;
}

/*
 * A thread of the kernel's lists its task work, then raises TASKRUN, then writes the eventfd. If we
 * run the work between the first two, the flag stays up for nothing, and the kernel takes it down
 * only when it next has work: so we take it down ourselves, before we ask. Raised afterwards it is
 * true, or costs one call in vain.
 */
static void submit(struct ring *r)
{
	if (has_work(r))
		tern__and_seq(r->ring.sq.kflags, ~IORING_SQ_TASKRUN); /* pairs with the kernel's */
	note(r, io_uring_submit_and_get_events(&r->ring));
}

static void flush(void *state)
{
	struct ring *r = state;

	if (io_uring_sq_ready(&r->ring))
		submit(r);
}

static bool ready(void *state)
{
	struct ring *r = state;

	return io_uring_cq_ready(&r->ring) || has_work(r) || r->stuck;
}

/*
 * What is there comes first: what else is listed is made with the next call that hands over. The
 * kernel makes some 20 at a time, so to ask at once would double the calls at great depths.
 */
static void reap(void *state)
{
	struct ring *r = state;
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	if (!io_uring_cq_ready(&r->ring))
		submit(r);
	io_uring_for_each_cqe(&r->ring, head, cqe)
	{
		complete((uintptr_t)cqe->user_data, cqe->res);
		n++;
	}
	io_uring_cq_advance(&r->ring, n);
	r->flying -= n;
}

static void wait_for_one(void *state)
{
	struct ring *r = state;

	if (!ready(r))
		note(r, io_uring_submit_and_wait(&r->ring, 1));
}

static bool is_registered(const struct ring *r, const struct tern_io_piece *p)
{
	uintptr_t at = (uintptr_t)p->buffer - (uintptr_t)r->buffers;

	return r->buffers && at <= r->buffers_size && p->length <= r->buffers_size - at;
}

static void fill_transfer(const struct ring *r, struct io_uring_sqe *sqe,
			  const struct tern_io_piece *p)
{
	bool reads = p->op == TERN_IO_READ;
	unsigned length = (unsigned)p->length;
	uint64_t offset = (uint64_t)p->offset;

	if (p->iov_count)
		io_uring_prep_rw(reads ? IORING_OP_READV : IORING_OP_WRITEV, sqe, p->fd, p->iov,
				 p->iov_count, offset);
	else if (is_registered(r, p))
		io_uring_prep_rw(reads ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED, sqe, p->fd,
				 p->buffer, length, offset);
	else
		io_uring_prep_rw(reads ? IORING_OP_READ : IORING_OP_WRITE, sqe, p->fd, p->buffer,
				 length, offset);
	if (p->durable)
		sqe->rw_flags = RWF_DSYNC;
}

static void fill(const struct ring *r, struct io_uring_sqe *sqe, const struct tern_io_piece *p)
{
	switch (p->op) {
	case TERN_IO_READ:
	case TERN_IO_WRITE:
		fill_transfer(r, sqe, p);
		break;
	case TERN_IO_FSYNC:
		io_uring_prep_fsync(sqe, p->fd, 0);
		break;
	case TERN_IO_FDATASYNC:
		io_uring_prep_fsync(sqe, p->fd, IORING_FSYNC_DATASYNC);
		break;
	case TERN_IO_ALLOCATE:
		io_uring_prep_fallocate(sqe, p->fd, 0, p->offset, (off_t)p->length);
		break;
	case TERN_IO_DISCARD:
		io_uring_prep_fallocate(sqe, p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					p->offset, (off_t)p->length);
		break;
	default:
		io_uring_prep_rw(OP_FTRUNCATE, sqe, p->fd, NULL, 0, p->length);
	}
	/* not at once, or not here: let a kernel thread wait */
	if (p->blocking)
		sqe->flags |= IOSQE_ASYNC;
}

/* A pipe or socket that has nothing yet is waited for first. */
static bool must_poll(const struct tern_io_piece *p, struct tern_io *io)
{
	struct extra *extra = tern_io_engine_data(io);

	if (!p->blocking || p->offset >= 0)
		return false;
	extra->polled = !extra->polled;
	return extra->polled;
}

static int keep(void *state, uint32_t slot, int fd)
{
	struct ring *r = state;
	int e = 0, none[TERN__IO_SLOTS];

	if (!r->keeps) {
		memset(none, -1, sizeof(none));
		/* not io_uring_register_files, which may raise the limit of descriptors */
		e = io_uring_register((unsigned)r->ring.ring_fd, IORING_REGISTER_FILES, none,
				      TERN__IO_SLOTS);
		r->keeps = !e;
	}
	if (!e)
		e = io_uring_register_files_update(&r->ring, slot, &fd, 1);
	return e < 0 ? e : 0;
}

static struct io_uring_sqe *next_entry(struct ring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

	if (sqe)
		return sqe;
	submit(r);
	return io_uring_get_sqe(&r->ring);
}

static int start(void *state, struct tern_io *io)
{
	struct ring *r = state;
	struct tern_io_piece piece = tern_io_piece(io);
	uintptr_t data = (uintptr_t)io;
	struct io_uring_sqe *sqe;
	int e = r->enabled ? 0 : enable(r);

	if (e)
		return e;
	if (piece.op == TERN_IO_TRUNCATE && !r->truncates) { /* here, then: it is short */
		tern_io_complete(io, tern__carry_out(&piece));
		return 0;
	}
	sqe = next_entry(r);
	if (!sqe)
		return -EAGAIN;
	if (must_poll(&piece, io)) {
		io_uring_prep_poll_add(sqe, piece.fd, piece.op == TERN_IO_READ ? POLLIN : POLLOUT);
		data |= POLLS;
	} else {
		fill(r, sqe, &piece);
	}
	if (piece.slot >= 0) {
		sqe->fd = piece.slot;
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	sqe->user_data = data;
	/*
	 * What is over comes all at once, as interrupts bring it: then the device would do nothing
	 * while the rest comes together. With more in flight another call costs more than that.
	 */
	if ((r->shallow && !r->flying) || io_uring_sq_ready(&r->ring) >= AT_ONCE)
		submit(r);
	return 0;
}

const struct tern_io_engine *tern_io_engine_uring(void)
{
	static const struct tern_io_engine engine = {
		.size = sizeof(engine),
		.name = "uring",
		.request_size = sizeof(struct extra),
		.open = open_ring,
		.close = close_ring,
		.start = start,
		.flush = flush,
		.reap = reap,
		.ready = ready,
		.wait = wait_for_one,
		.keep = keep,
	};

	return &engine;
}

#endif
