/* SPDX-License-Identifier: MIT */
/*
 * Drives the log of log.c: keeps the lines of standard input and says of each when it is durable,
 * measures writers of which each waits for its line before it has the next, or shows a log.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <tern/io_engine.h>
#include <tern/pool.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define INPUT_SIZE  65536
#define WRITERS_MAX 1024
#define LATEST_US   1000000
#define LINE	    "%-99" PRIu64 "\n"

static struct log keeper;
static struct tern_io *reader; /* of standard input; NULL: there is none, or it has ended */
static struct tern_io_file input;
static uint64_t input_offset;
static size_t kept;  /* of a line whose end has not come */
static bool reading; /* the reader is out */

static uint64_t writers, total, start_ns, end_ns, since_ns[WRITERS_MAX];
static uint32_t times_us[LATEST_US + 1];

static void check(int64_t result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "log: %s: %s\n", what, strerror((int)-result));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* As long as what may come fits into the group that is gathered. */
static void read_on(void)
{
	if (!reader || reading || keeper.next.length + INPUT_SIZE > LOG_GROUP_SIZE)
		return;
	tern_io_prep_read(reader, &input, input.seekable ? input_offset : 0, INPUT_SIZE - kept);
	reader->buffer = (char *)reader->own_buffer + kept;
	check(tern_io_submit(reader), "standard input");
	reading = true;
}

/* Whole lines go to the log; at the end also one that has no end. */
static void have_read(struct tern_io *io)
{
	char *text = io->own_buffer, *end;
	uint64_t lines = 0;

	reading = false;
	check(io->result, "standard input");
	input_offset += (uint64_t)io->result;
	kept += (size_t)io->result;
	if (!io->result && kept)
		text[kept++] = '\n';
	end = memrchr(text, '\n', kept);
	if (end++) {
		for (const char *at = text; at < end; at++)
			lines += *at == '\n';
		log_append(&keeper, text, (size_t)(end - text), lines);
		kept -= (size_t)(end - text);
		memmove(text, end, kept);
	}
	check(kept == INPUT_SIZE ? -EMSGSIZE : 0, "a line");
	if (!io->result) {
		reader = NULL;
		tern_io_release(io);
	}
	log_commit(&keeper);
	read_on();
}

static void say(struct log *log, uint64_t first, uint64_t count, int error)
{
	check(error, "the log");
	for (uint64_t number = first; number < first + count; number++)
		printf("durable %" PRIu64 "\n", number);
	fflush(stdout);
	read_on();
}

static void write_line(uint64_t number)
{
	char line[128];
	int length = snprintf(line, sizeof(line), LINE, number);

	since_ns[number % writers] = now_ns();
	log_append(&keeper, line, (size_t)length, 1);
}

/* Line n is the same writer's as line n + writers. */
static void measure(struct log *log, uint64_t first, uint64_t count, int error)
{
	uint64_t now = now_ns();

	check(error, "the log");
	for (uint64_t number = first; number < first + count; number++) {
		uint64_t us = (now - since_ns[number % writers]) / 1000;

		times_us[us < LATEST_US ? us : LATEST_US]++;
		if (now < end_ns)
			write_line(number + writers);
	}
	total += count;
}

static uint32_t quantile_us(double q)
{
	uint64_t left = (uint64_t)(q * (double)total);
	uint32_t us = 0;

	while (us < LATEST_US && left >= times_us[us])
		left -= times_us[us++];
	return us;
}

/* The folder too, for a log that is new. */
static void open_file(char *path, bool dump)
{
	int folder;

	check(tern_io_open(&keeper.file, path, dump ? O_RDONLY : O_RDWR | O_CREAT, 0666,
			   TERN_IO_DIRECT_PREFER),
	      path);
	tern_io_register(keeper.queue, &keeper.file); /* costs less; what refuses does without */
	folder = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(folder < 0 || fsync(folder) < 0 ? -errno : close(folder), "the folder");
}

static void start(void)
{
	if (writers) {
		for (uint64_t i = 0; i < writers; i++)
			write_line(keeper.next.first + i);
		log_commit(&keeper);
		return;
	}
	check(tern_io_adopt(&input, STDIN_FILENO, TERN_IO_BUFFERED), "standard input");
	reader = tern_io_get(keeper.queue);
	reader->done = have_read;
	read_on();
}

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	check(*end || !value || value > max ? -EINVAL : 0, text);
	return value;
}

/* Two threads for the pool, where it has to do: one may be waiting for input. */
static void open_queue(struct tern_loop **loop, struct tern_pool **pool)
{
	const struct tern_pool_opts two = {.size = sizeof(two), .threads_max = 2};
	struct tern_io_opts opts = {
		.size = sizeof(opts), .depth = 4, .buffer_size = LOG_GROUP_SIZE};
	struct tern_io_engine by_pool;

	check(tern_loop_create(loop, NULL), "loop");
	check(tern_pool_create(pool, &two), "pool");
	tern_io_engine_pool(&by_pool, *pool, 2);
	opts.fallback = &by_pool;
	check(tern_io_queue_create(&keeper.queue, *loop, &opts), "queue");
}

int main(int argc, char **argv)
{
	bool dump = argc == 3 && strcmp(argv[1], "--dump") == 0;
	struct tern_loop *loop;
	struct tern_pool *pool;

	if (argc == 6 && strcmp(argv[2], "--writers") == 0 && strcmp(argv[4], "--seconds") == 0) {
		writers = number(argv[3], WRITERS_MAX);
	} else if (argc != 2 && !dump) {
		fputs("usage: log FILE | log FILE --writers N --seconds S | log --dump FILE\n",
		      stderr);
		return 2;
	}
	open_queue(&loop, &pool);
	open_file(argv[dump ? 2 : 1], dump);
	keeper.circular = writers;
	keeper.durable = writers ? measure : say;
	check(log_open(&keeper, dump ? stdout : NULL), "the log");
	start_ns = now_ns();
	end_ns = start_ns + (writers ? number(argv[5], 86400) * UINT64_C(1000000000) : 0);
	if (!dump)
		start();
	tern_loop_run(loop);
	if (writers)
		printf("{\"writers\":%" PRIu64 ",\"appends_per_s\":%.0f,\"p50_us\":%" PRIu32
		       ",\"p99_us\":%" PRIu32 "}\n",
		       writers, (double)total / ((double)(now_ns() - start_ns) / 1e9),
		       quantile_us(0.5), quantile_us(0.99));
	tern_io_release(keeper.group);
	tern_io_queue_destroy(keeper.queue);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	return close(keeper.file.fd);
}
