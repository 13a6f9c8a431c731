/* SPDX-License-Identifier: MIT */
/*
 * The program around a system of the disk question. It prints one line of JSON. CPU time is that of
 * the process, which has io_uring's own threads in it; what the kernel does in interrupts and in
 * its work queues, as for loop devices, is nobody's.
 *
 * Every 4 KiB on disk begin with a stamp that tells where they belong: what is read is looked at,
 * and a wrong stamp is an error like any other.
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	STAMP_EVERY = 4096,
	FILL_BYTES = 1 << 20
};

struct disk disk = {
	.op = "read",
	.order = "random",
	.drive = "",
	.engine = "uring",
	.block = 4096,
	.depth = 8,
	.threads = 4,
	.seed = 1,
	.ms = 500,
	.warm_ms = 50,
};
struct io *ios;
struct ask ask = {.spin = 1}; /* for systems/hand.c, but spin */
void (*done_item)(struct item *item);
void (*readable)(int fd);

static uint64_t blocks, random_state, next_block;
static uint64_t now, begin_ns, end_ns, count, errors;
static int64_t first_error;
static bool measuring, measured, over;
static struct mark from, to;
static struct hist latency;

static const struct {
	const char *name;
	const char **text;
	uint64_t *number;
} params[] = {
	{"file", &disk.file, NULL},	  {"op", &disk.op, NULL},
	{"order", &disk.order, NULL},	  {"drive", &disk.drive, NULL},
	{"engine", &disk.engine, NULL},	  {"block", NULL, &disk.block},
	{"depth", NULL, &disk.depth},	  {"threads", NULL, &disk.threads},
	{"seed", NULL, &disk.seed},	  {"ms", NULL, &disk.ms},
	{"warm_ms", NULL, &disk.warm_ms}, {"size", NULL, &disk.size},
	{"probe", NULL, &disk.probe},	  {"spin", NULL, &ask.spin},
};

static uint64_t next_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return random_state >> 33;
}

static void stamp(char *buffer, uint64_t offset, uint64_t length)
{
	for (uint64_t i = 0; i < length; i += STAMP_EVERY) {
		uint64_t value = ~(offset + i);
		memcpy(buffer + i, &value, sizeof(value));
	}
}

static bool stamped(const char *buffer, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, buffer, sizeof(value));
	return value == ~offset;
}

bool disk_next(struct io *io)
{
	if (over)
		return false;
	if (disk.order[0] == 'r')
		next_block = next_random();
	io->offset = next_block++ % blocks * disk.block;
	if (disk.write)
		stamp(io->buffer, io->offset, disk.block);
	io->from_ns = now;
	disk.flying++;
	return true;
}

static void begin_or_end(void)
{
	if (!measuring) {
		mark_now(&from, count);
		measuring = true;
	} else if (!measured && now >= end_ns) {
		mark_now(&to, count);
		measured = true;
		over = !disk.probe; /* else the probe says when */
	}
}

void disk_over(struct io *io, int64_t result)
{
	now = now_ns();
	disk.flying--;
	count++;
	if (result != (int64_t)disk.block || (!disk.write && !stamped(io->buffer, io->offset))) {
		if (!errors++)
			first_error = result < 0 ? -result : EIO;
	}
	if (measuring && !measured)
		hist_add(&latency, now - io->from_ns);
	if (now >= (measuring ? end_ns : begin_ns))
		begin_or_end();
}

static void on_tick(int fd)
{
	over = over || !probe_answer(fd);
}

static char *memory_new(uint64_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		die("memory");
	/* What compresses would be cheaper for a disk in memory. */
	for (uint64_t i = 0; i + sizeof(uint32_t) <= size; i += sizeof(uint32_t)) {
		uint32_t value = (uint32_t)next_random();
		memcpy(memory + i, &value, sizeof(value));
	}
	return memory;
}

static void fill(void)
{
	char *buffer = memory_new(FILL_BYTES);

	if (disk.size && ftruncate(disk.fd, (off_t)disk.size))
		die("ftruncate");
	blocks = (uint64_t)lseek(disk.fd, 0, SEEK_END) / FILL_BYTES;
	for (uint64_t i = 0; i < blocks; i++) {
		stamp(buffer, i * FILL_BYTES, FILL_BYTES);
		if (pwrite(disk.fd, buffer, FILL_BYTES, (off_t)(i * FILL_BYTES)) != FILL_BYTES)
			die("pwrite");
	}
	if (fsync(disk.fd))
		die("fsync");
}

static void open_file(void)
{
	bool fills = !strcmp(disk.op, "fill");

	disk.write = fills || !strcmp(disk.op, "write");
	disk.fd = open(disk.file,
		       (disk.write ? O_RDWR : O_RDONLY) | (disk.size ? O_CREAT : 0) | O_DIRECT |
			       O_CLOEXEC,
		       0600);
	if (disk.fd < 0)
		die(disk.file);
	if (fills) {
		fill();
		exit(0);
	}
	blocks = (uint64_t)lseek(disk.fd, 0, SEEK_END) / disk.block;
	if (!blocks || !disk.depth)
		die("nothing to do");
}

static void report(void)
{
	report_begin("disk");
	report_span(&from, &to);
	report_u64("bytes", (to.items - from.items) * disk.block);
	report_hist(&latency);
	report_u64("errors", errors);
	report_u64("first_error", (uint64_t)first_error);
	report_text("how", disk_how);
	if (disk.probe)
		report_probe();
	report_end();
}

static void read_param(const char *arg)
{
	const char *equals = strchr(arg, '=');

	for (size_t i = 0; equals && i < sizeof(params) / sizeof(params[0]); i++) {
		size_t length = strlen(params[i].name);
		if (length != (size_t)(equals - arg) || strncmp(arg, params[i].name, length) != 0)
			continue;
		if (params[i].text)
			*params[i].text = equals + 1;
		else
			*params[i].number = strtoull(equals + 1, NULL, 0);
		return;
	}
	fprintf(stderr, "bench %s: what is \"%s\"?\n", system_name, arg);
	exit(2);
}

int main(int argc, char **argv)
{
	int probe_fd = -1;
	char *memory;

	for (int i = 1; i < argc; i++)
		read_param(argv[i]);
	if (!disk.file) {
		fprintf(stderr, "usage: %s file=FILE [op=read|write|fill] [name=value]...\n",
			argv[0]);
		return 2;
	}
	random_state = disk.seed;
	open_file();
	ask.threads = disk.threads;
	ios = calloc(disk.depth, sizeof(*ios));
	memory = memory_new(disk.depth * disk.block);
	for (uint64_t i = 0; ios && i < disk.depth; i++)
		ios[i].buffer = memory + i * disk.block;
	now = now_ns();
	begin_ns = now + disk.warm_ms * 1000000;
	end_ns = begin_ns + disk.ms * 1000000;
	if (disk.probe)
		probe_fd = probe_start(begin_ns, end_ns);
	readable = on_tick;
	disk_start();
	if (disk.probe)
		disk_watch(probe_fd);
	disk_run();
	report();
	/* Workers may be in the middle of something: nobody waits for them. */
	_exit(0);
}
