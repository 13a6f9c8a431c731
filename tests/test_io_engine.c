/* SPDX-License-Identifier: MIT */
/* Engines: which is taken and what is said of it, broken tables, and the contract with the queue.
 */
#include <unistd.h>

#include "io_hand.h"

#define BLOCK 4096

static int refuse(void **state, const struct tern_io_engine *engine,
		  const struct tern_io_engine_params *params)
{
	return -EPERM;
}

static int create(const struct tern_io_engine *engine, const struct tern_io_engine *fallback,
		  struct bed *bed)
{
	const struct tern_io_opts opts = {
		.size = sizeof(opts), .engine = engine, .fallback = fallback};
	int e;

	*bed = (struct bed){.loop = loop_new(), .file.fd = -1};
	e = tern_io_queue_create(&bed->queue, bed->loop, &opts);
	if (e) {
		ck_assert_ptr_null(bed->queue);
		tern_loop_destroy(bed->loop);
	}
	return e;
}

static void a_fallback_is_taken_and_says_why(void)
{
	struct hand hand, refused, other;
	struct bed bed;

	hand_init(&hand);
	hand_init(&refused);
	hand_init(&other);
	refused.table.open = refuse;
	refused.table.name = "never";
	other.table.name = "other";
	ck_assert_int_eq(create(&refused.table, &other.table, &bed), 0);
	ck_assert_str_eq(tern_io_queue_engine(bed.queue),
			 "other: never refused (Operation not permitted)");
	bed_end(&bed);
	ck_assert_int_eq(create(&hand.table, &other.table, &bed), 0);
	ck_assert_str_eq(tern_io_queue_engine(bed.queue), "hand");
	bed_end(&bed);
	ck_assert_int_eq(create(&refused.table, NULL, &bed), -EPERM);
	ck_assert_int_eq(create(&refused.table, &refused.table, &bed), -EPERM);
}

static bool never_ready(void *state)
{
	return false;
}

static void nothing(void *state)
{
}

static void a_table_that_lacks_something_is_refused(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct hand hand, refused;
		struct bed bed;
		struct tern_io_engine *table = &hand.table;

		hand_init(&hand);
		hand_init(&refused);
		refused.table.open = refuse;
		switch (i) {
		case 0:
			table->size = 0;
			break;
		case 1:
			table->name = NULL;
			break;
		case 2:
			table->open = NULL;
			break;
		case 3:
			table->close = NULL;
			break;
		case 4:
			table->start = NULL;
			break;
		case 5:
			table->reap = nothing;
			break;
		case 6:
			table->ready = never_ready;
			break;
		case 7:
			table->size = 8;
			break;
		}
		ck_assert_msg(create(table, NULL, &bed) == -EINVAL, "row %u", i);
		ck_assert_msg(create(&refused.table, table, &bed) == -EINVAL, "fallback, row %u",
			      i);
	}
}

static void a_table_of_a_newer_library(void)
{
	struct {
		struct tern_io_engine table;
		void *more;
	} newer;
	struct hand hand;
	struct bed bed;

	hand_init(&hand);
	newer.table = hand.table;
	newer.table.size = sizeof(newer);
	newer.more = &hand;
	ck_assert_int_eq(create(&newer.table, NULL, &bed), -E2BIG);
	newer.more = NULL;
	ck_assert_int_eq(create(&newer.table, NULL, &bed), 0);
	bed_end(&bed);
}

static struct tern_io *submit(struct bed *bed, uint64_t block)
{
	const struct tern_io_file file = no_file(1);
	struct tern_io *io = io_get(bed);

	tern_io_prep_write(io, &file, block * BLOCK, BLOCK);
	ck_assert_int_eq(tern_io_submit(io), 0);
	return io;
}

static void what_start_refuses_with_eagain_is_tried_again(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io[6];

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	hand.refusal = -EAGAIN;
	io[0] = submit(&bed, 0);
	turn(&bed);
	hand.refuses = 3;
	for (unsigned i = 1; i < COUNT(io); i++)
		io[i] = submit(&bed, i);
	ck_assert_uint_eq(tern_io_outstanding(bed.queue), COUNT(io));
	hand_complete(&hand, 0, BLOCK); /* something is over: or a little later */
	while (tern_io_outstanding(bed.queue)) {
		int64_t ns = tern_loop_prepare(bed.loop);

		if (!hand.n && ns)
			is_readable(bed.loop, 1);
		hand_complete_all(&hand);
		tern_loop_dispatch(bed.loop, 0);
	}
	for (unsigned i = 0; i < COUNT(io); i++) {
		struct tern_io *over = tern_io_wait(bed.queue);

		ck_assert_int_eq(over->result, BLOCK);
		tern_io_release(over);
	}
	bed_end(&bed);
}

/* With nothing else outstanding only time can help. */
static void who_is_refused_alone_does_not_hang(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){.ordered = true});
	hand.refusal = -EAGAIN;
	for (unsigned round = 0; round < 2; round++) {
		hand.starts = 0;
		hand.refuses = 3;
		io = submit(&bed, round);
		while (hand.starts < 4) {
			int64_t ns = tern_loop_prepare(bed.loop);

			if (hand.starts < 4 && ns)
				is_readable(bed.loop, 1);
			tern_loop_dispatch(bed.loop, 0);
		}
		hand_finish(&bed, &hand);
		ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
		ck_assert_int_eq(io->result, BLOCK);
		tern_io_release(io);
	}
	bed_end(&bed);
}

static void other_refusals_are_results(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	hand.refuses = 1;
	hand.refusal = -EOPNOTSUPP;
	io = submit(&bed, 0);
	ck_assert_uint_eq(tern_io_outstanding(bed.queue), 1);
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, -EOPNOTSUPP);
	ck_assert_uint_eq(hand.starts, 1);
	tern_io_release(io);
	bed_end(&bed);
}

static void a_blocked_attempt_is_made_again_where_it_may_block(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io;

	hand_bed(&bed, &hand, (struct tern_io_opts){0});
	io = submit(&bed, 3);
	turn(&bed);
	ck_assert(!hand.last.blocking);
	hand_complete(&hand, 0, -EINTR);
	turn(&bed);
	ck_assert_uint_eq(hand.starts, 2);
	ck_assert(!hand.last.blocking);
	hand_complete(&hand, 0, 96);
	turn(&bed);
	hand_complete(&hand, 0, -EAGAIN);
	turn(&bed);
	ck_assert_uint_eq(hand.starts, 4);
	ck_assert(hand.last.blocking);
	ck_assert_int_eq(hand.last.offset, 3 * BLOCK + 96);
	ck_assert_uint_eq(hand.last.length, BLOCK - 96);
	hand_complete(&hand, 0, BLOCK - 96);
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	ck_assert_int_eq(io->result, BLOCK);
	tern_io_prep_write(io, &io->file, 0, BLOCK); /* the next begins as all do */
	ck_assert_int_eq(tern_io_submit(io), 0);
	turn(&bed);
	ck_assert(!hand.last.blocking);
	hand_complete_all(&hand);
	ck_assert_ptr_eq(tern_io_wait(bed.queue), io);
	tern_io_release(io);
	bed_end(&bed);
}

static int start_and_complete(void *state, struct tern_io *io)
{
	const struct tern_io **data = tern_io_engine_data(io);
	bool *known = io->user;

	ck_assert_uint_eq((uintptr_t)data % _Alignof(max_align_t), 0);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert(!*known || data[i] == io);
		data[i] = io;
	}
	*known = true;
	tern_io_complete(io, (int64_t)tern_io_piece(io).length);
	return 0;
}

static void engines_have_bytes_of_their_own_and_may_complete_inside_start(void)
{
	struct hand hand;
	struct bed bed;
	struct tern_io *io[8];
	bool known[COUNT(io)] = {false};

	hand_init(&hand);
	hand.table.start = start_and_complete;
	hand.table.request_size = 5 * sizeof(void *);
	bed_make(&bed, (struct tern_io_opts){.engine = &hand.table, .requests_max = COUNT(io)});
	for (unsigned i = 0; i < COUNT(io); i++) {
		io[i] = io_get(&bed);
		io[i]->user = &known[i];
	}
	for (unsigned i = 0; i < COUNT(io); i++)
		tern_io_release(io[i]);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < COUNT(io); i++)
			io[i] = submit(&bed, i);
		ck_assert_uint_eq(tern_io_outstanding(bed.queue), COUNT(io));
		for (unsigned i = 0; i < COUNT(io); i++) {
			io[i] = tern_io_wait(bed.queue);
			ck_assert_int_eq(io[i]->result, BLOCK);
			tern_io_release(io[i]);
		}
	}
	bed_end(&bed);
}

/* One whose completions are fetched: what is started is over at the next reap. */
struct fetched {
	struct tern_io *held[64];
	unsigned n, flushed, reaps, waits;
	int wake_fd;
};

static struct fetched fetched;

static int fetched_open(void **state, const struct tern_io_engine *engine,
			const struct tern_io_engine_params *params)
{
	fetched.wake_fd = params->wake_fd;
	ck_assert_uint_eq(params->depth, 64);
	ck_assert_ptr_nonnull(params->buffers);
	ck_assert_uint_ge(params->buffers_size, 64 * 65536);
	*state = &fetched;
	return 0;
}

static int fetched_start(void *state, struct tern_io *io)
{
	fetched.held[fetched.n++] = io;
	return 0;
}

static void fetched_flush(void *state)
{
	const uint64_t one = 1;

	if (fetched.flushed == fetched.n)
		return;
	fetched.flushed = fetched.n;
	ck_assert_int_eq(write(fetched.wake_fd, &one, sizeof(one)), sizeof(one));
}

static void fetched_reap(void *state)
{
	fetched.reaps++;
	while (fetched.flushed) {
		fetched.flushed--;
		tern_io_complete(fetched.held[--fetched.n], BLOCK);
	}
}

static bool fetched_ready(void *state)
{
	return fetched.flushed;
}

static void fetched_wait(void *state)
{
	fetched.waits++;
	fetched_flush(state);
}

static void count_and_go_on(struct tern_io *io)
{
	unsigned *left = io->user;

	ck_assert_int_eq(io->result, BLOCK);
	if (!*left) {
		tern_io_release(io);
		return;
	}
	--*left;
	ck_assert_int_eq(tern_io_submit(io), 0);
}

static void completions_are_fetched_by_the_loop(void)
{
	const struct tern_io_file file = no_file(1);
	struct bed bed;
	unsigned left;

	for (unsigned way = 0; way < 3; way++) {
		struct tern_io_engine table = {
			.size = sizeof(table),
			.name = "fetched",
			.open = fetched_open,
			.close = nothing,
			.start = fetched_start,
			.flush = fetched_flush,
			.reap = fetched_reap,
			.ready = fetched_ready,
			.wait = way == 2 ? NULL : fetched_wait,
		};

		fetched = (struct fetched){0};
		bed_make(&bed, (struct tern_io_opts){.engine = &table, .depth = 64});
		left = 1000;
		for (unsigned i = 0; i < 64; i++) {
			struct tern_io *io = io_get(&bed);

			tern_io_prep_write(io, &file, 0, BLOCK);
			io->done = count_and_go_on;
			io->user = &left;
			ck_assert_int_eq(tern_io_submit(io), 0);
		}
		if (way)
			ck_assert_uint_eq(tern_io_drain(bed.queue), 1064);
		else
			ck_assert_int_eq(tern_loop_run(bed.loop), 0);
		ck_assert_uint_eq(left, 0);
		ck_assert_uint_ge(fetched.reaps, 1);
		bed_end(&bed);
	}
}

static const struct test tests[] = {
	{"a fallback is taken, and says why; without one it is what the engine says",
	 a_fallback_is_taken_and_says_why},
	{"a table that lacks something is refused", a_table_that_lacks_something_is_refused},
	{"a newer library's table is taken while its tail is zero", a_table_of_a_newer_library},
	{"what start refuses with -EAGAIN is tried again",
	 what_start_refuses_with_eagain_is_tried_again},
	{"who is refused alone does not hang", who_is_refused_alone_does_not_hang},
	{"other refusals are results", other_refusals_are_results},
	{"-EINTR is tried again, -EAGAIN where it may block",
	 a_blocked_attempt_is_made_again_where_it_may_block},
	{"engines have bytes of their own, and may complete inside start",
	 engines_have_bytes_of_their_own_and_may_complete_inside_start},
	{"completions are fetched by the loop, and by who waits",
	 completions_are_fetched_by_the_loop},
};

int main(int argc, char **argv)
{
	return run_tests("I/O engines", tests, COUNT(tests), argc, argv);
}
