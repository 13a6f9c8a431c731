/* SPDX-License-Identifier: MIT */
/*
 * What the drop-in <libminiasync.h> promises of futures and chains: states, layout, order. The
 * runtime and loops are in test_miniasync_run.c, the movers in test_miniasync_vdm.c.
 */
#include "miniasync.h"

/* futures */

static void states(void)
{
	struct count_fut fut = counting(3, 0);

	ck_assert_int_eq(FUTURE_STATE(&fut), FUTURE_STATE_IDLE);
	fut.data.expects_bogus = true;
	for (unsigned i = 1; i < 3; i++) {
		ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), BOGUS),
				 FUTURE_STATE_RUNNING);
		ck_assert_uint_eq(FUTURE_DATA(&fut)->polls, i);
	}
	ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), BOGUS), FUTURE_STATE_COMPLETE);
	ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), BOGUS), FUTURE_STATE_COMPLETE);
	ck_assert_uint_eq(FUTURE_OUTPUT(&fut)->polls, 3);
	fut = counting(1000, 0);
	FUTURE_BUSY_POLL(&fut);
	ck_assert_uint_eq(FUTURE_OUTPUT(&fut)->polls, 1000);
}

static void complete_at_once(void)
{
	struct count_fut fut;

	memset(&fut, 0x5a, sizeof(fut));
	FUTURE_INIT_COMPLETE(&fut);
	ck_assert_int_eq(future_has_property(FUTURE_AS_RUNNABLE(&fut), FUTURE_PROPERTY_ASYNC), 0);
	ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), BOGUS), FUTURE_STATE_COMPLETE);
	fut.base.has_property = NULL; /* as the original leaves it */
	ck_assert_int_eq(future_has_property(FUTURE_AS_RUNNABLE(&fut), FUTURE_PROPERTY_ASYNC), 0);
	FUTURE_INIT_EXT(&fut, count_task, is_async);
	ck_assert_int_eq(future_has_property(FUTURE_AS_RUNNABLE(&fut), FUTURE_PROPERTY_ASYNC), 1);
}

struct three {
	char bytes[3];
};

struct wide {
	char bytes[65];
} __attribute__((aligned(64)));

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* which does not want it */
struct nothing {
};
#pragma GCC diagnostic pop

FUTURE(three_wide, struct three, struct wide);
FUTURE(wide_three, struct wide, struct three);
FUTURE(three_long, struct three, uint64_t);
FUTURE(nothing_wide, struct nothing, struct wide);

#define FINDS(type)                                                                                \
	do {                                                                                       \
		struct type fut;                                                                   \
		struct future_context *context = &fut.base.context;                                \
                                                                                                   \
		memset(&fut, 0x5a, sizeof(fut));                                                   \
		FUTURE_INIT(&fut, count_task);                                                     \
		ck_assert_ptr_eq(future_context_get_data(context), FUTURE_DATA(&fut));             \
		ck_assert_ptr_eq(future_context_get_output(context), FUTURE_OUTPUT(&fut));         \
		ck_assert_uint_eq(future_context_get_size(context),                                \
				  sizeof(fut.data) + sizeof(fut.output));                          \
	} while (0)

static void padding(void)
{
	FINDS(count_fut);
	FINDS(three_wide);
	FINDS(wide_three);
	FINDS(three_long);
	FINDS(nothing_wide);
}

/* chains */

struct eager_data {
	FUTURE_CHAIN_ENTRY(struct count_fut, first);
	FUTURE_CHAIN_ENTRY(struct count_fut, second);
};

FUTURE(eager_fut, struct eager_data, struct count_output);

static void add_polls(struct future_context *lhs, struct future_context *rhs, void *arg)
{
	struct count_output *from = future_context_get_output(lhs);

	ck_assert_ptr_eq(arg, order);
	if (rhs->data_size == sizeof(struct count_data)) {
		struct count_data *to = future_context_get_data(rhs);

		to->until += from->polls;
	} else {
		struct count_output *to = future_context_get_output(rhs);

		to->polls = from->polls;
	}
}

static struct eager_fut eager(unsigned first, unsigned second)
{
	struct eager_fut fut = {.output.polls = 0};

	FUTURE_CHAIN_ENTRY_INIT(&fut.data.first, counting(first, 0), add_polls, order);
	FUTURE_CHAIN_ENTRY_INIT(&fut.data.second, counting(second, 0), add_polls, order);
	FUTURE_CHAIN_INIT(&fut);
	ck_assert(FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&fut.data.second));
	return fut;
}

static void chain_eager(void)
{
	struct eager_fut fut = eager(5, 2);
	unsigned polls = 0;

	fut.data.first.fut.data.expects_bogus = true;
	fut.data.second.fut.data.expects_bogus = true;
	while (future_poll(FUTURE_AS_RUNNABLE(&fut), BOGUS) != FUTURE_STATE_COMPLETE)
		polls++;
	ck_assert_uint_eq(polls, 10); /* the fifth polls both */
	ck_assert_uint_eq(fut.output.polls, 7);
	fut = eager(1, 0);
	ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), NULL), FUTURE_STATE_COMPLETE);
}

/* entries of odd sizes and more alignment, with other data behind the last */

struct sixteen {
	char byte;
} __attribute__((aligned(16)));

FUTURE(three_fut, struct three, struct three);
FUTURE(sixteen_fut, struct sixteen, struct three);

struct odd_data {
	FUTURE_CHAIN_ENTRY(struct three_fut, a);
	FUTURE_CHAIN_ENTRY(struct sixteen_fut, b);
	FUTURE_CHAIN_ENTRY(struct three_fut, c);
	FUTURE_CHAIN_ENTRY_LAST(struct sixteen_fut, d);
	char more[77];
};

FUTURE(odd_fut, struct odd_data, struct three);

static enum future_state mark_task(struct future_context *context, struct future_notifier *n)
{
	struct three *output = future_context_get_output(context);

	output->bytes[0]++;
	return FUTURE_STATE_COMPLETE;
}

/* Of the chain, for the one before, whose map has not run when this one is initialized. */
static void init_three(void *future, struct future_context *chain, void *arg)
{
	struct three_fut fut = {.output = {{*(char *)arg, 0, 0}}};

	FUTURE_INIT(&fut, mark_task);
	memcpy(future, &fut, sizeof(fut));
}

static void init_sixteen(void *future, struct future_context *chain, void *arg)
{
	struct sixteen_fut fut = {.output = {{*(char *)arg, 0, 0}}};

	FUTURE_INIT(&fut, mark_task);
	memcpy(future, &fut, sizeof(fut));
}

static void carry(struct future_context *lhs, struct future_context *rhs, void *arg)
{
	struct three *from = future_context_get_output(lhs);
	struct three *to = future_context_get_output(rhs);

	to->bytes[0] = (char)(to->bytes[0] + from->bytes[0]);
}

static struct odd_fut odd(char *start)
{
	struct odd_fut fut;

	memset(&fut, 0x5a, sizeof(fut));
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&fut.data.a, init_three, start, carry, NULL);
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&fut.data.b, init_sixteen, start, carry, NULL);
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&fut.data.c, init_three, start, carry, NULL);
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&fut.data.d, init_sixteen, start, carry, NULL);
	FUTURE_CHAIN_INIT(&fut);
	fut.output.bytes[0] = 0;
	return fut;
}

static bool is_processed(void *entry)
{
	return FUTURE_CHAIN_ENTRY_IS_PROCESSED((struct future_chain_entry *)entry);
}

static void chain_odd(void)
{
	char start = 10;
	struct odd_fut fut = odd(&start), moved = fut;

	memset(&fut, 0x5a, sizeof(fut));
	ck_assert(!FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&moved.data.a));
	ck_assert(!FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&moved.data.d));
	ck_assert(!is_processed(&moved.data.d));
	ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&moved), BOGUS), FUTURE_STATE_COMPLETE);
	ck_assert(FUTURE_CHAIN_ENTRY_IS_INITIALIZED(&moved.data.d));
	ck_assert(is_processed(&moved.data.a) && is_processed(&moved.data.d));
	ck_assert(FUTURE_CHAIN_ENTRY_IS_LAST((struct future_chain_entry *)(void *)&moved.data.d));
	ck_assert_int_eq(moved.data.a.fut.output.bytes[0], 11);
	ck_assert_int_eq(moved.data.b.fut.output.bytes[0], 22);
	ck_assert_int_eq(moved.data.c.fut.output.bytes[0], 33);
	ck_assert_int_eq(moved.output.bytes[0], 44);
	ck_assert_int_eq(moved.data.more[0], 0x5a);
}

/* a lazy entry is made when it is needed, and not before */

struct lazy_data {
	FUTURE_CHAIN_ENTRY(struct count_fut, first);
	FUTURE_CHAIN_ENTRY_LAST(struct eager_fut, second);
	unsigned inits, polls;
};

FUTURE(lazy_fut, struct lazy_data, struct count_output);

static void init_second(void *future, struct future_context *chain, void *arg)
{
	struct lazy_data *data = future_context_get_data(chain);
	struct eager_fut fut = eager(data->first.fut.output.polls, 1);

	data->inits++;
	memcpy(future, &fut, sizeof(fut));
}

static void chain_lazy(void)
{
	struct lazy_fut fut = {.data.inits = 0};

	FUTURE_CHAIN_ENTRY_INIT(&fut.data.first, counting(3, 0), NULL, NULL);
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&fut.data.second, init_second, NULL, add_polls, order);
	FUTURE_CHAIN_INIT(&fut);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), NULL), FUTURE_STATE_RUNNING);
	ck_assert_uint_eq(fut.data.inits, 0);
	ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), NULL), FUTURE_STATE_RUNNING);
	ck_assert_uint_eq(fut.data.inits, 1);
	FUTURE_BUSY_POLL(&fut);
	ck_assert_uint_eq(fut.data.inits, 1);
	ck_assert_uint_eq(fut.output.polls, 4);
}

static void leave_out(struct future_context *lhs, struct future_context *rhs, void *arg)
{
	rhs->state = FUTURE_STATE_COMPLETE;
}

static void chain_left_out(void)
{
	struct eager_fut fut = eager(1, 100);

	fut.data.first.map = leave_out;
	ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), NULL), FUTURE_STATE_COMPLETE);
	ck_assert_uint_eq(fut.data.second.fut.data.polls, 0);
}

static void chain_property(void)
{
	struct eager_fut fut = eager(2, 1);
	struct future *f = FUTURE_AS_RUNNABLE(&fut);

	fut.data.second.fut.data.until = 2;
	fut.data.first.fut.base.has_property = NULL;
	fut.data.second.fut.base.has_property = is_async;
	ck_assert_int_eq(future_has_property(f, FUTURE_PROPERTY_ASYNC), 0);
	future_poll(f, NULL);
	ck_assert_int_eq(future_has_property(f, FUTURE_PROPERTY_ASYNC), 0);
	future_poll(f, NULL);
	ck_assert_int_eq(future_has_property(f, FUTURE_PROPERTY_ASYNC), 1);
	FUTURE_BUSY_POLL(&fut);
	ck_assert_int_eq(future_has_property(f, FUTURE_PROPERTY_ASYNC), 0);
}

static const struct test tests[] = {
	{"a future is idle, running, complete, and then not polled any more", states},
	{"one that is complete at once has no property, and asking is no crash", complete_at_once},
	{"data and output are found behind any padding", padding},
	{"a chain maps results on, several entries end in a poll, notifiers pass", chain_eager},
	{"entries of any size and alignment are found, moved, with data behind", chain_odd},
	{"a lazy entry is made when it is needed, before the map", chain_lazy},
	{"a map may complete the next entry", chain_left_out},
	{"a chain has the properties of the entry that is next", chain_property},
};

int main(int argc, char **argv)
{
	return run_tests("<libminiasync.h>: futures and chains", tests, COUNT(tests), argc, argv);
}
