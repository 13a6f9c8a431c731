/* SPDX-License-Identifier: MIT */
/* Chains: order, what lies between the steps, errors, cancel. */
#include "futures.h"

#define STEPS 1000

struct walk {
	struct tern_chain chain;
	struct tern_step steps[STEPS];
	struct puppet puppets[STEPS];
	unsigned mapped, fails_at; /* map number fails_at returns -EDOM */
};

/* Each step gets what came before plus one. */
static int add_one(struct tern_chain *chain, struct tern_step *step,
		   const struct tern_future *before)
{
	struct walk *w = tern_container_of(chain, struct walk, chain);
	size_t at = (size_t)(step - w->steps);

	ck_assert_ptr_eq(chain->user, w);
	ck_assert_ptr_eq(step->user, &w->puppets[at]);
	ck_assert_uint_eq(chain->at, at);
	if (before)
		ck_assert_int_eq(before->state, TERN_FUTURE_COMPLETE);
	w->puppets[at].ends_with = (before ? before->result : 0) + 1;
	return ++w->mapped == w->fails_at ? -EDOM : 0;
}

static void walk_init(struct walk *w, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		puppet_init(&w->puppets[i], 0);
		w->steps[i] = (struct tern_step){
			.future = &w->puppets[i].future,
			.map = add_one,
			.user = &w->puppets[i],
		};
	}
	tern_chain_init(&w->chain, w->steps, count);
	ck_assert_ptr_null(w->chain.user);
	w->chain.user = w;
	w->mapped = w->fails_at = 0;
}

static struct walk walk;

static void of_any_length(void)
{
	static const size_t lengths[] = {0, 1, 2, 3, 10, STEPS};

	for (size_t i = 0; i < COUNT(lengths); i++) {
		walk_init(&walk, lengths[i]);
		ck_assert_int_eq(tern_runtime_wait(&walk.chain.future), (int64_t)lengths[i]);
		ck_assert_uint_eq(walk.mapped, lengths[i]);
		ck_assert_uint_eq(walk.chain.at, lengths[i]);
		for (size_t k = 0; k < lengths[i]; k++)
			ck_assert_uint_eq(walk.puppets[k].polls, 1);
	}
}

static void a_step_starts_when_the_one_before_is_complete(void)
{
	walk_init(&walk, 3);
	for (unsigned i = 0; i < 3; i++)
		walk.puppets[i].after = 2;
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(tern_future_poll(&walk.chain.future, NULL), TERN_FUTURE_RUNNING);
		ck_assert_uint_eq(walk.chain.at, i);
		ck_assert_uint_eq(walk.mapped, i + 1);
		if (i < 2)
			ck_assert_uint_eq(walk.puppets[i + 1].polls, 0);
		ck_assert_int_eq(tern_future_poll(&walk.chain.future, NULL), TERN_FUTURE_RUNNING);
	}
	ck_assert_int_eq(tern_future_poll(&walk.chain.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(walk.chain.future.result, 3);
}

static void several_may_end_in_one_poll(void)
{
	walk_init(&walk, STEPS);
	walk.puppets[500].after = 1;
	ck_assert_int_eq(tern_future_poll(&walk.chain.future, NULL), TERN_FUTURE_RUNNING);
	ck_assert_uint_eq(walk.chain.at, 500);
	ck_assert_int_eq(tern_future_poll(&walk.chain.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(walk.chain.future.result, STEPS);
}

static void what_its_step_says_the_chain_says(void)
{
	struct tern_notifier said;
	struct bell bell;
	uint64_t word = 3;

	bell_init(&bell);
	walk_init(&walk, 2);
	walk.puppets[0].after = walk.puppets[1].after = 3;
	poll_with(&walk.chain.future, &bell, &said);
	ck_assert_int_eq(said.used, TERN_NOTIFY_NONE);
	walk.puppets[0].says = TERN_NOTIFY_POLLER;
	walk.puppets[0].word = &word;
	walk.puppets[0].deadline_ns = 9;
	poll_with(&walk.chain.future, &bell, &said);
	ck_assert_int_eq(said.used, TERN_NOTIFY_POLLER);
	ck_assert_uint_eq(said.deadline_ns, 9);
	poll_with(&walk.chain.future, &bell, &said);
	ck_assert(!tern_future_has_property(&walk.chain.future, TERN_FUTURE_ASYNC));
	walk.puppets[1].async = true;
	walk.puppets[1].says = TERN_NOTIFY_WAKER;
	walk.puppets[1].attaches = true;
	poll_with(&walk.chain.future, &bell, &said);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	ck_assert_uint_eq(said.deadline_ns, 0);
	ck_assert(tern_future_has_property(&walk.chain.future, TERN_FUTURE_ASYNC));
	tern_future_wake(&walk.puppets[1].future);
	ck_assert_uint_eq(bell.wakes, 1);
}

static void an_error_leaves_out_all_but_what_cleans_up(void)
{
	walk_init(&walk, 6);
	walk.puppets[1].obeys = false;
	walk.steps[1].map = NULL;
	walk.puppets[1].ends_with = -EIO;
	walk.steps[4].always = true;
	ck_assert_int_eq(tern_runtime_wait(&walk.chain.future), -EIO);
	ck_assert_uint_eq(walk.mapped, 2); /* of steps 0 and 4, which saw step 1 */
	ck_assert_int_eq(walk.puppets[4].future.result, -EIO + 1);
	ck_assert_uint_eq(walk.puppets[2].polls + walk.puppets[3].polls + walk.puppets[5].polls, 0);
	walk_init(&walk, 3); /* the first error stands */
	walk.steps[0].map = walk.steps[2].map = NULL;
	walk.puppets[0].ends_with = -EIO;
	walk.puppets[2].ends_with = -ENOSPC;
	walk.steps[2].always = true;
	ck_assert_int_eq(tern_runtime_wait(&walk.chain.future), -EIO);
}

static void an_error_between_steps_does_too(void)
{
	walk_init(&walk, 4);
	walk.fails_at = 2;
	walk.steps[3].always = true;
	ck_assert_int_eq(tern_runtime_wait(&walk.chain.future), -EDOM);
	ck_assert_uint_eq(walk.puppets[1].polls + walk.puppets[2].polls, 0);
	ck_assert_uint_eq(walk.puppets[3].polls, 1);
	ck_assert_int_eq(walk.puppets[3].future.result, 2); /* before it came step 0 */
}

static void cancel_before_the_first_poll(void)
{
	walk_init(&walk, 3);
	walk.steps[2].always = true;
	tern_future_cancel(&walk.chain.future);
	ck_assert_int_eq(tern_runtime_wait(&walk.chain.future), -ECANCELED);
	ck_assert_uint_eq(walk.puppets[0].polls + walk.puppets[1].polls, 0);
	ck_assert_uint_eq(walk.puppets[2].polls, 1);
}

static void cancel_in_a_step(void)
{
	for (int obeys = 0; obeys <= 1; obeys++) {
		walk_init(&walk, 3);
		walk.puppets[1].after = 3;
		walk.puppets[1].obeys = obeys;
		ck_assert_int_eq(tern_future_poll(&walk.chain.future, NULL), TERN_FUTURE_RUNNING);
		tern_future_cancel(&walk.chain.future);
		ck_assert_uint_eq(walk.puppets[1].cancels, 1);
		ck_assert_int_eq(tern_runtime_wait(&walk.chain.future), -ECANCELED);
		ck_assert_int_eq(walk.puppets[1].future.result, obeys ? -ECANCELED : 2);
		ck_assert_uint_eq(walk.puppets[2].polls, 0);
	}
	walk_init(&walk, 2); /* in the last: what it comes to */
	walk.puppets[1].after = 3;
	walk.puppets[1].obeys = false;
	ck_assert_int_eq(tern_future_poll(&walk.chain.future, NULL), TERN_FUTURE_RUNNING);
	tern_future_cancel(&walk.chain.future);
	ck_assert_int_eq(tern_runtime_wait(&walk.chain.future), 2);
}

static void a_chain_is_a_step(void)
{
	static struct walk inner;
	struct tern_step steps[2];
	struct tern_chain outer;
	struct puppet last;

	walk_init(&inner, 10);
	inner.puppets[4].after = 2;
	puppet_init(&last, 77);
	steps[0] = (struct tern_step){.future = &inner.chain.future};
	steps[1] = (struct tern_step){.future = &last.future};
	tern_chain_init(&outer, steps, 2);
	ck_assert_int_eq(tern_future_poll(&outer.future, NULL), TERN_FUTURE_RUNNING);
	ck_assert_uint_eq(last.polls, 0);
	tern_future_cancel(&outer.future);
	ck_assert_uint_eq(inner.puppets[4].cancels, 1);
	ck_assert_int_eq(tern_runtime_wait(&outer.future), -ECANCELED);
	ck_assert_int_eq(inner.chain.future.result, -ECANCELED);
	ck_assert_uint_eq(last.polls, 0);
}

#define TELLERS 4

/* Each completes its share of the steps, as they come. */
static void complete_steps(void *arg, unsigned who)
{
	struct tern_future *futures = arg;

	for (unsigned i = who; i < STEPS; i += TELLERS)
		tern_future_complete(&futures[i], i);
}

static void steps_end_on_other_threads(void)
{
	static struct tern_future futures[STEPS];
	static struct tern_step steps[STEPS];
	struct tern_loop *loop = loop_new();
	struct tern_future_run run;
	struct tern_chain chain;
	struct crowd crowd;
	struct came came = {.dones = 0};

	crowd_init(&crowd, TELLERS);
	for (unsigned round = 0; round < scaled(40); round++) {
		for (unsigned i = 0; i < STEPS; i++) {
			tern_future_init(&futures[i], NULL);
			steps[i] = (struct tern_step){.future = &futures[i]};
		}
		tern_chain_init(&chain, steps, STEPS);
		crowd_start(&crowd, complete_steps, futures);
		if (round % 2) {
			ck_assert_int_eq(tern_runtime_wait(&chain.future), STEPS - 1);
		} else {
			ck_assert_int_eq(
				tern_future_run(&run, loop, &chain.future, note_came, &came), 0);
			ck_assert_int_eq(tern_loop_run(loop), 0);
			ck_assert_int_eq(came.result, STEPS - 1);
		}
		crowd_end(&crowd);
	}
	crowd_destroy(&crowd);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"of any length, 0 to 1000", of_any_length},
	{"a step starts when the one before is complete",
	 a_step_starts_when_the_one_before_is_complete},
	{"several may end in one poll", several_may_end_in_one_poll},
	{"what its step says the chain says", what_its_step_says_the_chain_says},
	{"an error leaves out all but what cleans up", an_error_leaves_out_all_but_what_cleans_up},
	{"an error between steps does, too", an_error_between_steps_does_too},
	{"cancel before the first poll", cancel_before_the_first_poll},
	{"cancel in a step", cancel_in_a_step},
	{"a chain is a step", a_chain_is_a_step},
	{"steps end on other threads", steps_end_on_other_threads},
};

int main(int argc, char **argv)
{
	return run_tests("chains", tests, COUNT(tests), argc, argv);
}
