/* SPDX-License-Identifier: MIT */
/* How long requests take, as a queue tells: by a clock that is read once a turn. */
#include "io_hand.h"

#define BLOCK 4096

static struct tern_histogram latency(struct tern_io_queue *queue, enum tern_io_op op)
{
	struct tern_io_stats stats = {.size = sizeof(stats)};

	ck_assert_int_eq(tern_io_stats(queue, &stats), 0);
	return stats.latency[op];
}

static void by_wait(struct bed *bed, struct tern_io *io)
{
	ck_assert_ptr_eq(tern_io_wait(bed->queue), io);
}

static void by_the_loop(struct bed *bed, struct tern_io *io)
{
	ck_assert_int_eq(tern_loop_run(bed->loop), 0);
	by_wait(bed, io);
}

static void by_poke(struct bed *bed, struct tern_io *io)
{
	while (tern_io_outstanding(bed->queue))
		tern_io_poke(bed->queue, 0);
	by_wait(bed, io);
}

static void (*const ways[])(struct bed *bed, struct tern_io *io) = {by_wait, by_the_loop, by_poke};

/* Outside of a turn, submit is the time of submit. */
static void it_is_no_longer_than_what_we_see(void)
{
	uint64_t seen_ns = 0, longest_ns = 0, came_ns;
	struct tern_histogram h;
	struct bed bed;

	bed_make(&bed, (struct tern_io_opts){0});
	bed.file = scratch_file(BLOCK, TERN_IO_DIRECT_PREFER);
	for (unsigned i = 0; i < 60; i++) {
		struct tern_io *io = io_get(&bed);
		uint64_t before_ns;

		if (i % 2)
			tern_io_prep_fsync(io, &bed.file);
		else
			tern_io_prep_read(io, &bed.file, 0, BLOCK);
		before_ns = now_ns();
		ck_assert_int_eq(tern_io_submit(io), 0);
		ways[i % COUNT(ways)](&bed, io);
		came_ns = now_ns() - before_ns;
		if (i % 2 == 0) {
			seen_ns += came_ns;
			longest_ns = longest_ns < came_ns ? came_ns : longest_ns;
		}
		tern_io_release(io);
		h = latency(bed.queue, TERN_IO_READ);
		ck_assert_uint_eq(h.count, i / 2 + 1);
		ck_assert_uint_eq(h.measured, h.count);
		ck_assert_uint_le(h.sum_ns, seen_ns);
		ck_assert_uint_le(h.longest_ns, longest_ns);
	}
	ck_assert_uint_gt(h.sum_ns, 0);
	ck_assert_uint_eq(latency(bed.queue, TERN_IO_FSYNC).count, 30);
	ck_assert_uint_eq(latency(bed.queue, TERN_IO_WRITE).count, 0);
	bed_end(&bed);
}

#define LONG_NS 20000000

static void pass_time(void)
{
	uint64_t till = now_ns() + LONG_NS;

	while (!is_past(&till))
		;
}

static uint64_t entered_ns;

static void take_long(struct tern_io *io)
{
	entered_ns = now_ns();
	pass_time();
	tern_io_release(io);
}

static uint64_t submit(struct bed *bed, void (*done)(struct tern_io *io))
{
	const struct tern_io_file file = no_file(1);
	struct tern_io *io = io_get(bed);
	uint64_t before_ns = now_ns();

	tern_io_prep_write(io, &file, 0, BLOCK);
	io->done = done;
	ck_assert_int_eq(tern_io_submit(io), 0);
	return before_ns;
}

static void what_callbacks_take_does_not_count(void)
{
	uint64_t before_ns;
	struct tern_histogram h;
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	before_ns = submit(&bed, take_long);
	before_ns += submit(&bed, tern_io_release);
	hand_complete_all(&hand);
	turn(&bed);
	h = latency(bed.queue, TERN_IO_WRITE);
	ck_assert_uint_eq(h.count, 2);
	ck_assert_uint_le(h.sum_ns, 2 * entered_ns - before_ns);
	bed_end(&bed);
}

static void what_passes_between_turns_counts(void)
{
	struct hand hand;
	struct bed bed;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	for (unsigned way = 0; way < 4; way++) {
		uint64_t before_ns = latency(bed.queue, TERN_IO_WRITE).sum_ns;

		submit(&bed, tern_io_release);
		pass_time();
		hand_complete_all(&hand);
		if (way % 2)
			tern_io_poke(bed.queue, 0);
		else
			turn(&bed);
		ck_assert_uint_ge(latency(bed.queue, TERN_IO_WRITE).sum_ns, before_ns + LONG_NS);
	}
	bed_end(&bed);
}

static const struct test tests[] = {
	{"it is no longer than what we see", it_is_no_longer_than_what_we_see},
	{"what callbacks of a turn take does not count", what_callbacks_take_does_not_count},
	{"what passes between turns counts", what_passes_between_turns_counts},
};

int main(int argc, char **argv)
{
	return run_io_tests("latency", tests, COUNT(tests), argc, argv);
}
