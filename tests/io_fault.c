/* SPDX-License-Identifier: MIT */
/*
 * An engine that goes wrong by a seed: errors, short transfers, -EAGAIN, -EINTR, delay, any order.
 * What it does not refuse it carries out, by system calls of its own.
 */
#include "io_fault.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOVS 16 /* of a piece that it passes on; of the rest a short transfer is made */

/* Of each request: what its buffers held when it was started. */
struct trace {
	uint64_t sum;
};

static uint64_t sum_of(const struct tern_io_piece *p)
{
	const struct iovec one = {p->buffer, p->length}, *iov = p->iov_count ? p->iov : &one;
	uint64_t sum = 1;

	for (uint32_t i = 0; i < (p->iov_count ? p->iov_count : 1); i++)
		for (size_t j = 0; j < iov[i].iov_len; j += 8)
			sum = sum * 31 + ((const unsigned char *)iov[i].iov_base)[j];
	return sum;
}

static bool happens(uint64_t *seed, uint8_t odds)
{
	return draw(seed, 256) < odds;
}

/* At most so many bytes of a read or write. */
static int64_t move(const struct tern_io_piece *p, uint64_t bytes)
{
	struct iovec some[IOVS];
	int n = 0;
	ssize_t moved;

	for (uint32_t i = 0; i < (p->iov_count ? p->iov_count : 1) && n < IOVS && bytes; i++) {
		some[n] = p->iov_count ? p->iov[i] : (struct iovec){p->buffer, p->length};
		if (some[n].iov_len > bytes)
			some[n].iov_len = bytes;
		bytes -= some[n++].iov_len;
	}
	if (p->op == TERN_IO_READ)
		moved = preadv(p->fd, some, n, p->offset);
	else
		moved = pwritev(p->fd, some, n, p->offset);
	return moved < 0 ? -errno : moved;
}

static int64_t carry_out(const struct tern_io_piece *p, uint64_t bytes)
{
	int e = 0;

	switch (p->op) {
	case TERN_IO_READ:
	case TERN_IO_WRITE:
		return move(p, bytes);
	case TERN_IO_FSYNC:
	case TERN_IO_FDATASYNC: /* nothing here is to outlive the machine */
		break;
	case TERN_IO_ALLOCATE:
		e = fallocate(p->fd, 0, p->offset, (off_t)p->length);
		break;
	case TERN_IO_DISCARD:
		e = fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, p->offset,
			      (off_t)p->length);
		break;
	case TERN_IO_TRUNCATE:
		e = ftruncate(p->fd, (off_t)p->length);
		break;
	default:
		return -ENOSYS;
	}
	return e ? -errno : 0;
}

/* What comes of a piece. With an error, too, part of it may have been done. */
static int64_t fate(struct fault_engine *f, const struct tern_io_piece *p)
{
	uint64_t grains = p->length / f->grain, bytes = p->length;
	bool moves = p->op == TERN_IO_READ || p->op == TERN_IO_WRITE;

	if (happens(&f->fates, f->odds.interrupted))
		return -EINTR;
	if (!p->blocking && happens(&f->fates, f->odds.again))
		return -EAGAIN;
	if (moves && grains > 1 && happens(&f->fates, f->odds.brief))
		bytes = (1 + draw(&f->fates, (uint32_t)grains - 1)) * f->grain;
	if (happens(&f->fates, f->odds.error)) {
		if (moves && grains > 1 && draw(&f->fates, 2))
			move(p, (1 + draw(&f->fates, (uint32_t)grains - 1)) * f->grain);
		return draw(&f->fates, 2) ? -EIO : -ENOSPC;
	}
	return carry_out(p, bytes);
}

static void complete(struct fault_engine *f, struct tern_io *io)
{
	const struct tern_io_piece piece = tern_io_piece(io);
	const struct trace *trace = tern_io_engine_data(io);
	int64_t result = fate(f, &piece);

	if (piece.op == TERN_IO_WRITE && sum_of(&piece) != trace->sum)
		f->overwritten++;
	tern_io_complete(io, result);
}

static struct tern_io *take_any(struct fault_engine *f)
{
	unsigned i = draw(&f->fates, f->n);
	struct tern_io *io = f->held[i];

	f->held[i] = f->held[--f->n];
	return io;
}

static void *complete_on_thread(void *arg)
{
	struct fault_engine *f = arg;

	pthread_mutex_lock(&f->lock);
	while (f->n || !f->ends) {
		struct tern_io *io;

		if (!f->n) {
			pthread_cond_wait(&f->some, &f->lock);
			continue;
		}
		io = take_any(f);
		pthread_mutex_unlock(&f->lock);
		for (unsigned i = draw(&f->fates, 4); i; i--) /* others may come */
			sched_yield();
		complete(f, io);
		pthread_mutex_lock(&f->lock);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

static int fault_open(void **state, const struct tern_io_engine *engine,
		      const struct tern_io_engine_params *params)
{
	struct fault_engine *f = engine->user;

	f->opened++;
	f->ends = false;
	f->wake_fd = params->wake_fd;
	if (f->pace == FAULT_THREAD)
		f->thread = thread_new(complete_on_thread, f);
	*state = f;
	return 0;
}

static void fault_close(void *state)
{
	struct fault_engine *f = state;

	f->closed++;
	if (f->pace != FAULT_THREAD)
		return;
	pthread_mutex_lock(&f->lock);
	f->ends = true;
	pthread_cond_signal(&f->some);
	pthread_mutex_unlock(&f->lock);
	thread_join(f->thread);
}

static int fault_start(void *state, struct tern_io *io)
{
	struct fault_engine *f = state;
	const struct tern_io_piece piece = tern_io_piece(io);
	struct trace *trace = tern_io_engine_data(io);
	int e = 0;

	if (piece.op == TERN_IO_WRITE)
		trace->sum = sum_of(&piece);
	pthread_mutex_lock(&f->lock);
	if (happens(&f->seed, f->odds.refusal))
		e = -EAGAIN;
	else if (happens(&f->seed, f->odds.refusal_error))
		e = -EIO;
	else if (f->pace != FAULT_INSIDE)
		f->held[f->n++] = io;
	pthread_cond_signal(&f->some);
	pthread_mutex_unlock(&f->lock);
	if (!e && f->pace == FAULT_INSIDE)
		complete(f, io);
	return e;
}

static void fault_flush(void *state)
{
	struct fault_engine *f = state;
	const uint64_t one = 1;

	if (f->n)
		ck_assert_int_eq(write(f->wake_fd, &one, sizeof(one)), sizeof(one));
}

/* Some of them, or none; the others are for another turn. */
static void fault_reap(void *state)
{
	struct fault_engine *f = state;

	for (unsigned some = draw(&f->fates, f->n + 1); some; some--)
		complete(f, take_any(f));
	fault_flush(f);
}

static bool fault_ready(void *state)
{
	return ((const struct fault_engine *)state)->n;
}

void fault_engine_init(struct fault_engine *f, enum fault_pace pace, uint64_t seed,
		       struct fault_odds odds)
{
	*f = (struct fault_engine){.pace = pace, .odds = odds, .grain = 512};
	f->seed = seed;
	f->fates = ~seed;
	f->table = (struct tern_io_engine){
		.size = sizeof(f->table),
		.name = "fault",
		.request_size = sizeof(struct trace),
		.user = f,
		.open = fault_open,
		.close = fault_close,
		.start = fault_start,
	};
	if (pace == FAULT_TURNS) {
		f->table.flush = fault_flush;
		f->table.reap = fault_reap;
		f->table.ready = fault_ready;
	}
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->some, NULL);
}

void fault_engine_check(const struct fault_engine *f)
{
	ck_assert_uint_eq(f->opened, f->closed);
	ck_assert_uint_eq(f->n, 0);
	ck_assert_uint_eq(f->overwritten, 0);
}
