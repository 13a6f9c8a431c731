/* SPDX-License-Identifier: MIT */
/*
 * A future alone: its states, what it says, cancel, and the bell, whose steps a test makes meet by
 * doing the one from inside the other.
 */
#include "futures.h"

static void polled_to_its_end_and_then_left_alone(void)
{
	struct puppet p;

	puppet_init(&p, 42);
	p.idle = 1;
	p.after = 3;
	ck_assert_int_eq(p.future.state, TERN_FUTURE_IDLE);
	ck_assert_int_eq(tern_future_poll(&p.future, NULL), TERN_FUTURE_IDLE);
	ck_assert_int_eq(tern_future_poll(&p.future, NULL), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(p.future.state, TERN_FUTURE_RUNNING);
	ck_assert_int_eq(tern_future_poll(&p.future, NULL), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(tern_future_poll(&p.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(p.future.result, 42);
	ck_assert_int_eq(tern_future_poll(&p.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_uint_eq(p.polls, 4);
}

static void complete_from_the_beginning(void)
{
	struct tern_future f;

	tern_future_init_complete(&f, -EIO);
	ck_assert_int_eq(f.state, TERN_FUTURE_COMPLETE);
	/* nobody looks at the notifier */
	ck_assert_int_eq(tern_future_poll(&f, (struct tern_notifier *)8), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(f.result, -EIO);
	tern_future_has_property(&f, TERN_FUTURE_ASYNC);
	tern_future_cancel(&f);
	ck_assert_int_eq(f.result, -EIO);
	tern_future_wake(&f);
}

static void who_says_nothing_is_woken_by_nobody(void)
{
	struct tern_notifier said;
	struct puppet p;
	struct bell bell;

	bell_init(&bell);
	puppet_init(&p, 0);
	p.after = NEVER;
	ck_assert_int_eq(poll_with(&p.future, &bell, &said), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(said.used, TERN_NOTIFY_NONE);
	ck_assert_uint_eq(said.deadline_ns, 0);
	ck_assert_ptr_eq(p.given.waker, &bell.waker);
	p.deadline_ns = 77;
	poll_with(&p.future, &bell, &said);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	ck_assert_uint_eq(said.deadline_ns, 77);
}

/* Polls others, as they come. */
struct parent {
	struct tern_future future;
	struct puppet of[3];
};

static enum tern_future_state poll_all(struct tern_future *f, struct tern_notifier *n)
{
	struct parent *parent = tern_container_of(f, struct parent, future);

	tern_notifier_pass(n);
	for (unsigned i = 0; i < COUNT(parent->of); i++)
		tern_future_poll(&parent->of[i].future, n);
	return TERN_FUTURE_RUNNING;
}

static void the_most_that_any_of_them_asks_for_stands(void)
{
	static const struct tern_future_ops ops = {.size = sizeof(ops), .poll = poll_all};
	uint64_t words[2] = {5, 5};
	struct tern_notifier said;
	struct parent parent;
	struct bell bell;

	bell_init(&bell);
	tern_future_init(&parent.future, &ops);
	for (unsigned i = 0; i < COUNT(parent.of); i++) {
		puppet_init(&parent.of[i], 0);
		parent.of[i].after = NEVER;
		parent.of[i].says = TERN_NOTIFY_WAKER;
	}
	parent.of[2].deadline_ns = 30;
	parent.of[1].deadline_ns = 20;
	poll_with(&parent.future, &bell, &said);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	ck_assert_uint_eq(said.deadline_ns, 20);
	parent.of[1].says = TERN_NOTIFY_POLLER;
	parent.of[1].word = &words[0];
	poll_with(&parent.future, &bell, &said);
	ck_assert_int_eq(said.used, TERN_NOTIFY_POLLER);
	ck_assert_ptr_eq(said.monitor, &words[0]);
	ck_assert_uint_eq(said.seen, 5);
	parent.of[0].says = TERN_NOTIFY_POLLER;
	parent.of[0].word = &words[0];
	poll_with(&parent.future, &bell, &said);
	ck_assert_int_eq(said.used, TERN_NOTIFY_POLLER);
	parent.of[0].word = &words[1]; /* two words cannot be watched */
	poll_with(&parent.future, &bell, &said);
	ck_assert_int_eq(said.used, TERN_NOTIFY_NONE);
	ck_assert_uint_eq(said.deadline_ns, 20);
	/* what is complete asks for nothing */
	parent.of[0].after = parent.of[1].after = 0;
	poll_with(&parent.future, &bell, &said);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	ck_assert_uint_eq(said.deadline_ns, 30);
}

static void cancel_of_what_was_never_polled(void)
{
	static const struct tern_future_ops ops = {.size = sizeof(ops), .poll = poll_all};
	struct tern_future f;

	tern_future_init(&f, &ops);
	ck_assert(!tern_future_canceled(&f));
	tern_future_cancel(&f);
	ck_assert(tern_future_canceled(&f));
	ck_assert_int_eq(tern_future_poll(&f, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(f.result, -ECANCELED);
}

static void cancel_asks_once_and_a_poll_finds_the_end(void)
{
	struct puppet p;

	puppet_init(&p, 7);
	p.after = 1;
	tern_future_poll(&p.future, NULL);
	tern_future_cancel(&p.future);
	tern_future_cancel(&p.future);
	ck_assert_uint_eq(p.cancels, 1);
	ck_assert_int_eq(p.future.state, TERN_FUTURE_RUNNING);
	ck_assert_int_eq(tern_future_poll(&p.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(p.future.result, -ECANCELED);
	puppet_init(&p, 7);
	p.after = 1;
	p.obeys = false; /* too late: its result */
	tern_future_poll(&p.future, NULL);
	tern_future_cancel(&p.future);
	ck_assert_int_eq(tern_future_poll(&p.future, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(p.future.result, 7);
}

static void what_somebody_completes_is_not_ended_by_cancel(void)
{
	struct tern_future f;

	tern_future_init(&f, NULL);
	tern_future_cancel(&f);
	ck_assert_int_eq(tern_future_poll(&f, NULL), TERN_FUTURE_RUNNING);
	tern_future_complete(&f, 3);
	ck_assert_int_eq(tern_future_poll(&f, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(f.result, 3);
}

static void complete_wakes_the_latest_waker_once(void)
{
	struct tern_notifier said;
	struct tern_future f;
	struct bell first, second;

	bell_init(&first);
	bell_init(&second);
	tern_future_init(&f, NULL);
	ck_assert_int_eq(poll_with(&f, &first, &said), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(said.used, TERN_NOTIFY_WAKER);
	ck_assert_int_eq(poll_with(&f, NULL, &said), TERN_FUTURE_RUNNING);
	ck_assert_int_eq(said.used, TERN_NOTIFY_NONE);
	poll_with(&f, &second, NULL);
	tern_future_complete(&f, 9);
	ck_assert_uint_eq(first.holds + first.wakes, 0);
	ck_assert_uint_eq(second.wakes, 1);
	ck_assert_int_eq(f.state, TERN_FUTURE_RUNNING); /* until a poll has found it */
	ck_assert_int_eq(poll_with(&f, &first, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(f.result, 9);
	tern_future_wake(&f); /* late: harmless */
	tern_future_wake(&f);
	ck_assert_uint_eq(first.wakes, 0);
	ck_assert_uint_eq(second.holds, 1);
	ck_assert_uint_eq(second.wakes, 1);
}

static void complete_before_the_first_poll(void)
{
	struct tern_future f;
	struct bell bell;

	bell_init(&bell);
	tern_future_init(&f, NULL);
	tern_future_wake(&f);
	tern_future_complete(&f, 9);
	ck_assert_int_eq(poll_with(&f, &bell, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_uint_eq(bell.wakes, 0);
}

static void each_wake_wakes(void)
{
	struct tern_future f;
	struct bell bell;

	bell_init(&bell);
	tern_future_init(&f, NULL);
	tern_future_wake(&f); /* nobody is there yet */
	poll_with(&f, &bell, NULL);
	for (unsigned i = 1; i <= 5; i++) {
		tern_future_wake(&f);
		ck_assert_uint_eq(bell.wakes, i);
		ck_assert_uint_eq(bell.holds, i);
	}
	tern_future_complete(&f, 0);
	ck_assert_uint_eq(bell.wakes, 6);
}

static void hold_may_lead_elsewhere_or_nowhere(void)
{
	struct tern_future f;
	struct bell here, there;

	bell_init(&here);
	bell_init(&there);
	tern_future_init(&f, NULL);
	poll_with(&f, &here, NULL);
	here.leads_to = &there.waker;
	tern_future_wake(&f);
	ck_assert_uint_eq(here.wakes, 0);
	ck_assert_uint_eq(there.holds, 0); /* who leads there has done it */
	ck_assert_uint_eq(there.wakes, 1);
	here.leads_to = NULL;
	tern_future_wake(&f);
	tern_future_complete(&f, 0);
	ck_assert_uint_eq(here.holds, 3);
	ck_assert_uint_eq(here.wakes, 0);
	ck_assert_uint_eq(there.wakes, 1);
	tern_future_init(&f, NULL); /* a waker that lives for ever needs no hold */
	here.waker.hold = NULL;
	poll_with(&f, &here, NULL);
	tern_future_complete(&f, 0);
	ck_assert_uint_eq(here.wakes, 1);
}

/* What one does while another is between its two steps. */
struct meeting {
	struct tern_future future;
	struct bell bell, other;
	unsigned met;
	enum {
		POLL_OTHER,
		POLL_SAME,
		WAKE,
		COMPLETE
	} does;
};

static void meet(void *arg)
{
	struct meeting *m = arg;

	if (m->met++)
		return;
	switch (m->does) {
	case POLL_OTHER:
	case POLL_SAME:
		ck_assert_int_eq(
			poll_with(&m->future, m->does == POLL_SAME ? &m->bell : &m->other, NULL),
			TERN_FUTURE_RUNNING);
		break;
	case WAKE:
		tern_future_wake(&m->future);
		break;
	case COMPLETE:
		tern_future_complete(&m->future, 5);
		/* not before the one who is being told lets go */
		ck_assert_int_eq(poll_with(&m->future, &m->bell, NULL), TERN_FUTURE_RUNNING);
		break;
	}
	ck_assert_uint_eq(m->bell.wakes + m->other.wakes, 0); /* who came first does it */
}

static void begin_meeting(struct meeting *m, int does)
{
	*m = (struct meeting){.does = does};
	bell_init(&m->bell);
	bell_init(&m->other);
	m->bell.on_hold = meet;
	m->bell.arg = m;
	tern_future_init(&m->future, NULL);
	poll_with(&m->future, &m->bell, NULL);
}

static void a_poll_meets_a_completion(void)
{
	struct meeting m;

	begin_meeting(&m, POLL_OTHER);
	tern_future_complete(&m.future, 5);
	ck_assert_uint_eq(m.bell.holds, m.bell.wakes); /* in vain, but what is held is woken */
	ck_assert_uint_eq(m.other.wakes, 1);	       /* the latest counts */
	ck_assert_uint_eq(m.other.holds, 1);
	ck_assert_int_eq(poll_with(&m.future, &m.bell, NULL), TERN_FUTURE_COMPLETE);
	begin_meeting(&m, POLL_SAME);
	tern_future_complete(&m.future, 5);
	/* held anew, because it may lead elsewhere now */
	ck_assert_uint_eq(m.bell.holds, 2);
	ck_assert_uint_eq(m.bell.wakes, 2);
	ck_assert_int_eq(poll_with(&m.future, &m.bell, NULL), TERN_FUTURE_COMPLETE);
}

static void a_poll_meets_a_wake(void)
{
	struct meeting m;

	begin_meeting(&m, POLL_OTHER);
	tern_future_wake(&m.future);
	ck_assert_uint_eq(m.bell.holds, m.bell.wakes);
	ck_assert_uint_eq(m.other.wakes, 1);
	ck_assert_int_eq(poll_with(&m.future, &m.other, NULL), TERN_FUTURE_RUNNING);
	tern_future_complete(&m.future, 5);
	ck_assert_uint_eq(m.other.wakes, 2);
}

static void a_wake_meets_a_completion(void)
{
	struct meeting m;

	begin_meeting(&m, WAKE);
	tern_future_complete(&m.future, 5);
	ck_assert_uint_ge(m.bell.wakes, 1);
	ck_assert_uint_eq(m.bell.holds, m.bell.wakes);
	ck_assert_int_eq(poll_with(&m.future, &m.bell, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(m.future.result, 5);
}

static void a_wake_meets_a_wake(void)
{
	struct meeting m;

	begin_meeting(&m, WAKE);
	tern_future_wake(&m.future);
	ck_assert_uint_eq(m.met, 1);
	ck_assert_uint_eq(m.bell.wakes, 1); /* after both */
	ck_assert_uint_eq(m.bell.holds, 1);
}

static void a_completion_meets_a_wake_which_brings_it(void)
{
	struct meeting m;

	begin_meeting(&m, COMPLETE);
	tern_future_wake(&m.future);
	ck_assert_uint_ge(m.bell.wakes, 1);
	ck_assert_uint_eq(m.bell.holds, m.bell.wakes);
	ck_assert_int_eq(poll_with(&m.future, &m.bell, NULL), TERN_FUTURE_COMPLETE);
	ck_assert_int_eq(m.future.result, 5);
}

static void free_the_future(void *arg)
{
	struct tern_future **f = arg;

	ck_assert_int_eq(tern_future_poll(*f, NULL), TERN_FUTURE_COMPLETE);
	spoil(*f, sizeof(**f));
	*f = NULL;
}

static void the_wake_touches_nothing_of_the_future(void)
{
	struct tern_future *f = malloc(sizeof(*f));
	struct bell bell;

	bell_init(&bell);
	bell.on_wake = free_the_future;
	bell.arg = &f;
	tern_future_init(f, NULL);
	poll_with(f, &bell, NULL);
	tern_future_complete(f, 1);
	ck_assert_ptr_null(f);
}

/* ---- threads ---- */

#define TELLERS 4

struct storm {
	struct tern_future *future;
	unsigned told;
};

/* Each may be the one whose wake comes last; only the last of all completes. */
static void wake_or_complete(void *arg, unsigned who)
{
	struct storm *s = arg;
	struct tern_future *f = s->future;

	for (unsigned i = 0; who && i < 20; i++)
		tern_future_wake(f);
	if (atomic_bump(&s->told) == TELLERS)
		tern_future_complete(f, who);
}

static void storms_of_wakes_end_in_one_completion(void)
{
	struct crowd crowd;

	crowd_init(&crowd, TELLERS);
	for (unsigned i = scaled(5000); i; i--) {
		struct storm storm = {.future = malloc(sizeof(*storm.future))};

		tern_future_init(storm.future, NULL);
		crowd_start(&crowd, wake_or_complete, &storm);
		ck_assert_int_ge(tern_runtime_wait(storm.future), 0);
		spoil(storm.future, sizeof(*storm.future));
		crowd_end(&crowd);
	}
	crowd_destroy(&crowd);
}

/* While others wake it, and when it is long complete. */
static void wake_or_complete_at_once(void *arg, unsigned who)
{
	struct storm *s = arg;

	for (unsigned i = 0; who && i < 20; i++)
		tern_future_wake(s->future);
	if (!who)
		tern_future_complete(s->future, 8);
}

static void a_completion_in_a_storm_of_wakes(void)
{
	struct crowd crowd;
	struct tern_future f;
	struct storm storm = {.future = &f};

	crowd_init(&crowd, TELLERS);
	for (unsigned i = scaled(5000); i; i--) {
		tern_future_init(&f, NULL);
		crowd_start(&crowd, wake_or_complete_at_once, &storm);
		ck_assert_int_eq(tern_runtime_wait(&f), 8);
		crowd_end(&crowd);
	}
	crowd_destroy(&crowd);
}

static void complete_it(void *arg, unsigned who)
{
	tern_future_complete(arg, 1);
}

static struct tern_waker *hold_word(struct tern_waker *waker)
{
	return waker;
}

static void set_word(struct tern_waker *waker)
{
	struct bell *b = tern_container_of(waker, struct bell, waker);

	__atomic_store_n(&b->wakes, 1, __ATOMIC_RELEASE);
}

/* Whoever polls with another waker each time hears of the end by the last of them. */
static void the_latest_waker_hears_of_it(void)
{
	struct crowd crowd;
	struct tern_future f;

	crowd_init(&crowd, 1);
	for (unsigned i = scaled(20000); i; i--) {
		struct bell bells[64] = {{.wakes = 0}};
		unsigned k = 0, polls = i % 64;

		tern_future_init(&f, NULL);
		crowd_start(&crowd, complete_it, &f);
		for (; k <= polls; k++) {
			bells[k].waker = (struct tern_waker){hold_word, set_word};
			if (poll_with(&f, &bells[k], NULL) == TERN_FUTURE_COMPLETE)
				break;
		}
		/* with 64 bells at most the last was given, and it is called if no poll found it */
		if (f.state != TERN_FUTURE_COMPLETE)
			while (!__atomic_load_n(&bells[polls].wakes, __ATOMIC_ACQUIRE))
				;
		ck_assert_int_eq(tern_future_poll(&f, NULL), TERN_FUTURE_COMPLETE);
		crowd_end(&crowd); /* the bells must stay until then: they have no hold */
	}
	crowd_destroy(&crowd);
}

static void complete_twice(void)
{
	struct tern_future f;

	tern_future_init(&f, NULL);
	tern_future_complete(&f, 0);
	expect_fatal("tern_future_complete", &f);
	tern_future_complete(&f, 0);
}

static void no_poll_function(void)
{
	static const struct tern_future_ops ops = {.size = sizeof(ops)};
	struct tern_future f = {.result = 0};

	expect_fatal("tern_future_init", &f);
	tern_future_init(&f, &ops);
}

static const struct test tests[] = {
	{"polled to its end, and then left alone", polled_to_its_end_and_then_left_alone},
	{"one can be complete from the beginning", complete_from_the_beginning},
	{"who says nothing is woken by nobody", who_says_nothing_is_woken_by_nobody},
	{"the most that any of them asks for stands", the_most_that_any_of_them_asks_for_stands},
	{"cancel of what was never polled completes it", cancel_of_what_was_never_polled},
	{"cancel asks once, and a poll finds the end", cancel_asks_once_and_a_poll_finds_the_end},
	{"what somebody completes is not ended by cancel",
	 what_somebody_completes_is_not_ended_by_cancel},
	{"complete wakes the latest waker, once; later wakes are harmless",
	 complete_wakes_the_latest_waker_once},
	{"complete before the first poll", complete_before_the_first_poll},
	{"each wake wakes", each_wake_wakes},
	{"hold may lead elsewhere, or nowhere", hold_may_lead_elsewhere_or_nowhere},
	{"a poll meets a completion: the waker that it leaves is woken", a_poll_meets_a_completion},
	{"a poll meets a wake", a_poll_meets_a_wake},
	{"a wake meets a completion", a_wake_meets_a_completion},
	{"a wake meets a wake: one is enough for both", a_wake_meets_a_wake},
	{"a completion meets a wake, which brings it", a_completion_meets_a_wake_which_brings_it},
	{"the wake touches nothing of the future", the_wake_touches_nothing_of_the_future},
	{"storms of wakes end in one completion, and all is freed at once",
	 storms_of_wakes_end_in_one_completion},
	{"a completion in a storm of wakes", a_completion_in_a_storm_of_wakes},
	{"the latest waker hears of it, however fast they change", the_latest_waker_hears_of_it},
	{"fatal: complete twice", complete_twice},
	{"fatal: a table without poll", no_poll_function},
};

int main(int argc, char **argv)
{
	return run_tests("futures", tests, COUNT(tests), argc, argv);
}
