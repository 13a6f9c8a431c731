/* SPDX-License-Identifier: MIT */
/*
 * Queues on an engine that goes wrong, over many seeds, against a model of the file: each request
 * is over exactly once, with what may come of it; no buffer is used too early or too late; and what
 * is in the file afterwards is what was said to be there.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "io_fault.h"

#define BLOCK  4096
#define GRAIN  512
#define BLOCKS 32
#define SLOTS  24
#define BUFFER (2 * BLOCK)
#define STEPS  300
#define CANARY 0xee

/* One request that is out. */
struct slot {
	struct tern_io *io; /* NULL: none is */
	uint8_t op;
	bool canceled;
	unsigned block, blocks, version;
	char *mine; /* its buffer, if it is not the request's own */
	struct iovec iov[3];
};

/* A run by one seed. */
static struct {
	uint64_t seed;
	struct bed bed;
	struct slot slots[SLOTS];
	unsigned submitted, over, writebacks, errors_told;
	int first_error;
	bool stops, in_done;
	/* of each block: who writes or reads it, and which writes may be in it */
	bool busy[BLOCKS];
	unsigned certain[BLOCKS], latest[BLOCKS];
	bool back[BLOCKS], back_failed[BLOCKS]; /* a write-back is out, or has failed */
} m;

static void submit_some(void);

/* Every grain of a block is that of one write, and of one that may be there. */
static bool may_hold(const char *bytes, unsigned block)
{
	for (unsigned at = 0; at < BLOCK; at += GRAIN) {
		unsigned version = m.certain[block];

		while (!has_stamp(bytes + at, (uint64_t)block * BLOCK + at, GRAIN, version))
			if (++version > m.latest[block])
				return false;
	}
	return true;
}

static void check_error(const struct slot *slot, int64_t result)
{
	bool canceled = result == -ECANCELED && (slot->canceled || m.stops);

	ck_assert_msg(result == -EIO || result == -ENOSPC || canceled, "op %d: %d", slot->op,
		      (int)result);
}

static void check_transfer(const struct slot *slot)
{
	const struct tern_io *io = slot->io;
	const char *bytes = io->buffer;
	unsigned length = slot->blocks * BLOCK;

	if (io->result >= 0)
		ck_assert_int_eq(io->result, length);
	if (slot->op == TERN_IO_WRITE) /* nobody has touched it */
		ck_assert(has_stamp(bytes, io->offset, length, slot->version));
	for (unsigned i = 0; i < slot->blocks; i++) {
		unsigned block = slot->block + i;

		m.busy[block] = false;
		if (io->result >= 0 && slot->op == TERN_IO_WRITE)
			m.certain[block] = slot->version;
		else if (io->result >= 0)
			ck_assert(may_hold(bytes + (size_t)i * BLOCK, block));
	}
	if (slot->op == TERN_IO_READ && !slot->mine)
		for (unsigned i = length; i < BUFFER; i++)
			ck_assert_int_eq((unsigned char)bytes[i], CANARY);
}

static void is_over(struct tern_io *io)
{
	struct slot *slot = io->user;

	ck_assert_ptr_eq(slot->io, io);
	m.over++;
	if (io->result < 0)
		check_error(slot, io->result);
	if (slot->op == TERN_IO_READ || slot->op == TERN_IO_WRITE)
		check_transfer(slot);
	else
		ck_assert_int_le(io->result, 0);
	if (slot->mine)
		memset(slot->mine, 0x11, BUFFER); /* who still uses it spoils something */
	free(slot->mine);
	memset(io->own_buffer, 0x22, BUFFER);
	*slot = (struct slot){.io = NULL};
	tern_io_release(io);
}

static void done(struct tern_io *io)
{
	ck_assert(!m.in_done);
	m.in_done = true;
	is_over(io);
	if (!draw(&m.seed, 3))
		submit_some();
	m.in_done = false;
}

static void told(struct tern_io_queue *queue, const struct tern_io_error *error)
{
	ck_assert_int_eq(error->fd, m.bed.file.fd);
	ck_assert(error->error == EIO || error->error == ENOSPC ||
		  (m.stops && error->error == ECANCELED));
	if (!m.errors_told++)
		m.first_error = error->error;
	for (uint64_t at = 0; at < error->length; at += BLOCK) {
		unsigned block = (unsigned)((error->offset + at) / BLOCK);

		ck_assert(m.back[block] && !m.back_failed[block]);
		m.back_failed[block] = true;
	}
}

/* Some blocks that nobody uses; how many, 0: these are in use. */
static unsigned find_blocks(unsigned *first)
{
	unsigned n = 1 + draw(&m.seed, 2);

	*first = draw(&m.seed, BLOCKS - 1);
	for (unsigned i = 0; i < n; i++)
		if (m.busy[*first + i])
			return 0;
	return n;
}

/* In a buffer of its own, one of ours, or three of ours that lie together. */
static void describe(struct slot *slot)
{
	struct tern_io *io = slot->io;
	const size_t length = (size_t)slot->blocks * BLOCK;
	const uint64_t offset = (uint64_t)slot->block * BLOCK;
	bool writes = slot->op != TERN_IO_READ;

	if (slot->op != TERN_IO_WRITEBACK && draw(&m.seed, 3) == 0) {
		slot->mine = calloc(1, BUFFER);
		slot->iov[0] = (struct iovec){slot->mine, GRAIN};
		slot->iov[1] = (struct iovec){slot->mine + GRAIN, BLOCK};
		slot->iov[2] = (struct iovec){slot->mine + GRAIN + BLOCK, length - GRAIN - BLOCK};
	}
	if (slot->mine && slot->blocks > 1 && writes)
		tern_io_prep_writev(io, &m.bed.file, offset, slot->iov, 3);
	else if (slot->mine && slot->blocks > 1)
		tern_io_prep_readv(io, &m.bed.file, offset, slot->iov, 3);
	else if (slot->op == TERN_IO_WRITEBACK)
		tern_io_prep_writeback(io, &m.bed.file, offset, length);
	else if (writes)
		tern_io_prep_write(io, &m.bed.file, offset, length);
	else
		tern_io_prep_read(io, &m.bed.file, offset, length);
	if (slot->mine)
		io->buffer = slot->mine;
	memset(io->buffer, CANARY, BUFFER);
	if (writes)
		stamp(io->buffer, offset, length, slot->version);
}

static bool prepare_transfer(struct slot *slot, uint8_t op)
{
	slot->op = op;
	slot->blocks = find_blocks(&slot->block);
	if (!slot->blocks)
		return false;
	if (op != TERN_IO_READ)
		for (unsigned i = 0; i < slot->blocks; i++)
			slot->version = m.latest[slot->block + i] >= slot->version
						? m.latest[slot->block + i] + 1
						: slot->version;
	describe(slot);
	return true;
}

static bool prepare(struct slot *slot)
{
	switch (draw(&m.seed, 12)) {
	case 0:
		slot->op = TERN_IO_FDATASYNC;
		tern_io_prep_fdatasync(slot->io, &m.bed.file);
		return true;
	case 1:
		slot->op = TERN_IO_BARRIER;
		tern_io_prep_barrier(slot->io);
		return true;
	case 2:
	case 3:
	case 4:
	case 5:
		return prepare_transfer(slot, TERN_IO_READ);
	case 6:
	case 7:
		return prepare_transfer(slot, TERN_IO_WRITEBACK);
	default:
		return prepare_transfer(slot, TERN_IO_WRITE);
	}
}

static void note_submitted(struct slot *slot)
{
	bool back = slot->op == TERN_IO_WRITEBACK;

	m.submitted += !back;
	m.writebacks += back;
	for (unsigned i = 0; i < slot->blocks; i++) {
		m.busy[slot->block + i] = true;
		m.back[slot->block + i] = back;
		if (slot->op != TERN_IO_READ)
			m.latest[slot->block + i] = slot->version;
	}
	if (back) /* the request is not ours any more */
		slot->io = NULL;
}

static void submit_one(struct slot *slot)
{
	int e;

	slot->io = tern_io_get(m.bed.queue);
	if (!slot->io)
		return;
	for (unsigned i = 0; i < SLOTS; i++) /* nothing is lent twice */
		ck_assert(&m.slots[i] == slot || m.slots[i].io != slot->io);
	e = prepare(slot) ? 0 : -EAGAIN;
	if (!e) {
		slot->io->user = slot;
		slot->io->done =
			slot->op == TERN_IO_WRITEBACK || draw(&m.seed, 3) == 0 ? NULL : done;
		e = tern_io_submit(slot->io);
		ck_assert(!e || e == -EAGAIN);
	}
	if (!e) {
		note_submitted(slot);
		return;
	}
	tern_io_release(slot->io);
	free(slot->mine);
	*slot = (struct slot){.io = NULL};
}

static void submit_some(void)
{
	for (unsigned n = draw(&m.seed, 4); n; n--) {
		struct slot *slot = &m.slots[draw(&m.seed, SLOTS)];

		if (slot->io)
			continue;
		*slot = (struct slot){.io = NULL};
		submit_one(slot);
	}
}

/* All is over: the write-backs of which nothing was said have done their work. */
static void settle(void)
{
	for (struct tern_io *io; (io = tern_io_wait(m.bed.queue));)
		is_over(io);
	ck_assert_uint_eq(tern_io_outstanding(m.bed.queue), 0);
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (m.back[i] && !m.back_failed[i])
			m.certain[i] = m.latest[i];
		m.back[i] = m.back_failed[i] = m.busy[i] = false;
	}
	ck_assert_uint_eq(m.over, m.submitted);
}

static void sync_all(void)
{
	int e = tern_io_sync(m.bed.queue);

	settle();
	ck_assert_int_eq(e, m.errors_told ? -m.first_error : 0);
	m.errors_told = 0;
}

static void cancel_one(void)
{
	struct slot *slot = &m.slots[draw(&m.seed, SLOTS)];

	if (slot->io)
		slot->canceled |= tern_io_cancel(slot->io);
}

static void step(void)
{
	struct tern_io *io;

	switch (draw(&m.seed, 16)) {
	case 0:
		cancel_one();
		break;
	case 1:
		if (!draw(&m.seed, 8))
			sync_all();
		break;
	case 2:
		if ((io = tern_io_wait(m.bed.queue)))
			is_over(io);
		break;
	case 3:
	case 4:
	case 5:
		tern_io_poke(m.bed.queue, draw(&m.seed, 4));
		break;
	case 6:
	case 7:
	case 8:
		tern_loop_prepare(m.bed.loop);
		tern_loop_dispatch(m.bed.loop, 0);
		break;
	default:
		submit_some();
	}
}

static void check_file(void)
{
	static char bytes[BLOCKS * BLOCK];

	ck_assert_int_eq(pread(m.bed.file.fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	for (unsigned i = 0; i < BLOCKS; i++)
		ck_assert(may_hold(bytes + (size_t)i * BLOCK, i));
}

/* In memory: it is not the disk that is looked at. */
static struct tern_io_file new_file(void)
{
	static char bytes[BLOCKS * BLOCK];
	struct tern_io_file file;

	stamp(bytes, 0, sizeof(bytes), 0);
	ck_assert_int_eq(tern_io_adopt(&file, memfd_create("io", MFD_CLOEXEC), TERN_IO_BUFFERED),
			 0);
	ck_assert_int_eq(pwrite(file.fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	return file;
}

/* engine: NULL, the one in turn. */
static void run_seed(uint64_t seed, const struct tern_io_engine *engine)
{
	struct tern_io_opts opts = {.buffer_size = BUFFER, .write_error = told};
	struct tern_io_stats stats = {.size = sizeof(stats)};

	memset(&m, 0, sizeof(m));
	m.seed = seed;
	opts.depth = 1 + draw(&m.seed, 16);
	opts.requests_max = opts.depth + draw(&m.seed, 8);
	opts.writebacks_max = 1 + draw(&m.seed, 4);
	opts.ordered = draw(&m.seed, 2);
	opts.stop_on_error = m.stops = opts.ordered && draw(&m.seed, 2);
	opts.engine = engine;
	bed_make(&m.bed, opts);
	m.bed.file = new_file();
	for (unsigned i = 0; i < STEPS; i++)
		step();
	sync_all();
	ck_assert_int_eq(tern_io_stats(m.bed.queue, &stats), 0);
	ck_assert_uint_eq(stats.submitted, m.submitted + m.writebacks);
	ck_assert_uint_eq(stats.writebacks, 0);
	check_file();
	bed_end(&m.bed);
}

static void sweep(enum fault_pace pace)
{
	static const struct fault_odds kinds[] = {
		{.error = 0},
		{.error = 30},
		{.brief = 200},
		{.again = 60, .interrupted = 60},
		{.refusal = 60},
		{.error = 10, .brief = 60, .again = 20, .interrupted = 20, .refusal = 20},
		{.refusal = 100, .refusal_error = 20, .brief = 128},
	};

	for (unsigned seed = 0; seed < scaled(140); seed++) {
		struct fault_engine engine;

		fault_engine_init(&engine, pace, seed, kinds[seed % COUNT(kinds)]);
		run_seed(seed, &engine.table);
		fault_engine_check(&engine);
	}
}

static void over_inside_start(void)
{
	sweep(FAULT_INSIDE);
}

static void over_in_turns_of_the_loop(void)
{
	sweep(FAULT_TURNS);
}

static void over_on_another_thread(void)
{
	sweep(FAULT_THREAD);
}

static void no_faults(void)
{
	for (enum io_engine i = IO_URING; i < IO_ENGINES; i++) {
		io_engine = i;
		for (unsigned seed = 0; seed < scaled(60) && !io_engine_refused(i); seed++)
			run_seed(seed, NULL);
	}
}

static const struct test tests[] = {
	{"faults, over inside start", over_inside_start},
	{"faults, over in turns of the loop", over_in_turns_of_the_loop},
	{"faults, over on another thread", over_on_another_thread},
	{"the same on each engine, without faults", no_faults},
};

int main(int argc, char **argv)
{
	return run_tests("I/O faults", tests, COUNT(tests), argc, argv);
}
