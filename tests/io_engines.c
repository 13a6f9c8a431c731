/* SPDX-License-Identifier: MIT */
/* Each test of I/O queues on each engine: a queue of the engine in turn, and a file for it. */
#include "io_engines.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEPTH 32 /* of a queue whose options say nothing */

const char *const io_engine_names[IO_ENGINES] = {"uring", "pool", "sync"};
enum io_engine io_engine = IO_SYNC;

const char *io_engine_refused(enum io_engine engine)
{
	static char why[100];
	struct tern_io_engine_params params = {.size = sizeof(params), .depth = DEPTH};
	void *state = NULL;
	int e;

	if (engine != IO_URING)
		return NULL;
	params.wake_fd = eventfd(0, EFD_CLOEXEC);
	e = tern_io_engine_uring()->open(&state, tern_io_engine_uring(), &params);
	if (!e)
		tern_io_engine_uring()->close(state);
	close(params.wake_fd);
	snprintf(why, sizeof(why), "the kernel refuses io_uring: %s", strerror(-e));
	return e ? why : NULL;
}

int run_io_tests(const char *idea, const struct test *tests, size_t n, int argc, char **argv)
{
	char said[80];
	bool asked = false;
	int failed = 0;

	for (int i = 0; i < IO_ENGINES && argc > 1; i++)
		asked = asked || strcmp(argv[1], io_engine_names[i]) == 0;
	for (int i = 0; i < IO_ENGINES; i++) {
		const char *why;

		if (asked && strcmp(argv[1], io_engine_names[i]) != 0)
			continue;
		io_engine = i;
		why = io_engine_refused(i);
		if (why) {
			puts(why);
			if (asked)
				return 77;
			continue;
		}
		snprintf(said, sizeof(said), "%s on %s", idea, io_engine_names[i]);
		failed |= run_tests(said, tests, n, argc - asked, argv + asked);
	}
	return failed;
}

struct tern_io_queue *bed_queue(struct bed *bed, struct tern_io_opts opts)
{
	struct tern_io_queue *queue = NULL;
	struct tern_io_engine pool_engine;
	int e;

	opts.size = sizeof(opts);
	if (!opts.engine && io_engine == IO_POOL) {
		if (!bed->pool)
			bed->pool = pool_new(1, 3);
		tern_io_engine_pool(&pool_engine, bed->pool, 0);
		opts.engine = &pool_engine;
	} else if (!opts.engine) {
		opts.engine = io_engine == IO_SYNC ? tern_io_engine_sync() : tern_io_engine_uring();
	}
	e = tern_io_queue_create(&queue, bed->loop, &opts);
	ck_assert_msg(!e, "no queue on %s: %s", opts.engine->name, strerror(-e));
	return queue;
}

void bed_make(struct bed *bed, struct tern_io_opts opts)
{
	*bed = (struct bed){.loop = loop_new(), .file.fd = -1};
	bed->queue = bed_queue(bed, opts);
}

void bed_end(struct bed *bed)
{
	ck_assert_uint_eq(tern_io_outstanding(bed->queue), 0);
	ck_assert_int_eq(tern_io_queue_destroy(bed->queue), 0);
	ck_assert(!tern_loop_alive(bed->loop));
	tern_loop_destroy(bed->loop);
	if (bed->pool)
		tern_pool_destroy(bed->pool);
	if (bed->file.fd >= 0)
		close(bed->file.fd);
}

struct tern_io_file scratch_file(size_t size, enum tern_io_direct direct)
{
	const char *folder = getenv("TMPDIR");
	struct tern_io_file file;
	char path[200], *bytes;
	int fd;

	snprintf(path, sizeof(path), "%s/tern-io-XXXXXX", folder ? folder : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	bytes = calloc(1, size + 1);
	stamp(bytes, 0, size, 0);
	ck_assert_int_eq(pwrite(fd, bytes, size, 0), size);
	free(bytes);
	fdatasync(fd); /* or the first direct read has that to do */
	ck_assert_int_eq(tern_io_open(&file, path, O_RDWR, 0, direct), 0);
	unlink(path);
	close(fd);
	return file;
}

bool same_file(const struct tern_io_file *a, const struct tern_io_file *b)
{
	return a->fd == b->fd && a->direct == b->direct && a->seekable == b->seekable &&
	       a->appends == b->appends && a->memory_align == b->memory_align &&
	       a->offset_align == b->offset_align && a->why == b->why &&
	       a->registered == b->registered;
}

struct tern_io *io_get(struct bed *bed)
{
	struct tern_io *io = tern_io_get(bed->queue);

	ck_assert_ptr_nonnull(io);
	return io;
}

int64_t io_do(struct tern_io *io)
{
	ck_assert(!io->done);
	ck_assert_int_eq(tern_io_submit(io), 0);
	ck_assert_ptr_eq(tern_io_wait(io->queue), io);
	return io->result;
}

int64_t io_once(struct tern_io *io)
{
	int64_t result = io_do(io);

	tern_io_release(io);
	return result;
}

static unsigned char stamp_at(uint64_t place, unsigned number)
{
	uint64_t mixed = (place / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15) + number * UINT64_C(0xff51);

	mixed ^= mixed >> 29;
	return (unsigned char)(mixed >> 8 * (place % 8));
}

void stamp(void *buffer, uint64_t offset, size_t length, unsigned number)
{
	unsigned char *bytes = buffer;

	for (size_t i = 0; i < length; i++)
		bytes[i] = stamp_at(offset + i, number);
}

bool has_stamp(const void *buffer, uint64_t offset, size_t length, unsigned number)
{
	const unsigned char *bytes = buffer;

	for (size_t i = 0; i < length; i++)
		if (bytes[i] != stamp_at(offset + i, number))
			return false;
	return true;
}

bool file_has_stamp(int fd, uint64_t offset, size_t length, unsigned number)
{
	unsigned char *bytes = malloc(length + 1);
	char path[40];
	int cached;
	bool has;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	cached = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(cached, 0);
	has = pread(cached, bytes, length, (off_t)offset) == (ssize_t)length &&
	      has_stamp(bytes, offset, length, number);
	close(cached);
	free(bytes);
	return has;
}
