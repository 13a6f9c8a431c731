/* SPDX-License-Identifier: MIT */
/* Futures on a loop: one completion, from the loop, and when they are polled until then. */
#include "forking.h"
#include "futures.h"

static void drive(struct tern_loop *loop, struct tern_future_run *run, struct tern_future *f,
		  struct came *came)
{
	*came = (struct came){.dones = 0};
	ck_assert_int_eq(tern_future_run(run, loop, f, note_came, came), 0);
	ck_assert_uint_eq(came->dones, 0);
	ck_assert(tern_loop_alive(loop));
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(came->dones, 1);
	ck_assert_ptr_eq(came->future, f);
	ck_assert(pthread_equal(came->on, pthread_self()));
}

/* A loop that is bound to this thread. */
static struct tern_loop *my_loop(void)
{
	struct tern_loop *loop = loop_new();

	ck_assert_int_eq(tern_loop_run(loop), 0);
	return loop;
}

static void done_comes_once_and_from_the_loop(void)
{
	struct tern_future_run run;
	struct tern_future f;
	struct puppet p;
	struct came came;

	/* a loop of no thread, then of this one */
	for (int bound = 0; bound <= 1; bound++) {
		struct tern_loop *loop = bound ? my_loop() : loop_new();

		tern_future_init_complete(&f, 5);
		drive(loop, &run, &f, &came);
		ck_assert_int_eq(came.result, 5);
		puppet_init(&p, -ENOSPC);
		drive(loop, &run, &p.future, &came);
		ck_assert_int_eq(came.result, -ENOSPC);
		ck_assert_uint_eq(p.polls, 1);
		ck_assert_ptr_eq(p.given.home, loop);
		puppet_init(&p, 6);
		p.idle = 2;
		p.after = 5;
		drive(loop, &run, &p.future, &came);
		ck_assert_int_eq(came.result, 6);
		ck_assert_uint_eq(p.polls, 6);
		tern_loop_destroy(loop);
	}
}

static void a_second_run_is_refused(void)
{
	struct tern_loop *loop = my_loop();
	struct tern_future_run run, other;
	struct puppet p;
	struct came came = {.dones = 0};

	puppet_init(&p, 1);
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, NULL, &came), -EINVAL);
	p.after = 3;
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), -EINVAL);
	ck_assert_int_eq(tern_future_run(&other, loop, &p.future, note_came, &came), -EINVAL);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(came.dones, 1);
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), -EINVAL);
	ck_assert(!tern_loop_alive(loop));
	puppet_init(&p, 2); /* prepared again it is another */
	drive(loop, &run, &p.future, &came);
	tern_loop_destroy(loop);
}

static void *complete_with_4(void *f)
{
	tern_future_complete(f, 4);
	return NULL;
}

static void one_that_is_woken_is_not_polled_meanwhile(void)
{
	struct tern_loop *loop = my_loop();
	struct tern_future_run run;
	struct puppet p;
	struct came came = {.dones = 0};
	uint64_t later = now_ns() + 20 * MS;
	pthread_t thread;

	puppet_init(&p, 0);
	p.after = NEVER;
	p.attaches = true;
	p.says = TERN_NOTIFY_WAKER;
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	loop_until(loop, is_past, &later);
	ck_assert_uint_eq(p.polls, 1);
	ck_assert_int_eq(tern_loop_prepare(loop), -1); /* nor is a timer set */
	thread = thread_new(complete_with_4, &p.future);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(came.dones, 1);
	ck_assert_int_eq(came.result, 4);
	ck_assert_uint_eq(p.polls, 2);
	thread_join(thread);
	tern_loop_destroy(loop);
}

static void wakes_from_the_loop_itself_are_heard_later(void)
{
	struct tern_loop *loop = my_loop();
	struct tern_future_run run;
	struct puppet p;
	struct came came = {.dones = 0};

	puppet_init(&p, 0);
	p.after = NEVER;
	p.attaches = true;
	p.says = TERN_NOTIFY_WAKER;
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	for (int i = 0; i < 5; i++)
		tern_future_wake(&p.future);
	ck_assert_uint_eq(p.polls, 1);
	tern_loop_prepare(loop);
	ck_assert_uint_eq(p.polls, 2); /* several wakes, one poll */
	tern_future_complete(&p.future, 0);
	ck_assert_uint_eq(came.dones, 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(came.dones, 1);
	tern_loop_destroy(loop);
}

/* It ends when the clock has come so far. */
struct clocked {
	struct tern_future future;
	uint64_t end_ns;
	unsigned polls;
};

static enum tern_future_state poll_clock(struct tern_future *f, struct tern_notifier *n)
{
	struct clocked *c = tern_container_of(f, struct clocked, future);

	c->polls++;
	return now_ns() < c->end_ns ? TERN_FUTURE_RUNNING : TERN_FUTURE_COMPLETE;
}

static void one_that_nobody_wakes_is_polled_after_pauses(void)
{
	static const struct tern_future_ops ops = {.size = sizeof(ops), .poll = poll_clock};
	struct tern_loop *loop = my_loop();
	struct tern_future_run run;
	struct clocked c = {.end_ns = now_ns() + 30 * MS};
	struct came came;
	uint64_t begin = now_ns();

	tern_future_init(&c.future, &ops);
	drive(loop, &run, &c.future, &came);
	/* ten pauses shorter than a millisecond, then as many as there were milliseconds */
	ck_assert_uint_le(c.polls, 12 + (now_ns() - begin) / MS);
	ck_assert_uint_ge(c.polls, 2);
	tern_loop_destroy(loop);
}

static void a_word_is_looked_at_instead_of_a_poll(void)
{
	struct tern_loop *loop = my_loop();
	struct tern_future_run run;
	struct puppet p;
	struct came came = {.dones = 0};
	uint64_t later = now_ns() + 20 * MS, word = 0;

	puppet_init(&p, 3);
	p.after = 2;
	p.says = TERN_NOTIFY_POLLER;
	p.word = &word;
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	loop_until(loop, is_past, &later);
	ck_assert_uint_eq(p.polls, 1);
	__atomic_store_n(&word, 1, __ATOMIC_RELEASE);
	later = now_ns() + 20 * MS;
	loop_until(loop, is_past, &later);
	ck_assert_uint_eq(p.polls, 2);
	p.deadline_ns = 1; /* of the next poll; that word stays as it is */
	__atomic_store_n(&word, 2, __ATOMIC_RELEASE);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(came.result, 3);
	ck_assert_uint_eq(p.polls, 3);
	tern_loop_destroy(loop);
}

static void a_deadline_is_kept(void)
{
	struct tern_loop *loop = my_loop();
	struct tern_future_run run;
	uint64_t word = 0;
	struct came came;

	for (int says = TERN_NOTIFY_WAKER; says <= TERN_NOTIFY_POLLER; says++) {
		struct puppet p;

		puppet_init(&p, 3);
		p.after = 1;
		p.says = (enum tern_notify)says;
		p.word = &word;
		p.deadline_ns = now_ns() + 3 * MS;
		drive(loop, &run, &p.future, &came);
		ck_assert_uint_eq(p.polls, 2);
		ck_assert_uint_ge(now_ns(), p.deadline_ns);
	}
	tern_loop_destroy(loop);
}

static void cancel_in_each_state(void)
{
	struct tern_loop *loop;
	struct tern_future_run run;
	struct puppet p;
	struct came came = {.dones = 0};

	/* not polled yet, because the loop is of no thread */
	loop = loop_new();
	puppet_init(&p, 1);
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	tern_future_run_cancel(&run);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(came.result, -ECANCELED);
	ck_assert_uint_eq(p.polls, 1);
	/* running */
	puppet_init(&p, 1);
	p.after = NEVER;
	p.says = TERN_NOTIFY_WAKER;
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	tern_loop_prepare(loop);
	tern_future_run_cancel(&run);
	tern_future_run_cancel(&run);
	ck_assert_uint_eq(came.dones, 1);
	ck_assert_uint_eq(p.cancels, 0); /* on the loop's turn */
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(p.cancels, 1);
	ck_assert_int_eq(came.result, -ECANCELED);
	ck_assert_uint_eq(came.dones, 2);
	/* complete, and done on its way */
	puppet_init(&p, 7);
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	tern_future_run_cancel(&run);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(came.result, 7);
	ck_assert_uint_eq(p.cancels, 0);
	ck_assert_uint_eq(came.dones, 3);
	/* too late: the run is over, and never comes again */
	tern_future_run_cancel(&run);
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 0);
	ck_assert(!tern_loop_alive(loop));
	tern_loop_destroy(loop);
}

static void a_canceled_one_comes_when_it_is_complete(void)
{
	struct tern_loop *loop = my_loop();
	struct tern_future_run run;
	struct came came = {.dones = 0};
	uint64_t later = now_ns() + 5 * MS;
	struct tern_future f;

	tern_future_init(&f, NULL); /* somebody has its buffers */
	ck_assert_int_eq(tern_future_run(&run, loop, &f, note_came, &came), 0);
	tern_future_run_cancel(&run);
	loop_until(loop, is_past, &later);
	ck_assert(tern_future_canceled(&f));
	ck_assert_uint_eq(came.dones, 0);
	tern_future_complete(&f, -ECANCELED);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(came.dones, 1);
	ck_assert_int_eq(came.result, -ECANCELED);
	tern_loop_destroy(loop);
}

/* Keeps the waker that it was polled with, for who is faster than he should be. */
static void done_waits_for_a_wake_that_is_on_its_way(void)
{
	struct tern_loop *loop = my_loop();
	struct tern_future_run run;
	struct tern_waker *held;
	struct came came = {.dones = 0};
	uint64_t later = now_ns() + 5 * MS;
	struct puppet p;

	puppet_init(&p, 2);
	p.after = 1;
	p.says = TERN_NOTIFY_WAKER;
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	held = p.given.waker->hold(p.given.waker);
	tern_future_run_cancel(&run); /* a poll for another reason, which finds the end */
	loop_until(loop, is_past, &later);
	ck_assert_int_eq(p.future.state, TERN_FUTURE_COMPLETE);
	ck_assert_uint_eq(came.dones, 0);
	held->wake(held);
	ck_assert_uint_eq(came.dones, 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(came.dones, 1);
	tern_loop_destroy(loop);
}

/* A future that its done frees, with the run. */
struct own {
	struct tern_future_run run;
	struct tern_future future;
	struct tern_loop *loop;
	unsigned left;
	unsigned *count;
};

static void free_own(struct tern_future *f, void *user)
{
	struct own *own = user;

	++*own->count;
	spoil(own, sizeof(*own));
}

static void again(struct tern_future *f, void *user)
{
	struct own *own = user;

	++*own->count;
	tern_future_init_complete(&own->future, 0);
	ck_assert_int_eq(tern_future_run(&own->run, own->loop, &own->future,
					 --own->left ? again : free_own, own),
			 0);
}

static void done_may_run_it_again_and_free_it(void)
{
	struct tern_loop *loop = my_loop();
	struct own *own = malloc(sizeof(*own));
	unsigned count = 0;

	*own = (struct own){.loop = loop, .left = 1000, .count = &count};
	tern_future_init_complete(&own->future, 0);
	ck_assert_int_eq(tern_future_run(&own->run, loop, &own->future, again, own), 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(count, 1001);
	tern_loop_destroy(loop);
}

#define TELLERS 4

struct storm {
	struct tern_future *future;
	unsigned told;
};

static void wake_or_complete(void *arg, unsigned who)
{
	struct storm *s = arg;
	struct tern_future *f = s->future;

	for (unsigned i = 0; who && i < 20; i++)
		tern_future_wake(f);
	if (atomic_bump(&s->told) == TELLERS)
		tern_future_complete(f, who);
}

/* As soon as done has come everything goes: future, run and loop. */
static void storms_of_wakes_end_in_one_done(void)
{
	struct crowd crowd;
	unsigned rounds = scaled(3000), count = 0;

	crowd_init(&crowd, TELLERS);
	for (unsigned i = rounds; i; i--) {
		struct own *own = malloc(sizeof(*own));
		struct storm storm = {.future = &own->future};
		struct tern_loop *loop = i % 2 ? my_loop() : loop_new();

		*own = (struct own){.loop = loop, .count = &count};
		tern_future_init(&own->future, NULL);
		crowd_start(&crowd, wake_or_complete, &storm);
		ck_assert_int_eq(tern_future_run(&own->run, loop, &own->future, free_own, own), 0);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		tern_loop_destroy(loop);
		crowd_end(&crowd);
	}
	ck_assert_uint_eq(count, rounds);
	crowd_destroy(&crowd);
}

struct party {
	struct tern_loop *loop;
	struct own *own[TELLERS];
	unsigned *count;
};

/* Runs one from a thread that is not the loop's, and completes or cancels another's. */
static void run_and_end(void *arg, unsigned who)
{
	struct party *p = arg;
	struct own *own = p->own[who];

	ck_assert_int_eq(tern_future_run(&own->run, p->loop, &own->future, free_own, own), 0);
	tern_loop_release(p->loop);
}

static void end_one(void *arg, unsigned who)
{
	struct party *p = arg;

	tern_future_complete(&p->own[(who + 1) % TELLERS]->future, 0);
}

static void runs_from_other_threads(void)
{
	struct crowd crowd;
	unsigned rounds = scaled(2000), count = 0;
	struct party party = {.loop = my_loop(), .count = &count};

	crowd_init(&crowd, TELLERS);
	for (unsigned i = rounds; i; i--) {
		for (unsigned k = 0; k < TELLERS; k++) {
			struct own *own = malloc(sizeof(*own));

			*own = (struct own){.loop = party.loop, .count = &count};
			tern_future_init(&own->future, NULL);
			party.own[k] = own;
			tern_loop_hold(party.loop);
		}
		crowd_start(&crowd, run_and_end, &party);
		if (i % 2) {
			crowd_end(&crowd);
			crowd_start(&crowd, end_one, &party);
			ck_assert_int_eq(tern_loop_run(party.loop), 0);
		} else {
			for (unsigned k = 0; k < TELLERS; k++)
				tern_future_complete(&party.own[k]->future, 0);
			ck_assert_int_eq(tern_loop_run(party.loop), 0);
		}
		crowd_end(&crowd);
	}
	ck_assert_uint_eq(count, rounds * TELLERS);
	tern_loop_destroy(party.loop);
	crowd_destroy(&crowd);
}

struct family {
	struct tern_loop *loop;
	struct tern_future_run *run;
	struct puppet *puppet;
};

static void be_the_child(void *arg)
{
	struct family *f = arg;
	struct tern_future_run run;
	struct came came = {.dones = 0};
	struct puppet own;

	MUST(!tern_loop_after_fork(f->loop));
	MUST(!tern_loop_alive(f->loop)); /* nor has it the timer */
	tern_future_run_cancel(f->run);
	tern_future_wake(&f->puppet->future);
	MUST(!tern_loop_run(f->loop));
	MUST(f->puppet->polls == 1);
	puppet_init(&own, 4);
	own.after = 3;
	MUST(!tern_future_run(&run, f->loop, &own.future, note_came, &came));
	MUST(!tern_loop_run(f->loop));
	MUST(came.dones == 1 && came.result == 4);
	tern_loop_destroy(f->loop);
}

static void a_child_forgets_its_parents_runs(void)
{
	struct tern_loop *loop = my_loop();
	struct tern_future_run run;
	struct came came = {.dones = 0};
	struct puppet p;
	struct family family = {loop, &run, &p};

	puppet_init(&p, 0);
	p.after = NEVER;
	p.attaches = true;
	p.says = TERN_NOTIFY_WAKER;
	p.deadline_ns = now_ns() + UINT64_C(1000000) * MS;
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	in_child(be_the_child, &family);
	tern_future_complete(&p.future, 3);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(came.dones, 1);
	tern_loop_destroy(loop);
}

static void destroy_with_a_run_out(void)
{
	struct tern_loop *loop = my_loop();
	struct tern_future_run run;
	struct came came;
	struct puppet p;

	puppet_init(&p, 0);
	p.after = NEVER;
	ck_assert_int_eq(tern_future_run(&run, loop, &p.future, note_came, &came), 0);
	expect_fatal("has 1 items out", loop);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"done comes once, and from the loop", done_comes_once_and_from_the_loop},
	{"a second run is refused, whenever", a_second_run_is_refused},
	{"one that is woken is not polled meanwhile", one_that_is_woken_is_not_polled_meanwhile},
	{"wakes from the loop itself are heard later, and together",
	 wakes_from_the_loop_itself_are_heard_later},
	{"one that nobody wakes is polled after pauses",
	 one_that_nobody_wakes_is_polled_after_pauses},
	{"a word is looked at instead of a poll", a_word_is_looked_at_instead_of_a_poll},
	{"a deadline is kept", a_deadline_is_kept},
	{"cancel in each state", cancel_in_each_state},
	{"a cancelled one comes when it is complete, not before",
	 a_canceled_one_comes_when_it_is_complete},
	{"done waits for a wake that is on its way", done_waits_for_a_wake_that_is_on_its_way},
	{"done may run it again, and free it", done_may_run_it_again_and_free_it},
	{"storms of wakes end in one done, and all goes at once", storms_of_wakes_end_in_one_done},
	{"runs from other threads", runs_from_other_threads},
	{"a child forgets its parent's runs", a_child_forgets_its_parents_runs},
	{"fatal: a loop destroyed with a run out", destroy_with_a_run_out},
};

int main(int argc, char **argv)
{
	return run_tests("futures on a loop", tests, COUNT(tests), argc, argv);
}
