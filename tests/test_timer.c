/* SPDX-License-Identifier: MIT */
/* Timers: order, start, restart, stop, what they keep alive, and the heap against a model. */
#include <stdio.h>

#include "harness.h"

#define MS 1000000u

struct alarm {
	struct tern_timer timer;
	struct tern_loop *loop;
	uint64_t not_before;
	unsigned rang, again;
	bool inside;
	struct alarm *stops;
	unsigned *order, place;
};

static void ring(struct tern_timer *timer)
{
	struct alarm *a = tern_container_of(timer, struct alarm, timer);

	ck_assert(!a->inside);
	ck_assert_uint_ge(now_ns(), a->not_before);
	a->rang++;
	if (a->order)
		a->place = (*a->order)++;
	if (a->stops)
		ck_assert(tern_timer_stop(&a->stops->timer));
	if (a->again) {
		a->again--;
		a->inside = true;
		tern_timer_start(a->loop, timer, 0);
		a->inside = false;
	}
}

static void alarm_start(struct alarm *a, struct tern_loop *loop, uint64_t delay_ns)
{
	a->loop = loop;
	a->not_before = now_ns() + delay_ns;
	a->inside = true;
	tern_timer_start(loop, &a->timer, delay_ns);
	a->inside = false;
}

static void alarm_init(struct alarm *a)
{
	*a = (struct alarm){.loop = NULL};
	tern_timer_init(&a->timer, ring);
	ck_assert_ptr_null(a->timer.user);
}

/* What rang did so in order of deadline. */
static void check_order(const struct alarm *alarms, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; alarms[i].rang && k < n; k++)
			if (alarms[k].rang && alarms[k].place < alarms[i].place)
				ck_assert_uint_le(alarms[k].timer.deadline_ns,
						  alarms[i].timer.deadline_ns);
}

static void in_order_and_never_early(void)
{
	static const unsigned delays_ms[] = {9, 3, 7, 1, 5};
	struct tern_loop *loop = loop_new();
	struct alarm alarms[COUNT(delays_ms)];
	unsigned order = 0;

	for (size_t i = 0; i < COUNT(alarms); i++) {
		alarm_init(&alarms[i]);
		alarms[i].order = &order;
		alarm_start(&alarms[i], loop, delays_ms[i] * MS);
	}
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(order, COUNT(alarms));
	check_order(alarms, COUNT(alarms));
	tern_loop_destroy(loop);
}

static void delay_0_is_not_inside_the_call(void)
{
	struct tern_loop *loop = loop_new();
	struct alarm a;

	alarm_init(&a);
	a.again = 1000;
	alarm_start(&a, loop, 0);
	ck_assert_uint_eq(a.rang, 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(a.rang, 1001);
	tern_loop_destroy(loop);
}

static void starting_again_moves_it(void)
{
	struct tern_loop *loop = loop_new();
	struct alarm a, b;
	unsigned order = 0;

	alarm_init(&a);
	alarm_init(&b);
	a.order = b.order = &order;
	alarm_start(&a, loop, 1 * MS);
	alarm_start(&b, loop, UINT64_C(3600000) * MS);
	alarm_start(&b, loop, 2 * MS);
	alarm_start(&a, loop, 6 * MS);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(a.rang, 1);
	ck_assert_uint_eq(b.rang, 1);
	ck_assert_uint_lt(b.place, a.place);
	tern_loop_destroy(loop);
}

static void stop_tells_whether_it_was_armed(void)
{
	struct tern_loop *loop = loop_new();
	struct alarm a;

	alarm_init(&a);
	ck_assert(!tern_timer_stop(&a.timer));
	alarm_start(&a, loop, 0);
	ck_assert(tern_loop_alive(loop));
	ck_assert(tern_timer_stop(&a.timer));
	ck_assert(!tern_timer_stop(&a.timer));
	ck_assert(!tern_loop_alive(loop));
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(a.rang, 0);
	alarm_start(&a, loop, 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(a.rang, 1);
	ck_assert(!tern_timer_stop(&a.timer));
	tern_loop_destroy(loop);
}

static void one_stops_another_that_is_due(void)
{
	struct tern_loop *loop = loop_new();
	struct alarm a, b;

	alarm_init(&a);
	alarm_init(&b);
	a.stops = &b;
	alarm_start(&a, loop, 0);
	alarm_start(&b, loop, 1);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(a.rang, 1);
	ck_assert_uint_eq(b.rang, 0);
	tern_loop_destroy(loop);
}

static void free_timer(struct tern_timer *timer)
{
	memset(timer, 0xa5, sizeof(*timer));
	free(timer);
}

static void a_timer_frees_itself(void)
{
	struct tern_loop *loop = loop_new();

	for (unsigned i = 0; i < 20; i++) {
		struct tern_timer *timer = malloc(sizeof(*timer));

		tern_timer_init(timer, free_timer);
		tern_timer_start(loop, timer, i % 7);
	}
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_loop_destroy(loop);
}

static void the_longest_delay_does_not_wrap(void)
{
	struct tern_loop *loop = loop_new();
	struct alarm a;

	alarm_init(&a);
	tern_timer_start(loop, &a.timer, UINT64_MAX);
	ck_assert_int_gt(tern_loop_prepare(loop), INT64_C(3600000) * MS);
	tern_timer_start(loop, &a.timer, INT64_MAX);
	ck_assert_int_gt(tern_loop_prepare(loop), INT64_C(3600000) * MS);
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 0);
	ck_assert(tern_timer_stop(&a.timer));
	tern_loop_destroy(loop);
}

static void prepare_says_how_long_to_poll(void)
{
	struct tern_loop *loop = loop_new();
	struct alarm a, b;
	int64_t ns;

	alarm_init(&a);
	alarm_init(&b);
	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	alarm_start(&a, loop, UINT64_C(100000) * MS);
	alarm_start(&b, loop, UINT64_C(50000) * MS);
	ns = tern_loop_prepare(loop);
	ck_assert_int_gt(ns, 0);
	ck_assert_int_le(ns, INT64_C(50000) * MS);
	tern_timer_stop(&b.timer);
	ck_assert_int_gt(tern_loop_prepare(loop), INT64_C(50000) * MS);
	tern_timer_stop(&a.timer);
	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	tern_loop_destroy(loop);
}

static void a_hundred_thousand(void)
{
	const unsigned n = scaled(100000);
	struct tern_loop *loop = loop_new();
	struct alarm *alarms = calloc(n, sizeof(*alarms));

	for (unsigned i = 0; i < n; i++) {
		alarm_init(&alarms[i]);
		alarm_start(&alarms[i], loop, (i * UINT64_C(2654435761)) % (3600 * MS));
	}
	for (unsigned i = 0; i < n; i++)
		ck_assert(tern_timer_stop(&alarms[(i * UINT64_C(7919)) % n].timer));
	ck_assert(!tern_loop_alive(loop));
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_loop_destroy(loop);
	free(alarms);
}

/* Random starts, restarts and stops; then all fire, and exactly those, in order of deadline. */
static void compare_with_model(unsigned seed)
{
	enum {
		TIMERS = 200,
		STEPS = 3000
	};
	struct tern_loop *loop = loop_new();
	struct alarm *alarms = calloc(TIMERS, sizeof(*alarms));
	bool armed[TIMERS] = {false};
	unsigned order = 0, left = 0;

	srand(seed);
	for (unsigned i = 0; i < TIMERS; i++) {
		alarm_init(&alarms[i]);
		alarms[i].order = &order;
	}
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned k = (unsigned)rand() % TIMERS;

		if (rand() % 3) {
			alarm_start(&alarms[k], loop, (unsigned)rand() % 64 * MS / 8);
			armed[k] = true;
		} else {
			ck_assert_int_eq(tern_timer_stop(&alarms[k].timer), armed[k]);
			armed[k] = false;
		}
	}
	for (unsigned i = 0; i < TIMERS; i++)
		left += armed[i];
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(order, left);
	for (unsigned i = 0; i < TIMERS; i++)
		ck_assert_uint_eq(alarms[i].rang, armed[i]);
	check_order(alarms, TIMERS);
	tern_loop_destroy(loop);
	free(alarms);
}

static void the_heap_agrees_with_a_model(void)
{
	for (unsigned seed = 1; seed <= scaled(100); seed++)
		compare_with_model(seed);
}

static void count_post(struct tern_post *post)
{
	++*(unsigned *)post->user;
}

/* A timer that is always due and posts that wait share every turn, whatever the batch. */
static void share_with_posts(uint32_t batch_max)
{
	const struct tern_loop_opts opts = {.size = sizeof(opts), .batch_max = batch_max};
	struct tern_loop *loop;
	struct tern_post posts[10];
	struct alarm a;
	unsigned came = 0;

	ck_assert_int_eq(tern_loop_create(&loop, &opts), 0);
	alarm_init(&a);
	a.again = 1000;
	alarm_start(&a, loop, 0);
	for (size_t i = 0; i < COUNT(posts); i++) {
		tern_post_init(&posts[i], count_post);
		posts[i].user = &came;
		tern_loop_post(loop, &posts[i]);
	}
	for (int turn = 0; turn < 100; turn++)
		ck_assert_int_le(tern_loop_dispatch(loop, 0), (int)batch_max);
	ck_assert_uint_eq(came, COUNT(posts));
	ck_assert_uint_ge(a.rang, 10);
	a.again = 0;
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_loop_destroy(loop);
}

static void timers_and_posts_share_a_turn(void)
{
	for (uint32_t batch_max = 1; batch_max < 5; batch_max++)
		share_with_posts(batch_max);
}

static void fatal_on_two_loops(void)
{
	struct alarm a;

	alarm_init(&a);
	alarm_start(&a, loop_new(), MS);
	expect_fatal("tern_timer_start", &a.timer);
	tern_timer_start(loop_new(), &a.timer, MS);
}

static void fatal_without_function(void)
{
	struct tern_timer timer;

	tern_timer_init(&timer, NULL);
	expect_fatal("tern_timer_start", &timer);
	tern_timer_start(loop_new(), &timer, MS);
}

static void fatal_destroy_while_armed(void)
{
	struct tern_loop *loop = loop_new();
	struct alarm a;

	alarm_init(&a);
	alarm_start(&a, loop, MS);
	expect_fatal("tern_loop_destroy", &a.timer);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"in order and never early", in_order_and_never_early},
	{"delay 0 is not inside the call", delay_0_is_not_inside_the_call},
	{"starting again moves it", starting_again_moves_it},
	{"stop tells whether it was armed", stop_tells_whether_it_was_armed},
	{"one stops another that is due", one_stops_another_that_is_due},
	{"a timer frees itself", a_timer_frees_itself},
	{"the longest delay does not wrap", the_longest_delay_does_not_wrap},
	{"prepare says how long to poll", prepare_says_how_long_to_poll},
	{"a hundred thousand armed and stopped", a_hundred_thousand},
	{"the heap agrees with a model", the_heap_agrees_with_a_model},
	{"timers and posts share a turn", timers_and_posts_share_a_turn},
	{"fatal: armed on another loop", fatal_on_two_loops},
	{"fatal: no function", fatal_without_function},
	{"fatal: loop destroyed while armed", fatal_destroy_while_armed},
};

int main(int argc, char **argv)
{
	return run_tests("timer", tests, COUNT(tests), argc, argv);
}
