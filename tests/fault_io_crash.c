/* SPDX-License-Identifier: MIT */
/*
 * A writer that acknowledges what is durable, and then the end: of the process, by SIGKILL, or of
 * the file system, which is shut down without its log. What was acknowledged is there afterwards.
 * A device that loses its cache is not shown by this.
 */
#include <fcntl.h>
#include <linux/types.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "forking.h"
#include "io_devices.h"
#include "io_engines.h"

#define BLOCK	 4096
#define RECORDS	 2000
#define ENOUGH	 100 /* acknowledged: then the end */
#define IN_GROUP 4

/* linux/ext4.h is not installed; int, as some C libraries have it */
#define EXT4_SHUTDOWN	 ((int)_IOR('X', 125, __u32))
#define EXT4_WITHOUT_LOG 2u

/* The writer's. Its parent looks after the tests: no assertions of libcheck's here. */
static struct bed bed;
static int acks;
static unsigned next_record;

static void acknowledge(unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++, first++)
		MUST(write(acks, &first, sizeof(first)) == sizeof(first));
}

static void write_record(struct tern_io *io, uint8_t flags)
{
	const uint64_t offset = (uint64_t)next_record * BLOCK;

	tern_io_prep_write(io, &bed.file, offset, BLOCK);
	io->flags = flags;
	stamp(io->buffer, offset, BLOCK, next_record++);
	MUST(!tern_io_submit(io));
}

/* After an error nothing may be acknowledged: the file system is gone. */
static void durable_done(struct tern_io *io)
{
	if (io->result != BLOCK)
		_exit(EXIT_SUCCESS);
	acknowledge((unsigned)(io->offset / BLOCK), 1);
	if (next_record < RECORDS)
		write_record(io, TERN_IO_DURABLE);
}

static void write_durably(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct tern_io *io = tern_io_get(bed.queue);

		io->done = durable_done;
		write_record(io, TERN_IO_DURABLE);
	}
	tern_io_drain(bed.queue);
}

static void group_written(struct tern_io *io)
{
	if (io->result != BLOCK)
		_exit(EXIT_SUCCESS);
	tern_io_release(io);
}

static void group_durable(struct tern_io *io)
{
	if (io->result)
		_exit(EXIT_SUCCESS);
	acknowledge(next_record - IN_GROUP, IN_GROUP);
	tern_io_release(io);
}

/* Some records, a barrier, a sync for all of them. */
static void write_in_groups(void)
{
	while (next_record < RECORDS) {
		struct tern_io *io;

		for (unsigned i = 0; i < IN_GROUP; i++) {
			io = tern_io_get(bed.queue);
			io->done = group_written;
			write_record(io, 0);
		}
		io = tern_io_get(bed.queue);
		tern_io_prep_barrier(io);
		io->done = tern_io_release;
		MUST(!tern_io_submit(io));
		io = tern_io_get(bed.queue);
		tern_io_prep_fdatasync(io, &bed.file);
		io->done = group_durable;
		MUST(!tern_io_submit(io));
		tern_io_drain(bed.queue);
	}
}

static void writer(const char *path, void (*write_all)(void))
{
	bed_make(&bed, (struct tern_io_opts){.depth = 16});
	MUST(!tern_io_open(&bed.file, path, O_RDWR | O_CREAT, 0600, TERN_IO_DIRECT_PREFER));
	write_all();
	pause(); /* all acknowledged: the end comes from outside */
}

/* Starts a writer, and returns when it has acknowledged enough; what it said is at *said. */
static pid_t start(const char *path, void (*write_all)(void), int *said, bool *there)
{
	int fds[2];
	pid_t child;
	unsigned record;

	MUST(!pipe2(fds, O_CLOEXEC));
	child = fork_child();
	if (!child) {
		acks = fds[1];
		writer(path, write_all);
	}
	close(fds[1]);
	*said = fds[0];
	for (unsigned i = 0; i < ENOUGH; i++) {
		ck_assert_int_eq(read(fds[0], &record, sizeof(record)), sizeof(record));
		there[record] = true;
	}
	return child;
}

/* The rest of what it said, and its end. */
static void end(pid_t child, int said, bool *there)
{
	unsigned record;

	kill(child, SIGKILL);
	while (read(said, &record, sizeof(record)) == sizeof(record))
		there[record] = true;
	close(said);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static void check(const char *path, const bool *there)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	for (unsigned i = 0; i < RECORDS; i++)
		ck_assert_msg(!there[i] || file_has_stamp(fd, (uint64_t)i * BLOCK, BLOCK, i),
			      "record %u was acknowledged", i);
	close(fd);
}

static void killed(void (*write_all)(void))
{
	char path[] = "/tmp/tern-crash-XXXXXX";
	bool there[RECORDS] = {false};
	int said;
	pid_t child;

	close(mkostemp(path, O_CLOEXEC));
	child = start(path, write_all, &said, there);
	end(child, said, there);
	check(path, there);
	unlink(path);
}

static void killed_with_durable_writes(void)
{
	killed(write_durably);
}

static void killed_with_synced_groups(void)
{
	killed(write_in_groups);
}

static const char *file_system(struct loop_device *loop)
{
	char command[100];
	const char *why = geteuid() ? "only root has devices" : NULL;

	if (!why)
		why = loop_device(loop, 32 << 20, 512, 0);
	if (why)
		return why;
	snprintf(command, sizeof(command), "mkfs.ext4 -q %s >/dev/null 2>&1", loop->path);
	return system(command) ? "mkfs.ext4 does not work here"
			       : mount_here("ext4", loop->path, NULL);
}

/* The kernel may take a while to put away the ring of who was killed. */
static int unmount_soon(void)
{
	uint64_t due = now_ns() + UINT64_C(20000000000);
	int e = unmount_here();

	while (e == -EBUSY && !is_past(&due)) {
		sched_yield();
		e = unmount_here();
	}
	return e;
}

static void shut_down(void (*write_all)(void))
{
	const __u32 how = EXT4_WITHOUT_LOG;
	bool there[RECORDS] = {false};
	struct loop_device loop;
	int said, folder;
	pid_t child;

	ck_assert_ptr_null(file_system(&loop));
	child = start(MOUNTED "/log", write_all, &said, there);
	folder = open(MOUNTED, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(ioctl(folder, EXT4_SHUTDOWN, &how), 0);
	close(folder);
	end(child, said, there);
	ck_assert_int_eq(unmount_soon(), 0);
	ck_assert_ptr_null(mount_here("ext4", loop.path, NULL));
	check(MOUNTED "/log", there);
	ck_assert_int_eq(unmount_here(), 0);
	loop_device_end(&loop);
}

static void shut_down_with_durable_writes(void)
{
	shut_down(write_durably);
}

static void shut_down_with_synced_groups(void)
{
	shut_down(write_in_groups);
}

static const struct test kill_tests[] = {
	{"killed: what was written durably is there", killed_with_durable_writes},
	{"killed: what was synced in groups is there", killed_with_synced_groups},
};

static const struct test shutdown_tests[] = {
	{"shut down: what was written durably is there", shut_down_with_durable_writes},
	{"shut down: what was synced in groups is there", shut_down_with_synced_groups},
};

/* Whether it can be had, in a process of its own, which keeps nothing of it. */
static const char *why_no_file_system(void)
{
	static char why[100];
	int fds[2], status;
	pid_t child;

	MUST(!pipe2(fds, O_CLOEXEC));
	child = fork_child();
	if (!child) {
		struct loop_device loop;
		const char *said = file_system(&loop);

		if (said)
			MUST(write(fds[1], said, strlen(said)) > 0);
		_exit(EXIT_SUCCESS);
	}
	close(fds[1]);
	if (read(fds[0], why, sizeof(why) - 1) < 0)
		why[0] = 0;
	close(fds[0]);
	waitpid(child, &status, 0);
	return why[0] ? why : NULL;
}

/* fault_io_crash kill|shutdown [ENGINE [TEST]] */
int main(int argc, char **argv)
{
	const char *why;

	if (argc > 1 && strcmp(argv[1], "shutdown") == 0) {
		why = why_no_file_system();
		if (why) {
			puts(why);
			return 77;
		}
		return run_io_tests("shut down", shutdown_tests, COUNT(shutdown_tests), argc - 1,
				    argv + 1);
	}
	if (argc > 1 && strcmp(argv[1], "kill") == 0)
		return run_io_tests("killed", kill_tests, COUNT(kill_tests), argc - 1, argv + 1);
	fputs("usage: fault_io_crash kill|shutdown [ENGINE [TEST]]\n", stderr);
	return 2;
}
