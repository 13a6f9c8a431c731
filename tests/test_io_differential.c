/* SPDX-License-Identifier: MIT */
/* The same requests on each engine come to the same: results, bytes read, and the file afterwards.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "io_engines.h"

#define REGION	4096
#define REGIONS 12
#define ACTS	(10 * REGIONS)
#define SIZE	(2 * REGIONS * REGION)

/* A request, as drawn, and what came of it. */
struct act {
	uint8_t op, flags;
	bool wrong_file;
	bool in_two; /* vectors */
	uint64_t offset, length;
	/* on the engine in turn */
	int64_t result;
	uint64_t read;
	struct iovec iov[2];
};

static struct act acts[ACTS], first_acts[ACTS];
static unsigned char contents[SIZE + 1], first_contents[SIZE + 1];
static struct tern_io_file file, wrong_file; /* the second cannot be written */
static int plain;			     /* the same without O_DIRECT, to look at it */
static char *pages;			     /* of ours, one for each act */

static uint64_t hash(const void *bytes, uint64_t n)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (uint64_t i = 0; i < n; i++)
		h = (h ^ ((const unsigned char *)bytes)[i]) * UINT64_C(1099511628211);
	return h;
}

/* In its region, of offsets and lengths that the file can do, now and then of others. */
static void draw_transfer(uint64_t *seed, struct act *act, unsigned region)
{
	unsigned align = draw(seed, 20) ? file.offset_align : 1;
	unsigned from = draw(seed, REGION / 2), n = draw(seed, REGION / 2);

	act->offset = (uint64_t)region * REGION + from / align * align;
	act->length = n / align * align;
	act->wrong_file = !draw(seed, 20);
	act->in_two = !draw(seed, 4);
	if (act->op == TERN_IO_WRITE && !draw(seed, 6))
		act->flags = TERN_IO_DURABLE;
}

/* Alone between barriers: it may change the file's length, or stand at its end. */
/*
 * Alone between barriers: it may change the file's length, or stand at its end. Of an unordered
 * queue's files it leaves the regions, where one of the others may read and one write at a time.
 */
static void draw_alone(uint64_t *seed, struct act *act, bool ordered)
{
	const uint64_t least = ordered ? 0 : REGIONS * REGION;

	act->offset = least + (uint64_t)draw(seed, REGIONS) * REGION;
	switch (draw(seed, ordered ? 6 : 4)) {
	case 0:
		act->op = TERN_IO_TRUNCATE;
		act->offset = 0;
		act->length = least + draw(seed, SIZE / 2);
		break;
	case 1:
		act->op = TERN_IO_ALLOCATE;
		act->length = draw(seed, 3 * REGION);
		break;
	case 2:
		act->op = TERN_IO_WRITE;
		act->flags = TERN_IO_TAIL;
		act->length = draw(seed, REGION);
		break;
	case 3:
		act->op = TERN_IO_READ;
		act->offset = 0;
		act->length = SIZE; /* and what is not there */
		break;
	default:
		act->op = draw(seed, 2) ? TERN_IO_READ : TERN_IO_WRITE;
		act->offset = TERN_IO_NEXT;
		act->length = (uint64_t)(1 + draw(seed, 4)) * 1024;
	}
}

static void draw_acts(uint64_t seed, bool ordered)
{
	static const uint8_t ops[] = {TERN_IO_READ,	 TERN_IO_READ,	  TERN_IO_WRITE,
				      TERN_IO_WRITE,	 TERN_IO_WRITE,	  TERN_IO_FSYNC,
				      TERN_IO_FDATASYNC, TERN_IO_DISCARD, TERN_IO_WRITE};

	memset(acts, 0, sizeof(acts));
	for (unsigned i = 0; i < ACTS; i++) {
		struct act *act = &acts[i];

		if (i % REGIONS == REGIONS - 2)
			draw_alone(&seed, act, ordered);
		else if (i % REGIONS == REGIONS - 1 || i % REGIONS == REGIONS - 3)
			act->op = TERN_IO_BARRIER;
		else {
			act->op = ops[draw(&seed, COUNT(ops))];
			draw_transfer(&seed, act,
				      ordered ? draw(&seed, REGIONS) : (i + 3) % REGIONS);
		}
	}
}

static void describe(struct tern_io *io, struct act *act, unsigned number)
{
	const struct tern_io_file *f = act->wrong_file ? &wrong_file : &file;
	char *page = pages + (size_t)number * SIZE;
	size_t half = act->length / 1024 * 512;

	act->iov[0] = (struct iovec){page, half};
	act->iov[1] = (struct iovec){page + half, act->length - half};
	if (act->in_two && act->op <= TERN_IO_WRITE)
		tern_io_prep_readv(io, f, act->offset, act->iov, 2);
	else
		tern_io_prep_read(io, f, act->offset, act->length);
	io->op = act->op;
	io->flags = act->flags;
	io->buffer = page;
	if (act->op == TERN_IO_WRITE)
		stamp(page, 0, act->length, number);
	else if (act->op == TERN_IO_READ)
		memset(page, 0x33, act->length);
}

static void take(struct tern_io *io)
{
	struct act *act = io->user;

	act->result = io->result;
	if (act->op == TERN_IO_READ)
		act->read = hash(pages + (size_t)(act - acts) * SIZE, act->length);
	tern_io_release(io);
}

static void run(struct bed *bed)
{
	for (unsigned i = 0; i < ACTS; i++) {
		struct tern_io *io = tern_io_get(bed->queue);
		int e;

		while (!io) {
			take(tern_io_wait(bed->queue));
			io = tern_io_get(bed->queue);
		}
		describe(io, &acts[i], i);
		io->user = &acts[i];
		while ((e = tern_io_submit(io)) == -EAGAIN)
			take(tern_io_wait(bed->queue));
		if (!e)
			continue;
		acts[i].result = e;
		tern_io_release(io);
	}
	for (struct tern_io *io; (io = tern_io_wait(bed->queue));)
		take(io);
}

static void run_on(enum io_engine engine, bool ordered, unsigned seed)
{
	struct bed bed;

	stamp(contents, 0, SIZE / 2, seed);
	ck_assert_int_eq(ftruncate(plain, 0), 0);
	ck_assert_int_eq(pwrite(plain, contents, SIZE / 2, 0), SIZE / 2);
	ck_assert_int_eq(lseek(file.fd, 1024, SEEK_SET), 1024);
	io_engine = engine;
	bed_make(&bed,
		 (struct tern_io_opts){.ordered = ordered, .depth = 8, .buffer_size = TERN_NONE});
	run(&bed);
	bed_end(&bed);
	memset(contents, 0, sizeof(contents));
	ck_assert_int_ge(pread(plain, contents, sizeof(contents), 0), 0);
	contents[SIZE] = (unsigned char)lseek(file.fd, 0, SEEK_CUR);
}

static void compare(enum io_engine engine, unsigned seed)
{
	for (unsigned i = 0; i < ACTS; i++) {
		const struct act *a = &acts[i], *b = &first_acts[i];

		ck_assert_msg(a->result == b->result && a->read == b->read,
			      "seed %u, request %u, op %d, %lld at %lld: %lld on %s, %lld on sync",
			      seed, i, a->op, (long long)a->length, (long long)a->offset,
			      (long long)a->result, io_engine_names[engine], (long long)b->result);
	}
	ck_assert_msg(!memcmp(contents, first_contents, sizeof(contents)),
		      "seed %u: another file on %s", seed, io_engine_names[engine]);
}

static struct tern_io_file reopened(int fd, int flags, enum tern_io_direct direct)
{
	struct tern_io_file ret;
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ck_assert_int_eq(tern_io_open(&ret, path, flags, 0, direct), 0);
	return ret;
}

static void sweep(bool ordered, enum tern_io_direct direct)
{
	bool with[IO_ENGINES];

	for (int i = 0; i < IO_ENGINES; i++)
		with[i] = !io_engine_refused(i);
	ck_assert_int_eq(posix_memalign((void **)&pages, 4096, (size_t)ACTS * SIZE), 0);
	file = scratch_file(0, direct);
	plain = reopened(file.fd, O_RDWR, TERN_IO_BUFFERED).fd;
	wrong_file = reopened(file.fd, O_RDONLY, direct);
	for (unsigned seed = 0; seed < scaled(40); seed++) {
		draw_acts(seed, ordered);
		run_on(IO_SYNC, ordered, seed);
		memcpy(first_acts, acts, sizeof(acts));
		memcpy(first_contents, contents, sizeof(contents));
		for (int i = 0; i < IO_SYNC; i++) {
			if (!with[i])
				continue;
			draw_acts(seed, ordered);
			run_on(i, ordered, seed);
			compare(i, seed);
		}
	}
	close(file.fd);
	close(wrong_file.fd);
	close(plain);
	free(pages);
}

static void ordered_and_direct(void)
{
	sweep(true, TERN_IO_DIRECT_PREFER);
}

static void ordered_and_buffered(void)
{
	sweep(true, TERN_IO_BUFFERED);
}

static void unordered_and_direct(void)
{
	sweep(false, TERN_IO_DIRECT_PREFER);
}

static void unordered_and_buffered(void)
{
	sweep(false, TERN_IO_BUFFERED);
}

static const struct test tests[] = {
	{"all engines do the same, in order, direct", ordered_and_direct},
	{"all engines do the same, in order, buffered", ordered_and_buffered},
	{"all engines do the same, between barriers, direct", unordered_and_direct},
	{"all engines do the same, between barriers, buffered", unordered_and_buffered},
};

int main(int argc, char **argv)
{
	const char *why = io_engine_refused(IO_URING);

	if (why)
		printf("pool and sync alone: %s\n", why);
	return run_tests("differences of engines", tests, COUNT(tests), argc, argv);
}
