/* SPDX-License-Identifier: MIT */
/* Which of the waiting items start first, which are too old to start, and which are to stop. */
#include "harness.h"

#define OF_EACH 64

/*
 * One thread, held by its first item until all others wait; they note the order of their starts.
 * The first has no done, so that no limit of waiting is for it.
 */
struct line {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct job first;
	struct latch arrived, go;
	unsigned started, done;
};

struct entry {
	struct tern_work work;
	struct line *line;
	unsigned place, status;
};

static void note_place(struct tern_work *work)
{
	struct entry *entry = tern_container_of(work, struct entry, work);

	entry->place = entry->line->started++;
}

static void count_done(struct tern_work *work)
{
	struct entry *entry = tern_container_of(work, struct entry, work);

	entry->status = (unsigned)-work->status;
	entry->line->done++;
}

static void open_line(struct line *line, const struct tern_pool_opts *opts)
{
	line->started = line->done = 0;
	line->loop = loop_new();
	ck_assert_int_eq(tern_pool_create(&line->pool, opts), 0);
	latch_init(&line->arrived, 1);
	latch_init(&line->go, 1);
	job_init(&line->first);
	line->first.work.done = NULL;
	line->first.arrives = &line->arrived;
	line->first.waits = &line->go;
	tern_pool_submit(line->pool, line->loop, &line->first.work);
	latch_wait(&line->arrived);
}

static void close_line(struct line *line)
{
	latch_arrive(&line->go);
	ck_assert_int_eq(tern_loop_run(line->loop), 0);
	tern_pool_destroy(line->pool);
	tern_loop_destroy(line->loop);
}

static void stand_in(struct line *line, struct entry *entry, enum tern_priority priority)
{
	entry->line = line;
	tern_work_init(&entry->work, note_place, count_done);
	entry->work.priority = (uint8_t)priority;
	tern_pool_submit(line->pool, line->loop, &entry->work);
}

static const struct tern_pool_opts one_thread = {
	.size = sizeof(one_thread), .threads_min = 1, .threads_max = 1};

static void the_urgent_go_first_and_nobody_waits_for_ever(void)
{
	struct entry entries[3][OF_EACH];
	unsigned of[3] = {0}, window[3 * OF_EACH];
	struct line line;

	open_line(&line, &one_thread);
	for (unsigned i = 0; i < OF_EACH; i++)
		for (unsigned k = 0; k < 3; k++)
			stand_in(&line, &entries[k][i], k);
	close_line(&line);
	ck_assert_uint_eq(line.done, 3 * OF_EACH);
	for (unsigned k = 0; k < 3; k++)
		for (unsigned i = 0; i < OF_EACH; i++) {
			/* in order within one priority */
			if (i)
				ck_assert_uint_gt(entries[k][i].place, entries[k][i - 1].place);
			window[entries[k][i].place] = k;
		}
	/* while all three wait: of any 16 in a row 12 are HIGH, 3 NORMAL, 1 LOW */
	for (unsigned at = 0; at < OF_EACH; at++) {
		of[window[at]]++;
		if (at >= 16)
			of[window[at - 16]]--;
		if (at < 15)
			continue;
		ck_assert_uint_eq(of[TERN_HIGH], 12);
		ck_assert_uint_eq(of[TERN_NORMAL], 3);
		ck_assert_uint_eq(of[TERN_LOW], 1);
	}
}

static void what_is_left_fills_the_turns(void)
{
	struct entry low[OF_EACH], normal[OF_EACH];
	unsigned low_early = 0;
	struct line line;

	open_line(&line, &one_thread);
	for (unsigned i = 0; i < OF_EACH; i++) {
		stand_in(&line, &low[i], TERN_LOW);
		stand_in(&line, &normal[i], TERN_NORMAL);
	}
	close_line(&line);
	for (unsigned i = 0; i < OF_EACH; i++)
		low_early += low[i].place < OF_EACH;
	ck_assert_uint_eq(low_early, OF_EACH / 16);
}

static void a_change_after_submit_has_no_effect(void)
{
	struct entry entries[6];
	struct line line;

	open_line(&line, &one_thread);
	for (unsigned i = 0; i < 4; i++)
		stand_in(&line, &entries[i], i % 2 ? TERN_HIGH : TERN_LOW);
	/* brings them into the queue, then one is taken out by what the queue knows */
	ck_assert(tern_work_cancel(&entries[1].work));
	entries[2].work.priority = TERN_HIGH;
	ck_assert(tern_work_cancel(&entries[2].work));
	stand_in(&line, &entries[4], TERN_LOW);
	stand_in(&line, &entries[5], TERN_HIGH);
	close_line(&line);
	ck_assert_uint_eq(line.started, 4);
	ck_assert_uint_eq(entries[3].place, 0);
	ck_assert_uint_eq(entries[5].place, 1);
	ck_assert_uint_eq(entries[0].place, 2);
	ck_assert_uint_eq(entries[4].place, 3);
}

static void a_priority_that_is_none(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct job job;

	job_init(&job);
	job.work.priority = TERN_LOW + 1;
	expect_fatal("tern_pool_submit", &job.work);
	tern_pool_submit(pool, loop, &job.work);
}

static void what_waited_too_long_is_not_run(void)
{
	struct tern_pool_opts opts = one_thread;
	struct entry entries[10];
	struct line line;
	struct job bare;
	uint64_t end;

	opts.wait_ms_max = 20;
	open_line(&line, &opts);
	for (unsigned i = 0; i < COUNT(entries); i++)
		stand_in(&line, &entries[i], TERN_NORMAL);
	/* without done nobody could be told: it is run however late */
	job_init(&bare);
	bare.work.done = NULL;
	tern_pool_submit(line.pool, NULL, &bare.work);
	end = now_ns() + 30000000;
	loop_until(line.loop, is_past, &end);
	latch_arrive(&line.go);
	ck_assert_int_eq(tern_loop_run(line.loop), 0);
	ck_assert_uint_eq(line.done, COUNT(entries));
	ck_assert_uint_eq(line.started, 0);
	for (unsigned i = 0; i < COUNT(entries); i++)
		ck_assert_uint_eq(entries[i].status, ETIMEDOUT);
	ck_assert_uint_eq(stats_of(line.pool).timed_out, COUNT(entries));
	tern_pool_destroy(line.pool);
	ck_assert_uint_eq(bare.runs, 1);
	tern_loop_destroy(line.loop);
}

static void what_is_in_time_is_run(void)
{
	struct tern_pool_opts opts = one_thread;
	struct entry entry;
	struct line line;

	opts.wait_ms_max = 3600000;
	open_line(&line, &opts);
	stand_in(&line, &entry, TERN_NORMAL);
	close_line(&line);
	ck_assert_uint_eq(line.started, 1);
	ck_assert_uint_eq(entry.status, 0);
}

/* An item that runs until somebody wants it to stop. */
struct endless {
	struct tern_work work;
	struct latch running;
	unsigned asked_before, dones;
};

static void run_until_canceled(struct tern_work *work)
{
	struct endless *endless = tern_container_of(work, struct endless, work);

	endless->asked_before = tern_work_canceled();
	latch_arrive(&endless->running);
	while (!tern_work_canceled())
		;
}

static void count_end(struct tern_work *work)
{
	struct endless *endless = tern_container_of(work, struct endless, work);

	ck_assert_int_eq(work->status, 0);
	endless->dones++;
}

static void a_running_item_hears_of_cancel(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct endless endless = {.dones = 0};

	tern_work_init(&endless.work, run_until_canceled, count_end);
	for (unsigned i = 0; i < 3; i++) {
		latch_init(&endless.running, 1);
		tern_pool_submit(pool, loop, &endless.work);
		latch_wait(&endless.running);
		ck_assert(!tern_work_cancel(&endless.work));
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert_uint_eq(endless.dones, i + 1);
		/* each submit starts afresh */
		ck_assert(!endless.asked_before);
	}
	ck_assert(!tern_work_canceled());
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"the urgent go first, and nobody waits for ever",
	 the_urgent_go_first_and_nobody_waits_for_ever},
	{"what is left fills the turns", what_is_left_fills_the_turns},
	{"a change after submit has no effect", a_change_after_submit_has_no_effect},
	{"fatal: a priority that is none", a_priority_that_is_none},
	{"what waited too long is not run", WITH_STATS(what_waited_too_long_is_not_run)},
	{"what is in time is run", what_is_in_time_is_run},
	{"a running item hears of cancel", a_running_item_hears_of_cancel},
};

int main(int argc, char **argv)
{
	return run_tests("class", tests, COUNT(tests), argc, argv);
}
