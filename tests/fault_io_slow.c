/* SPDX-License-Identifier: MIT */
/* Queues on a device that does but a few requests a second. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "io_devices.h"
#include "io_engines.h"

#define BLOCK	   4096
#define READS	   8
#define PER_SECOND 20

static struct loop_device device;

static struct {
	unsigned done, ticks, late[READS];
} seen;

static unsigned number_of(const struct tern_io *io)
{
	return (unsigned)(io->offset / BLOCK);
}

static void note_late(struct tern_io *io)
{
	seen.late[number_of(io)]++;
}

static void note_done(struct tern_io *io)
{
	ck_assert_int_eq(io->result, BLOCK);
	ck_assert(has_stamp(io->buffer, io->offset, BLOCK, 0));
	seen.done++;
	tern_io_release(io);
}

static bool all_done(void *arg)
{
	return seen.done == READS;
}

static void read_slowly(struct bed *bed, uint64_t deadline_ns)
{
	for (unsigned i = 0; i < READS; i++) {
		struct tern_io *io = io_get(bed);

		tern_io_prep_read(io, &bed->file, (uint64_t)i * BLOCK, BLOCK);
		io->done = note_done;
		io->deadline_ns = deadline_ns;
		ck_assert_int_eq(tern_io_submit(io), 0);
	}
	loop_until(bed->loop, all_done, NULL);
}

static void make(struct bed *bed)
{
	bed_make(bed, (struct tern_io_opts){.depth = READS, .late = note_late});
	ck_assert_int_eq(tern_io_open(&bed->file, device.path, O_RDONLY, 0, TERN_IO_DIRECT), 0);
}

static void who_waits_is_told_once_and_gets_what_he_asked_for(void)
{
	struct tern_io_stats stats = {.size = sizeof(stats)};
	unsigned late = 0;
	struct bed bed;

	make(&bed);
	read_slowly(&bed, 1);
	for (unsigned i = 0; i < READS; i++) {
		ck_assert_uint_le(seen.late[i], 1);
		late += seen.late[i];
	}
	/* those of the first moments may have come in time */
	ck_assert_uint_gt(late, READS / 2);
	ck_assert_int_eq(tern_io_stats(bed.queue, &stats), 0);
	ck_assert_uint_eq(stats.late, late);
	ck_assert_uint_gt(stats.latency[TERN_IO_READ].longest_ns, 1000000000 / PER_SECOND);
	bed_end(&bed);
}

static void tick(struct tern_timer *timer)
{
	struct tern_loop *home = timer->user;

	seen.ticks++;
	if (!all_done(NULL))
		tern_timer_start(home, timer, 1000000);
}

static void the_loop_goes_on_meanwhile(void)
{
	struct tern_timer timer;
	struct bed bed;

	make(&bed);
	tern_timer_init(&timer, tick);
	timer.user = bed.loop;
	tern_timer_start(bed.loop, &timer, 1000000);
	read_slowly(&bed, 0);
	/* a loop that stands still for each request has about as many */
	ck_assert_uint_gt(seen.ticks, 3 * READS);
	tern_timer_stop(&timer);
	bed_end(&bed);
}

static const struct test tests[] = {
	{"who waits is told once, and gets what he asked for",
	 who_waits_is_told_once_and_gets_what_he_asked_for},
	{"the loop goes on meanwhile", the_loop_goes_on_meanwhile},
};

int main(int argc, char **argv)
{
	char block[BLOCK];
	const char *why =
		geteuid() ? "only root has devices" : loop_device(&device, READS * BLOCK, BLOCK, 0);

	for (unsigned i = 0; i < READS && !why; i++) {
		stamp(block, (uint64_t)i * BLOCK, BLOCK, 0);
		if (pwrite(device.backing, block, BLOCK, i * BLOCK) != BLOCK)
			why = "nothing can be written";
	}
	if (!why)
		why = slow_device(device.path, PER_SECOND);
	if (why) {
		puts(why);
		return 77;
	}
	return run_io_tests("a slow device", tests, COUNT(tests), argc, argv);
}
