/* SPDX-License-Identifier: MIT */
/* Each test of I/O queues on each engine: a queue of the engine in turn, and a file for it. */
#ifndef TERN_TESTS_IO_ENGINES_H
#define TERN_TESTS_IO_ENGINES_H

#include <tern/io.h>
#include <tern/io_engine.h>

#include "harness.h"

enum io_engine {
	IO_URING,
	IO_POOL,
	IO_SYNC,
	IO_ENGINES
};

extern const char *const io_engine_names[IO_ENGINES];

/* Why an engine cannot be had here; NULL: it can. */
const char *io_engine_refused(enum io_engine engine);

/*
 * run_tests on each engine, or on the one that the first argument names; what follows it is as for
 * run_tests. The only engine asked for is refused: a skip, with the reason.
 */
int run_io_tests(const char *idea, const struct test *tests, size_t n, int argc, char **argv);

/* The one that run_io_tests is at. */
extern enum io_engine io_engine;

/* A loop, a queue for it, and what the queue stands on. */
struct bed {
	struct tern_loop *loop;
	struct tern_pool *pool; /* NULL unless the engine is of one */
	struct tern_io_queue *queue;
	struct tern_io_file file; /* of scratch_file; fd -1: none */
};

/* Makes a bed with a queue of these options; without an engine in them, of the one in turn. */
void bed_make(struct bed *bed, struct tern_io_opts opts);
/* Another queue of the same loop; end it before the bed. */
struct tern_io_queue *bed_queue(struct bed *bed, struct tern_io_opts opts);
/* Ends all of it; nothing may be out. */
void bed_end(struct bed *bed);

/* A file that nobody else sees, of so many bytes of stamp(.., 0). */
struct tern_io_file scratch_file(size_t size, enum tern_io_direct direct);

/* Whether all that they say is the same. */
bool same_file(const struct tern_io_file *a, const struct tern_io_file *b);

/* A request, got or the test ends. */
struct tern_io *io_get(struct bed *bed);
/* Submits, and waits until it is over; done must be NULL. Returns the result. */
int64_t io_do(struct tern_io *io);
/* The same for one that was just described, and releases it. */
int64_t io_once(struct tern_io *io);

/* Bytes that tell their place in the file and the number of the write that put them there. */
void stamp(void *buffer, uint64_t offset, size_t length, unsigned number);
bool has_stamp(const void *buffer, uint64_t offset, size_t length, unsigned number);
/* The same of what is in a file, read by other means. */
bool file_has_stamp(int fd, uint64_t offset, size_t length, unsigned number);

/* A generator of numbers for tests that draw: the same for the same seed. */
static inline uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((*seed >> 33) % below);
}

#endif
