/* SPDX-License-Identifier: MIT */
/* Select and timeout: who wins, and that the others are let go of and awaited. */
#include "futures.h"

#define WAYS 4

struct race {
	struct tern_select select;
	struct puppet puppets[WAYS];
	struct tern_future *futures[WAYS];
};

/* None comes to its end but by cancel or tern_future_complete. */
static void race_init(struct race *r)
{
	for (size_t i = 0; i < WAYS; i++) {
		puppet_init(&r->puppets[i], (int64_t)i + 10);
		r->puppets[i].after = NEVER;
		r->puppets[i].attaches = true;
		r->puppets[i].says = TERN_NOTIFY_WAKER;
		r->futures[i] = &r->puppets[i].future;
	}
	tern_select_init(&r->select, r->futures, WAYS);
}

static void the_first_wins_and_the_others_are_asked_to_stop(void)
{
	struct race r;
	struct tern_notifier said;
	struct bell bell;

	bell_init(&bell);
	race_init(&r);
	r.puppets[3].obeys = false; /* its buffers are in use for a while */
	ck_assert_int_eq(poll_with(&r.select.future, &bell, &said), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	tern_future_complete(r.futures[2], 77);
	ck_assert_uint_eq(bell.wakes, 1);
	ck_assert_int_eq(poll_with(&r.select.future, &bell, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(r.select.future.result, 77);
	ck_assert_uint_eq(r.select.winner, 2);
	for (unsigned i = 0; i < WAYS; i++)
		ck_assert_uint_eq(r.puppets[i].cancels, i != 2);
	ck_assert_int_eq(poll_with(&r.select.released, &bell, &said), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	ck_assert_int_eq(r.futures[0]->state, TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(r.futures[3]->state, TERN_FUTURE_RUNNING);
	tern_future_complete(r.futures[3], 78);
	ck_assert_uint_eq(bell.wakes, 2);
	ck_assert_int_eq(poll_with(&r.select.released, &bell, &said), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(r.select.released.result, 0);
	ck_assert_int_eq(r.select.future.result, 77);
}

/* After the select is complete its poller's waker may go. */
static void losers_tell_the_selects_poller_nothing_more(void)
{
	struct race r;
	struct bell *bell = malloc(sizeof(*bell)), other;

	race_init(&r);
	bell_init(bell);
	r.puppets[3].obeys = false;
	poll_with(&r.select.future, bell, NULL);
	tern_future_complete(r.futures[0], 1);
	ck_assert_int_eq(poll_with(&r.select.future, bell, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_uint_eq(bell->holds, bell->wakes);
	spoil(bell, sizeof(*bell));
	tern_future_wake(r.futures[3]);
	bell_init(&other);
	poll_with(&r.select.released, &other, NULL);
	tern_future_wake(r.futures[3]);
	tern_future_complete(r.futures[3], 1);
	ck_assert_uint_eq(other.wakes, 2);
	ck_assert_int_eq(tern_runtime_wait(&r.select.released), 0);
}

static void one_that_fails_wins_too(void)
{
	struct race r;

	race_init(&r);
	tern_future_poll(&r.select.future, NULL);
	tern_future_complete(r.futures[1], -EIO);
	ck_assert_int_eq(tern_runtime_wait(&r.select.future), -EIO);
	ck_assert_uint_eq(r.select.winner, 1);
	ck_assert_int_eq(tern_runtime_wait(&r.select.released), 0);
	race_init(&r); /* of several the first in their order */
	r.puppets[1].after = r.puppets[3].after = 0;
	ck_assert_int_eq(tern_runtime_wait(&r.select.future), 11);
	ck_assert_int_eq(tern_runtime_wait(&r.select.released), 0);
	ck_assert_int_eq(r.futures[3]->result, 13);
}

static void of_none_and_of_one(void)
{
	struct race r;

	race_init(&r);
	tern_select_init(&r.select, r.futures, 0);
	ck_assert_int_eq(tern_runtime_wait(&r.select.future), -EINVAL);
	ck_assert_int_eq(tern_runtime_wait(&r.select.released), 0);
	puppet_init(&r.puppets[0], 10);
	r.puppets[0].after = 2;
	tern_select_init(&r.select, r.futures, 1);
	ck_assert_int_eq(tern_runtime_wait(&r.select.future), 10);
	ck_assert_int_eq(tern_runtime_wait(&r.select.released), 0);
	race_init(&r); /* one that never began has nothing to release */
	ck_assert_int_eq(tern_runtime_wait(&r.select.released), 0);
	ck_assert_uint_eq(r.puppets[0].polls, 0);
}

static void cancel_waits_for_all(void)
{
	struct race r;

	for (int polled = 0; polled <= 1; polled++) {
		race_init(&r);
		r.puppets[1].obeys = r.puppets[2].obeys = false;
		if (polled)
			tern_future_poll(&r.select.future, NULL);
		tern_future_cancel(&r.select.future);
		ck_assert_int_eq(tern_future_poll(&r.select.future, NULL), TERN_FUTURE_RUNNING);
		ck_assert_int_eq(r.futures[0]->state, TERN_FUTURE_COMPLETE);
		tern_future_complete(r.futures[1], polled ? -ECANCELED : 5);
		/* that came to a result; but another is not through */
		ck_assert_int_eq(tern_future_poll(&r.select.future, NULL), TERN_FUTURE_RUNNING);
		tern_future_complete(r.futures[2], -ECANCELED);
		ck_assert_int_eq(tern_runtime_wait(&r.select.future), polled ? -ECANCELED : 5);
		ck_assert_uint_eq(r.select.winner, polled ? WAYS : 1);
		ck_assert_int_eq(tern_runtime_wait(&r.select.released), 0);
	}
}

/* What a poll of the select does while one of its futures is being told. */
struct meeting {
	struct race race;
	struct bell bell, other;
	unsigned met;
	bool changes; /* the poll comes with another waker */
};

static void meet(void *arg)
{
	struct meeting *m = arg;

	if (m->met++)
		return;
	/* the winner is known, but who is being told has to do with our waker */
	ck_assert_int_eq(poll_with(&m->race.select.future, m->changes ? &m->other : &m->bell, NULL),
			 TERN_FUTURE_RUNNING);
	ck_assert_uint_eq(m->race.select.winner, 0);
	ck_assert_uint_eq(m->bell.wakes + m->other.wakes, 0);
}

static void a_loser_that_is_being_told_holds_the_select_back(void)
{
	for (int changes = 0; changes <= 1; changes++) {
		struct meeting m = {.changes = changes};

		bell_init(&m.bell);
		bell_init(&m.other);
		race_init(&m.race);
		m.race.puppets[1].obeys = false;
		poll_with(&m.race.select.future, &m.bell, NULL);
		m.race.puppets[0].after = 0;
		m.bell.on_hold = meet;
		m.bell.arg = &m;
		tern_future_wake(m.race.futures[1]);
		ck_assert_uint_eq(m.met, changes ? 1 : 2);
		ck_assert_uint_ge(changes ? m.other.wakes : m.bell.wakes, 1);
		ck_assert_uint_eq(m.bell.holds, m.bell.wakes);
		ck_assert_uint_eq(m.other.holds, m.other.wakes);
		ck_assert_int_eq(poll_with(&m.race.select.future, &m.other, NULL),
				 TERN_FUTURE_COMPLETE);
		tern_future_complete(m.race.futures[1], 0);
		ck_assert_int_eq(tern_runtime_wait(&m.race.select.released), 0);
	}
}

static void a_select_in_a_select(void)
{
	struct race inner, outer;
	struct bell bell, other;

	bell_init(&bell);
	bell_init(&other);
	race_init(&inner);
	race_init(&outer);
	outer.futures[1] = &inner.select.future;
	poll_with(&outer.select.future, &bell, NULL);
	tern_future_wake(inner.futures[3]);
	ck_assert_uint_eq(bell.wakes, 1);
	poll_with(&outer.select.future, &other, NULL); /* the inner one leads there now */
	tern_future_complete(inner.futures[3], 5);
	ck_assert_uint_eq(bell.wakes, 1);
	ck_assert_uint_eq(other.wakes, 1);
	ck_assert_int_eq(poll_with(&outer.select.future, &other, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(outer.select.future.result, 5);
	ck_assert_int_eq(tern_runtime_wait(&outer.select.released), 0);
	ck_assert_int_eq(tern_runtime_wait(&inner.select.released), 0);
}

static void a_timeout_gives_up_and_the_rest_is_awaited(void)
{
	struct tern_timeout timeout;
	uint64_t begin = now_ns();
	struct tern_future f;

	tern_future_init(&f, NULL);
	tern_timeout_init(&timeout, &f, 3 * MS);
	ck_assert_int_eq(tern_runtime_wait(&timeout.future), -ETIMEDOUT);
	ck_assert_uint_ge(now_ns(), begin + 3 * MS);
	ck_assert(tern_future_canceled(&f));
	ck_assert_int_eq(tern_future_poll(&timeout.select.released, NULL), TERN_FUTURE_RUNNING);
	tern_future_complete(&f, 1);
	ck_assert_int_eq(tern_runtime_wait(&timeout.select.released), 0);
}

static void in_time_the_result_comes(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_timeout timeout, at_first;
	struct tern_future_run run;
	struct came came = {.dones = 0};
	struct puppet p;

	puppet_init(&p, -ETIMEDOUT); /* its own */
	p.after = 3;
	tern_timeout_init(&at_first, &p.future, UINT64_MAX);
	timeout = at_first; /* until the first poll it may be moved */
	memset(&at_first, 0xa5, sizeof(at_first));
	ck_assert_int_eq(tern_future_run(&run, loop, &timeout.future, note_came, &came), 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(came.result, -ETIMEDOUT);
	ck_assert_uint_eq(timeout.select.winner, 0);
	ck_assert_int_eq(tern_runtime_wait(&timeout.select.released), 0);
	puppet_init(&p, 4); /* also where the time is none */
	tern_timeout_init(&timeout, &p.future, 0);
	ck_assert_int_eq(tern_runtime_wait(&timeout.future), 4);
	ck_assert_int_eq(tern_runtime_wait(&timeout.select.released), 0);
	tern_loop_destroy(loop);
}

static void cancel_of_a_timeout(void)
{
	struct tern_timeout timeout;
	struct puppet p;

	for (int polled = 0; polled <= 1; polled++) {
		puppet_init(&p, 0);
		p.after = NEVER;
		tern_timeout_init(&timeout, &p.future, UINT64_MAX);
		if (polled)
			tern_future_poll(&timeout.future, NULL);
		tern_future_cancel(&timeout.future);
		ck_assert_int_eq(tern_runtime_wait(&timeout.future), -ECANCELED);
		ck_assert_int_eq(tern_runtime_wait(&timeout.select.released), 0);
		ck_assert_int_eq(p.future.state, TERN_FUTURE_COMPLETE);
	}
}

/* Read, give up, wait until nobody touches the buffer: one chain, in which the error stands. */
static void a_chain_that_gives_up_and_cleans_up(void)
{
	struct tern_timeout timeout;
	struct tern_step steps[3];
	struct tern_chain chain;
	struct puppet p, next;

	puppet_init(&p, 0);
	puppet_init(&next, 0);
	p.obeys = false;
	p.after = 30;
	tern_timeout_init(&timeout, &p.future, 1000);
	steps[0] = (struct tern_step){.future = &timeout.future};
	steps[1] = (struct tern_step){.future = &next.future};
	steps[2] = (struct tern_step){.future = &timeout.select.released, .always = true};
	tern_chain_init(&chain, steps, COUNT(steps));
	ck_assert_int_eq(tern_runtime_wait(&chain.future), -ETIMEDOUT);
	ck_assert_uint_eq(p.polls, 31);
	ck_assert_uint_eq(next.polls, 0);
}

/* ---- threads ---- */

struct heat {
	struct tern_future futures[WAYS], *of[WAYS];
	struct tern_select select;
};

static void wake_and_complete(void *arg, unsigned who)
{
	struct heat *h = arg;

	for (unsigned i = 0; i < 5; i++)
		tern_future_wake(&h->futures[who]);
	tern_future_complete(&h->futures[who], who);
}

/* A run that is gone as soon as its done has come, with the loop. */
struct finish {
	struct tern_loop *loop;
	struct tern_future_run run;
	unsigned *dones;
};

static void cross(struct tern_future *f, void *user)
{
	struct finish *finish = user;

	++*finish->dones;
	spoil(finish, sizeof(*finish));
}

static void run_and_forget(struct tern_future *f)
{
	struct finish *finish = malloc(sizeof(*finish));
	struct tern_loop *loop = loop_new();
	unsigned dones = 0;

	*finish = (struct finish){.loop = loop, .dones = &dones};
	ck_assert_int_eq(tern_future_run(&finish->run, loop, f, cross, finish), 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(dones, 1);
	tern_loop_destroy(loop);
}

static void losers_that_end_while_the_winner_goes(void)
{
	struct crowd crowd;

	crowd_init(&crowd, WAYS);
	for (unsigned round = scaled(4000); round; round--) {
		struct heat *h = malloc(sizeof(*h));

		for (unsigned i = 0; i < WAYS; i++) {
			tern_future_init(&h->futures[i], NULL);
			h->of[i] = &h->futures[i];
		}
		tern_select_init(&h->select, h->of, WAYS);
		crowd_start(&crowd, wake_and_complete, h);
		if (round % 2) {
			run_and_forget(&h->select.future);
			run_and_forget(&h->select.released);
		} else {
			ck_assert_int_eq(tern_runtime_wait(&h->select.future),
					 (int64_t)h->select.winner);
			ck_assert_int_eq(tern_runtime_wait(&h->select.released), 0);
		}
		for (unsigned i = 0; i < WAYS; i++)
			ck_assert_int_eq(h->futures[i].result, i);
		spoil(h, sizeof(*h));
		crowd_end(&crowd);
	}
	crowd_destroy(&crowd);
}

static const struct test tests[] = {
	{"the first wins, and the others are asked to stop",
	 the_first_wins_and_the_others_are_asked_to_stop},
	{"losers tell the select's poller nothing more",
	 losers_tell_the_selects_poller_nothing_more},
	{"one that fails wins, too", one_that_fails_wins_too},
	{"of none, and of one", of_none_and_of_one},
	{"cancel waits for all", cancel_waits_for_all},
	{"a loser that is being told holds the select back",
	 a_loser_that_is_being_told_holds_the_select_back},
	{"a select in a select", a_select_in_a_select},
	{"a timeout gives up, and the rest is awaited", a_timeout_gives_up_and_the_rest_is_awaited},
	{"in time the result comes", in_time_the_result_comes},
	{"cancel of a timeout", cancel_of_a_timeout},
	{"a chain that gives up, and cleans up", a_chain_that_gives_up_and_cleans_up},
	{"losers that end while the winner goes", losers_that_end_while_the_winner_goes},
};

int main(int argc, char **argv)
{
	return run_tests("select", tests, COUNT(tests), argc, argv);
}
