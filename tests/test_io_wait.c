/* SPDX-License-Identifier: MIT */
/* Without callbacks, and with: poke, wait, drain and their accounts. */
#include "io_hand.h"

#define BLOCK 4096
#define DEPTH 8

static unsigned dones, resubmits, poked_inside;
static struct bed the_bed;
static struct hand the_hand;

static void make(struct tern_io_opts opts)
{
	opts.depth = DEPTH;
	hand_bed(&the_bed, &the_hand, opts);
}

static struct tern_io *submit(void (*done)(struct tern_io *io))
{
	const struct tern_io_file file = no_file(1);
	struct tern_io *io = io_get(&the_bed);

	tern_io_prep_read(io, &file, 0, BLOCK);
	io->done = done;
	ck_assert_int_eq(tern_io_submit(io), 0);
	return io;
}

static void count(struct tern_io *io)
{
	dones++;
	tern_io_release(io);
}

static void poke_keeps_to_max(void)
{
	make((struct tern_io_opts){0});
	for (unsigned i = 0; i < DEPTH; i++)
		submit(count);
	ck_assert_uint_eq(tern_io_poke(the_bed.queue, 0), 0);
	hand_complete_all(&the_hand);
	ck_assert_uint_eq(tern_io_poke(the_bed.queue, 3), 3);
	ck_assert_uint_eq(dones, 3);
	ck_assert_uint_eq(tern_io_outstanding(the_bed.queue), DEPTH - 3);
	ck_assert_uint_eq(tern_io_poke(the_bed.queue, 1), 1);
	ck_assert_uint_eq(tern_io_poke(the_bed.queue, 0), DEPTH - 4);
	ck_assert_uint_eq(dones, DEPTH);
	ck_assert_uint_eq(tern_io_poke(the_bed.queue, 0), 0);
	bed_end(&the_bed);
}

/* With a hand that is over at once, what done submits could be brought for ever. */
static void count_and_resubmit(struct tern_io *io)
{
	ck_assert_uint_lt(tern_io_outstanding(io->queue), DEPTH);
	dones++;
	if (!resubmits) {
		tern_io_release(io);
		return;
	}
	resubmits--;
	ck_assert_int_eq(tern_io_submit(io), 0);
	hand_complete_all(&the_hand);
}

static void poke_of_all_ends_with_those_there_at_the_call(void)
{
	make((struct tern_io_opts){0});
	resubmits = 1000;
	for (unsigned i = 0; i < DEPTH; i++)
		submit(count_and_resubmit);
	hand_complete_all(&the_hand);
	for (unsigned i = 1; i <= 10; i++) {
		ck_assert_uint_eq(tern_io_poke(the_bed.queue, 0), DEPTH);
		ck_assert_uint_eq(dones, i * DEPTH);
	}
	ck_assert_uint_eq(tern_io_drain(the_bed.queue), 1000 + DEPTH - 10 * DEPTH);
	bed_end(&the_bed);
}

static void count_and_poke(struct tern_io *io)
{
	poked_inside++;
	ck_assert_uint_eq(tern_io_poke(io->queue, 0), 0);
	poked_inside--;
	ck_assert_uint_eq(poked_inside, 0);
	count(io);
}

static void poke_never_recurses(void)
{
	make((struct tern_io_opts){0});
	for (int by_loop = 0; by_loop <= 1; by_loop++) {
		dones = 0;
		for (unsigned i = 0; i < DEPTH; i++)
			submit(count_and_poke);
		hand_complete_all(&the_hand);
		if (by_loop)
			ck_assert_int_eq(tern_loop_run(the_bed.loop), 0);
		else
			ck_assert_uint_eq(tern_io_poke(the_bed.queue, 0), DEPTH);
		ck_assert_uint_eq(dones, DEPTH);
	}
	bed_end(&the_bed);
}

static void wait_brings_the_oldest_completion_first(void)
{
	static const unsigned order[] = {2, 0, 5, 1, 4, 3};
	struct tern_io *io[COUNT(order)];

	make((struct tern_io_opts){0});
	for (unsigned i = 0; i < COUNT(order); i++)
		io[i] = submit(NULL);
	turn(&the_bed);
	for (unsigned i = 0; i < COUNT(order); i++)
		for (unsigned j = 0; j < the_hand.n; j++)
			if (the_hand.held[j] == io[order[i]])
				hand_complete(&the_hand, j, BLOCK);
	for (unsigned i = 0; i < COUNT(order); i++) {
		if (i == 3) /* whoever finds them first */
			tern_io_poke(the_bed.queue, 0);
		ck_assert_ptr_eq(tern_io_wait(the_bed.queue), io[order[i]]);
	}
	ck_assert_ptr_null(tern_io_wait(the_bed.queue));
	for (unsigned i = 0; i < COUNT(order); i++)
		tern_io_release(io[i]);
	bed_end(&the_bed);
}

static void what_is_left_for_wait_is_not_outstanding(void)
{
	struct tern_io *io[DEPTH], *more;

	make((struct tern_io_opts){0});
	for (unsigned i = 0; i < DEPTH; i++)
		io[i] = submit(NULL);
	hand_complete_all(&the_hand);
	ck_assert_int_eq(tern_io_queue_destroy(the_bed.queue), -EBUSY);
	ck_assert_uint_eq(tern_io_poke(the_bed.queue, 0), DEPTH);
	ck_assert_uint_eq(tern_io_outstanding(the_bed.queue), 0);
	ck_assert(!tern_loop_alive(the_bed.loop));
	ck_assert_int_eq(tern_io_queue_destroy(the_bed.queue), -EBUSY);
	more = submit(NULL); /* they take no depth */
	ck_assert_ptr_eq(tern_io_wait(the_bed.queue), io[0]);
	hand_complete_all(&the_hand);
	ck_assert_uint_eq(tern_io_drain(the_bed.queue), 1);
	for (unsigned i = 1; i < DEPTH; i++)
		ck_assert_ptr_eq(tern_io_wait(the_bed.queue), io[i]);
	ck_assert_ptr_eq(tern_io_wait(the_bed.queue), more);
	ck_assert_ptr_null(tern_io_wait(the_bed.queue));
	ck_assert_int_eq(tern_io_queue_destroy(the_bed.queue), -EBUSY);
	for (unsigned i = 0; i < DEPTH; i++)
		tern_io_release(io[i]);
	tern_io_release(more);
	bed_end(&the_bed);
}

static bool stands_still;

static void come_later(struct tern_post *post)
{
	ck_assert(!stands_still);
}

static void wait_enters_dones_meanwhile_and_nothing_else(void)
{
	struct tern_io *io;
	struct tern_post post;

	make((struct tern_io_opts){0});
	stands_still = true;
	tern_post_init(&post, come_later);
	tern_loop_post(the_bed.loop, &post);
	submit(count);
	submit(count);
	io = submit(NULL);
	submit(count);
	hand_complete_all(&the_hand);
	ck_assert_ptr_eq(tern_io_wait(the_bed.queue), io);
	ck_assert_uint_ge(dones, 2);
	ck_assert_ptr_null(tern_io_wait(the_bed.queue));
	ck_assert_uint_eq(dones, 3);
	tern_io_release(io);
	ck_assert_uint_eq(tern_io_drain(the_bed.queue), 0);
	ck_assert_int_eq(tern_io_sync(the_bed.queue), 0);
	stands_still = false;
	bed_end(&the_bed);
}

static void *complete_elsewhere(void *arg)
{
	struct tern_io **io = arg;

	for (unsigned i = 0; i < DEPTH; i++)
		tern_io_complete(io[i], BLOCK);
	return NULL;
}

static void wait_sleeps_until_another_thread_completes(void)
{
	struct tern_io *held[DEPTH], *io[DEPTH];
	pthread_t thread;

	make((struct tern_io_opts){0});
	for (unsigned round = 0; round < scaled(200); round++) {
		for (unsigned i = 0; i < DEPTH; i++)
			io[i] = submit(NULL);
		turn(&the_bed);
		memcpy(held, the_hand.held, sizeof(held));
		the_hand.n = 0;
		thread = thread_new(complete_elsewhere, held);
		for (unsigned i = 0; i < DEPTH; i++) {
			ck_assert_ptr_eq(tern_io_wait(the_bed.queue), held[i]);
			ck_assert_ptr_eq(held[i], io[i]);
			tern_io_release(io[i]);
		}
		ck_assert_ptr_null(tern_io_wait(the_bed.queue));
		thread_join(thread);
	}
	bed_end(&the_bed);
}

/* Accounts first: at full depth, too, its own place is free in done. */
static void done_may_submit_at_full_depth(void)
{
	make((struct tern_io_opts){.requests_max = DEPTH});
	resubmits = 100;
	for (unsigned i = 0; i < DEPTH; i++)
		submit(count_and_resubmit);
	ck_assert_uint_eq(tern_io_outstanding(the_bed.queue), DEPTH);
	hand_complete(&the_hand, 5, BLOCK);
	ck_assert_uint_eq(tern_io_drain(the_bed.queue), 100 + DEPTH);
	ck_assert_uint_eq(dones, 100 + DEPTH);
	bed_end(&the_bed);
}

static void drop_and_get_another(struct tern_io *io)
{
	struct tern_io_queue *queue = io->queue;
	const struct tern_io_file file = io->file;

	count(io);
	if (!resubmits)
		return;
	resubmits--;
	io = tern_io_get(queue);
	ck_assert_ptr_nonnull(io);
	tern_io_prep_read(io, &file, 0, BLOCK);
	io->done = drop_and_get_another;
	ck_assert_int_eq(tern_io_submit(io), 0);
	hand_complete_all(&the_hand);
}

static void done_may_release_and_get_another(void)
{
	make((struct tern_io_opts){.requests_max = DEPTH});
	resubmits = 100;
	for (unsigned i = 0; i < DEPTH; i++)
		submit(drop_and_get_another);
	hand_complete(&the_hand, 0, BLOCK);
	ck_assert_uint_eq(tern_io_drain(the_bed.queue), 100 + DEPTH);
	bed_end(&the_bed);
}

static void drain_leaves_what_has_no_done(void)
{
	struct tern_io *io;

	make((struct tern_io_opts){0});
	submit(count);
	io = submit(NULL);
	submit(count);
	hand_complete_all(&the_hand);
	ck_assert_uint_eq(tern_io_drain(the_bed.queue), 3);
	ck_assert_uint_eq(dones, 2);
	ck_assert_uint_eq(tern_io_outstanding(the_bed.queue), 0);
	ck_assert_ptr_eq(tern_io_wait(the_bed.queue), io);
	tern_io_release(io);
	bed_end(&the_bed);
}

static void wait_inside(struct tern_io *io)
{
	expect_fatal("tern_io_wait", NULL);
	tern_io_wait(io->queue);
}

static void waiting_inside_a_done_is_fatal(void)
{
	make((struct tern_io_opts){0});
	submit(wait_inside);
	hand_complete_all(&the_hand);
	turn(&the_bed);
}

static void drain_inside(struct tern_io *io)
{
	expect_fatal("tern_io_drain", NULL);
	tern_io_drain(io->queue);
}

static void draining_inside_a_done_is_fatal(void)
{
	make((struct tern_io_opts){0});
	submit(drain_inside);
	hand_complete_all(&the_hand);
	turn(&the_bed);
}

static const struct test tests[] = {
	{"poke keeps to max", poke_keeps_to_max},
	{"poke of all ends with those there at the call",
	 poke_of_all_ends_with_those_there_at_the_call},
	{"poke never recurses", poke_never_recurses},
	{"wait brings the oldest completion first", wait_brings_the_oldest_completion_first},
	{"what is left for wait is not outstanding", what_is_left_for_wait_is_not_outstanding},
	{"wait enters dones meanwhile, and nothing else",
	 wait_enters_dones_meanwhile_and_nothing_else},
	{"wait sleeps until another thread completes", wait_sleeps_until_another_thread_completes},
	{"done may submit at full depth", done_may_submit_at_full_depth},
	{"done may release and get another", done_may_release_and_get_another},
	{"drain leaves what has no done", drain_leaves_what_has_no_done},
	{"fatal: waiting inside a done", waiting_inside_a_done_is_fatal},
	{"fatal: draining inside a done", draining_inside_a_done_is_fatal},
};

int main(int argc, char **argv)
{
	return run_tests("poke, wait, drain", tests, COUNT(tests), argc, argv);
}
