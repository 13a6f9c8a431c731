/* SPDX-License-Identifier: MIT */
/* Join, delay and retry. */
#include "futures.h"

#define WAYS 1000

static struct puppet puppets[WAYS];
static struct tern_future *futures[WAYS];

static void puppets_init(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		puppet_init(&puppets[i], (int64_t)i);
		futures[i] = &puppets[i].future;
	}
}

static void all_of_a_thousand(void)
{
	static const size_t ways[] = {0, 1, 2, WAYS};
	struct tern_join join;

	for (size_t k = 0; k < COUNT(ways); k++) {
		unsigned sum = 0, polls = 0;

		puppets_init(ways[k]);
		for (size_t i = 0; i < ways[k]; i++) {
			puppets[i].after = (unsigned)i % 3;
			sum += puppets[i].after + 1;
		}
		tern_join_init(&join, futures, ways[k]);
		ck_assert(!join.stop_on_error);
		ck_assert_int_eq(tern_runtime_wait(&join.future), 0);
		ck_assert_uint_eq(join.left, 0);
		for (size_t i = 0; i < ways[k]; i++)
			polls += puppets[i].polls;
		ck_assert_uint_eq(polls, sum);
	}
}

static void a_join_waits_for_all_and_tells_the_first_error(void)
{
	struct tern_future complete;
	struct tern_join join;

	puppets_init(4);
	puppets[0].after = puppets[2].after = 2;
	puppets[0].ends_with = -EDOM;
	puppets[1].after = 1;
	puppets[1].ends_with = -EIO; /* the first that is found */
	puppets[2].ends_with = -ENOSPC;
	puppets[3].after = 4;
	tern_join_init(&join, futures, 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(tern_future_poll(&join.future, NULL), TERN_FUTURE_RUNNING);
		ck_assert_uint_eq(join.left, !i ? 4 : i == 1 ? 3 : 1);
	}
	ck_assert_int_eq(tern_future_poll(&join.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(join.future.result, -EIO);
	ck_assert_uint_eq(puppets[3].cancels, 0);
	/* one that was complete before counts */
	tern_future_init_complete(&complete, -ENOENT);
	futures[0] = &complete;
	tern_join_init(&join, futures, 1);
	ck_assert_int_eq(tern_runtime_wait(&join.future), -ENOENT);
}

static void stop_on_error_cancels_the_others(void)
{
	struct tern_join join;

	puppets_init(3);
	puppets[0].after = puppets[2].after = NEVER;
	puppets[1].after = 1;
	puppets[1].ends_with = -EIO;
	tern_join_init(&join, futures, 3);
	join.stop_on_error = true;
	ck_assert_int_eq(tern_future_poll(&join.future, NULL), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(tern_future_poll(&join.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(join.future.result, -EIO);
	ck_assert_int_eq(puppets[0].future.result, -ECANCELED);
	ck_assert_int_eq(puppets[2].future.result, -ECANCELED);
}

static void cancel_of_a_join_waits_for_all(void)
{
	struct tern_join join;

	puppets_init(3);
	puppets[0].after = NEVER;
	puppets[1].after = 3;
	puppets[1].obeys = false;
	tern_join_init(&join, futures, 3);
	ck_assert_int_eq(tern_future_poll(&join.future, NULL), TERN_FUTURE_RUNNING);
	tern_future_cancel(&join.future);
	ck_assert_int_eq(tern_future_poll(&join.future, NULL), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(puppets[0].future.state, TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(tern_runtime_wait(&join.future), -ECANCELED);
	ck_assert_uint_eq(puppets[1].polls, 4);
	ck_assert_int_eq(puppets[2].future.result, 2);
}

#define TELLERS 4

static struct tern_future told[WAYS];

static void complete_share(void *arg, unsigned who)
{
	for (unsigned i = who; i < WAYS; i += TELLERS)
		tern_future_complete(&told[i], 0);
}

static void a_thousand_from_many_threads(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_future_run run;
	struct came came = {.dones = 0};
	struct tern_join join;
	struct crowd crowd;

	crowd_init(&crowd, TELLERS);
	for (unsigned round = scaled(40); round; round--) {
		for (unsigned i = 0; i < WAYS; i++) {
			tern_future_init(&told[i], NULL);
			futures[i] = &told[i];
		}
		tern_join_init(&join, futures, WAYS);
		crowd_start(&crowd, complete_share, NULL);
		came.dones = 0;
		ck_assert_int_eq(tern_future_run(&run, loop, &join.future, note_came, &came), 0);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert_uint_eq(came.dones, 1);
		ck_assert_int_eq(came.result, 0);
		crowd_end(&crowd);
	}
	crowd_destroy(&crowd);
	tern_loop_destroy(loop);
}

static void a_delay_is_as_long_as_it_is(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_notifier said;
	struct tern_future_run run;
	struct came came = {.dones = 0};
	struct tern_delay delay;
	uint64_t begin = now_ns();
	struct bell bell;

	bell_init(&bell);
	tern_delay_init(&delay, 3 * MS);
	ck_assert_int_eq(tern_runtime_wait(&delay.future), 0);
	ck_assert_uint_ge(now_ns(), begin + 3 * MS);
	tern_delay_init(&delay, 3 * MS);
	begin = now_ns();
	ck_assert_int_eq(tern_future_run(&run, loop, &delay.future, note_came, &came), 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(came.dones, 1);
	ck_assert_uint_ge(now_ns(), begin + 3 * MS);
	tern_delay_init(&delay, 0);
	ck_assert_int_eq(tern_future_poll(&delay.future, NULL), TERN_FUTURE_COMPLETE);
	/* the longest does not wrap, and it says when to poll it */
	tern_delay_init(&delay, UINT64_MAX);
	ck_assert_int_eq(poll_with(&delay.future, &bell, &said), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	ck_assert_uint_ge(said.deadline_ns, INT64_MAX);
	tern_loop_destroy(loop);
}

static void a_delay_is_canceled(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_future_run run;
	struct came came = {.dones = 0};
	struct tern_delay delay;

	tern_delay_init(&delay, UINT64_MAX);
	tern_future_cancel(&delay.future);
	ck_assert_int_eq(tern_runtime_wait(&delay.future), -ECANCELED);
	tern_delay_init(&delay, UINT64_MAX);
	ck_assert_int_eq(tern_future_run(&run, loop, &delay.future, note_came, &came), 0);
	tern_loop_prepare(loop);
	ck_assert_uint_eq(came.dones, 0);
	tern_future_run_cancel(&run);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(came.result, -ECANCELED);
	tern_loop_destroy(loop);
}

/* Fails until so many attempts have been made. */
struct tries {
	struct tern_retry retry;
	struct puppet puppet;
	unsigned prepared, succeeds_at, after;
	int refuses_with;
};

static int prepare(struct tern_retry *retry)
{
	struct tries *t = tern_container_of(retry, struct tries, retry);

	ck_assert_uint_eq(retry->failed, t->prepared);
	if (t->prepared)
		ck_assert_int_eq(retry->of->result, -EIO);
	if (t->refuses_with && t->prepared)
		return t->refuses_with;
	t->prepared++;
	puppet_init(&t->puppet, t->prepared == t->succeeds_at ? 5 : -EIO);
	t->puppet.after = t->after;
	retry->of = &t->puppet.future;
	return 0;
}

static void tries_init(struct tries *t)
{
	*t = (struct tries){.succeeds_at = 0};
	tern_retry_init(&t->retry, NULL, prepare);
	t->retry.pause_ns = 1;
}

static void a_retry_ends_with_success_or_the_last_failure(void)
{
	struct tries t;

	tries_init(&t);
	t.succeeds_at = 1;
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), 5);
	ck_assert_uint_eq(t.retry.failed, 0);
	tries_init(&t);
	t.succeeds_at = 4;
	t.after = 2;
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), 5);
	ck_assert_uint_eq(t.retry.failed, 3);
	tries_init(&t);
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), -EIO);
	ck_assert_uint_eq(t.prepared, 5);
	tries_init(&t);
	t.retry.attempts_max = 1;
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), -EIO);
	ck_assert_uint_eq(t.prepared, 1);
	tries_init(&t);
	t.retry.attempts_max = TERN_FOREVER;
	t.retry.pause_ns_max = 1;
	t.succeeds_at = 300;
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), 5);
	tries_init(&t);
	t.refuses_with = -ENOENT;
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), -ENOENT);
	ck_assert_uint_eq(t.prepared, 1);
	tern_retry_init(&t.retry, NULL, NULL);
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), -EINVAL);
}

static void its_pauses_double(void)
{
	static const uint64_t pauses[] = {1000, 2000, 4000, 5000, 5000};
	struct tern_notifier said;
	struct tries t;
	struct bell bell;

	bell_init(&bell);
	tries_init(&t);
	t.retry.attempts_max = 6;
	t.retry.pause_ns = 1000 * MS;
	t.retry.pause_ns_max = 5000 * MS;
	for (unsigned i = 0; i < COUNT(pauses); i++) {
		uint64_t begin = now_ns();

		ck_assert_int_eq(poll_with(&t.retry.future, &bell, &said), TERN_FUTURE_RUNNING);
		ck_assert_uint_eq(t.prepared, i + 1);
		ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
		ck_assert_uint_eq(t.retry.delay.delay_ns, pauses[i] * MS);
		ck_assert_uint_ge(said.deadline_ns, begin + pauses[i] * MS);
		t.retry.delay.deadline_ns = 0; /* as if it were over */
	}
	tries_init(&t);
	t.retry.pause_ns = 20 * MS;
	t.retry.pause_ns_max = 5 * MS;
	poll_with(&t.retry.future, &bell, &said);
	ck_assert_uint_eq(t.retry.delay.delay_ns, 5 * MS);
	tries_init(&t);
	t.retry.pause_ns = 0;
	poll_with(&t.retry.future, &bell, &said);
	ck_assert_uint_eq(t.retry.delay.delay_ns, 10 * MS);
}

static void cancel_of_a_retry(void)
{
	struct tries t;

	tries_init(&t); /* before it began */
	tern_future_cancel(&t.retry.future);
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), -ECANCELED);
	ck_assert_uint_eq(t.prepared, 0);
	tries_init(&t); /* in an attempt */
	t.after = 5;
	tern_future_poll(&t.retry.future, NULL);
	tern_future_cancel(&t.retry.future);
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), -ECANCELED);
	ck_assert_uint_eq(t.puppet.cancels, 1);
	tries_init(&t); /* in one that is not to be stopped, and fails: no other follows */
	t.after = 1;
	tern_future_poll(&t.retry.future, NULL);
	t.puppet.obeys = false;
	tern_future_cancel(&t.retry.future);
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), -EIO);
	ck_assert_uint_eq(t.prepared, 1);
	tries_init(&t); /* in a pause */
	t.retry.pause_ns = UINT64_MAX;
	t.retry.pause_ns_max = UINT64_MAX;
	tern_future_poll(&t.retry.future, NULL);
	ck_assert_uint_eq(t.retry.failed, 1);
	tern_future_cancel(&t.retry.future);
	ck_assert_int_eq(tern_runtime_wait(&t.retry.future), -ECANCELED);
	ck_assert_uint_eq(t.prepared, 1);
}

static const struct test tests[] = {
	{"a join of 0 to 1000 is complete when all are", all_of_a_thousand},
	{"a join waits for all, and tells the first error",
	 a_join_waits_for_all_and_tells_the_first_error},
	{"stop_on_error cancels the others", stop_on_error_cancels_the_others},
	{"cancel of a join waits for all", cancel_of_a_join_waits_for_all},
	{"a join of 1000 that end on many threads", a_thousand_from_many_threads},
	{"a delay is as long as it is", a_delay_is_as_long_as_it_is},
	{"a delay is cancelled", a_delay_is_canceled},
	{"a retry ends with success or the last failure",
	 a_retry_ends_with_success_or_the_last_failure},
	{"the pauses of a retry double", its_pauses_double},
	{"cancel of a retry, in each state", cancel_of_a_retry},
};

int main(int argc, char **argv)
{
	return run_tests("combinators", tests, COUNT(tests), argc, argv);
}
