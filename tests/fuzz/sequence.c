/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a sequence of calls. Each row of `operations` is one: where it is carried out, and a
 * function, which finds out by the model whether the call is legal now and does nothing if not.
 */
#include "model.h"

#include <errno.h>
#include <unistd.h>

struct model model;
unsigned long operations;

/* A callback has dice of its own: when it comes is not the sequence's choice, what it does is. */
uint8_t next_byte(void)
{
	if (model.dice) {
		model.dice = model.dice * 1664525 + 1013904223;
		return (uint8_t)(model.dice >> 24);
	}
	return model.at < model.end ? *model.at++ : 0;
}

static struct slot *some_slot(bool (*is)(const struct slot *slot))
{
	uint32_t first = pick(SLOTS);

	for (uint32_t i = 0; i < SLOTS; i++) {
		struct slot *s = &model.slots[(first + i) % SLOTS];

		if (get(&s->state) == OUT && is(s))
			return s;
	}
	return NULL;
}

static struct pool *some_pool(void)
{
	struct pool *p = &model.pools[pick(POOLS)];

	return p->refs ? p : NULL;
}

static void submit(struct loop *l)
{
	struct pool *p = pick(8) ? some_pool() : NULL;
	struct slot *s = slot_prepare(l, p, true);

	if (s)
		slot_submit(s);
}

static void submit_several(struct loop *l)
{
	struct pool *p = pick(8) ? some_pool() : NULL;
	struct slot *slots[8];
	size_t n = 0, wanted = 1 + pick(8);

	while (n < wanted && (slots[n] = slot_prepare(l, p, true)))
		n++;
	if (n)
		slots_submit(slots, n);
}

static void try_to_submit(struct loop *l)
{
	struct pool *p = pick(16) ? some_pool() : NULL;
	struct slot *s = slot_prepare(l, p, true);

	if (s)
		slot_try(s);
}

static void submit_badly(struct loop *l)
{
	struct pool *p = some_pool();
	struct lane *lane = &model.lanes[pick(LANES)];
	struct slot *s = p ? slot_prepare(l, p, false) : NULL;
	struct tern_work *w;

	if (!s)
		return;
	w = &s->item->work;
	if (lane->lane && lane->pool != p)
		tern_work_set_lane(w, lane->lane);
	else
		w->priority = TERN_LOW + 1 + next_byte() % 253;
	holds(tern_pool_try_submit(p->pool, l->loop, w) == -EINVAL, "bad items are refused");
	if (s->letter)
		s->letter->out = false;
	slot_release(s);
}

static bool is_cancelable(const struct slot *s)
{
	return s->cancelable;
}

static void cancel(struct loop *l)
{
	struct slot *s = some_slot(is_cancelable);

	if (s)
		slot_cancel(s);
}

static bool is_gated(const struct slot *s)
{
	return s->gated && get(&s->runs);
}

static void open_a_gate(struct loop *l)
{
	struct slot *s = some_slot(is_gated);

	if (s)
		open_gate(s);
}

static void step_on(struct loop *l)
{
	step(&model.pools[pick(POOLS)]);
}

/* So many at once that the priorities must share. */
static void crowd(struct loop *l)
{
	struct pool *p = some_pool();
	struct slot *s;

	if (!p || !p->strict)
		return;
	for (int i = 0; i < WINDOW * 3 / 2 && (s = slot_prepare(l, p, false)); i++)
		slot_submit(s);
	for (int i = 0; i < WINDOW + 4; i++)
		step(p);
}

static void settle(struct loop *l)
{
	struct pool *p = some_pool();

	if (p)
		wait_until(is_settled, p, is_limited(p), "a pool starts what it has threads for");
}

static void loop_comes_or_goes(struct loop *l)
{
	if (!l->loop)
		loop_open(l);
	else if (loop_is_idle(l) && pick(4) == 0)
		loop_close(l);
}

static void prepare(struct loop *l)
{
	if (l->loop)
		loop_prepare(l);
}

static void dispatch(struct loop *l)
{
	if (l->loop)
		loop_dispatch(l, pick(4));
}

static void run(struct loop *l)
{
	if (l->loop && pick(4) == 0)
		loop_run(l);
}

static void flush(struct loop *l)
{
	if (l->loop)
		tern_loop_flush(l->loop);
}

static void hold(struct loop *l)
{
	if (l->loop && l->holds < 3) {
		l->holds++;
		tern_loop_hold(l->loop);
	}
}

static void release(struct loop *l)
{
	if (l->loop && l->holds) {
		l->holds--;
		tern_loop_release(l->loop);
	}
}

static void pool_comes_or_goes(struct loop *l)
{
	struct pool *p = &model.pools[pick(POOLS)];
	uint32_t how = pick(8);

	if (pool_is_over(p)) {
		pool_open(p);
	} else if (p->refs && how < 4) {
		pool_check_stats(p);
	} else if (p->refs && how < 6) {
		p->refs++;
		tern_pool_get(p->pool);
	} else if (p->refs > 1 || (p->refs && how == 6)) {
		pool_put(p);
	} else if (p->refs && !p->laned && !get(&p->lent)) {
		pool_destroy(p);
	}
}

static void lane_comes_or_goes(struct loop *l)
{
	struct lane *lane = &model.lanes[pick(LANES)];
	struct pool *p = some_pool();

	if (lane_is_over(lane)) {
		if (p && !p->strict)
			lane_open(lane, p);
	} else if (lane->lane && !get(&lane->lent) && pick(4) == 0) {
		lane_put(lane);
	}
}

static void look_at_lane(struct loop *l)
{
	struct lane *lane = &model.lanes[pick(LANES)];

	if (lane->lane)
		lane_check_stats(lane);
}

static void dump(struct loop *l)
{
	struct pool *p = some_pool();

	if (p)
		pool_dump(p);
}

static void post(struct loop *l)
{
	letter_post(NULL);
}

static void want_room(struct loop *l)
{
	struct pool *p = some_pool();

	if (l->loop && p)
		await_room(l, p);
}

static void arm(struct loop *l)
{
	if (l->loop)
		start_timer(l, &model.ticks[pick(TICKS)]);
}

static void disarm(struct loop *l)
{
	stop_timer(&model.ticks[pick(TICKS)]);
}

enum where {
	OWNER,
	EITHER,
	DRIVER
};

/* To add one: a function above and a row here. Which byte means which follows from the order. */
static const struct {
	const char *name;
	void (*fn)(struct loop *loop);
	enum where where;
	uint8_t weight;
} table[] = {
	{"submit", submit, EITHER, 8},
	{"submit_many", submit_several, EITHER, 3},
	{"try_submit", try_to_submit, EITHER, 4},
	{"try_submit of bad items", submit_badly, EITHER, 1},
	{"cancel", cancel, EITHER, 4},
	{"a gate", open_a_gate, EITHER, 5},
	{"a step", step_on, DRIVER, 4},
	{"a crowd", crowd, DRIVER, 1},
	{"settle", settle, DRIVER, 2},
	{"loop_create or destroy", loop_comes_or_goes, OWNER, 3},
	{"loop_prepare", prepare, OWNER, 4},
	{"loop_dispatch", dispatch, OWNER, 3},
	{"loop_run", run, OWNER, 1},
	{"loop_flush", flush, OWNER, 1},
	{"loop_hold", hold, EITHER, 1},
	{"loop_release", release, EITHER, 1},
	{"pool_create, get, put or destroy", pool_comes_or_goes, EITHER, 4},
	{"lane_create or put", lane_comes_or_goes, EITHER, 2},
	{"post", post, EITHER, 2},
	{"notify_room", want_room, EITHER, 2},
	{"timer_start", arm, OWNER, 2},
	{"timer_stop", disarm, OWNER, 1},
	{"lane_stats", look_at_lane, EITHER, 1},
	{"pool_dump", dump, EITHER, 1},
};

void act(struct loop *l, uint8_t what)
{
	uint32_t dice = model.dice;

	if (!model.fuel || model.finishing)
		return;
	model.fuel--;
	model.dice = (what + 1) * UINT32_C(2654435761) | 1;
	switch (what % 8) {
	case 2:
		submit(l);
		break;
	case 3:
		cancel(l);
		break;
	case 4:
		pool_comes_or_goes(l);
		break;
	case 5:
		letter_post(NULL);
		break;
	case 6:
		if (l->depth < 3)
			loop_dispatch(l, 1 + what / 8 % 2);
		break;
	case 7:
		start_timer(l, &model.ticks[what / 8 % TICKS]);
		break;
	}
	model.dice = dice;
}

struct call {
	void (*fn)(struct loop *loop);
	struct loop *loop;
};

static void call(void *arg)
{
	struct call *c = arg;

	c->fn(c->loop);
}

static void next_operation(void)
{
	uint32_t byte = next_byte(), all = 0, row = 0;
	struct loop *l = &model.loops[pick(LOOPS)];
	enum who who = MAIN;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		all += table[i].weight;
	for (byte %= all; byte >= table[row].weight; row++)
		byte -= table[row].weight;
	if (table[row].where == OWNER)
		who = l->owner;
	else if (table[row].where == EITHER)
		who = pick(4) ? MAIN : HAND;
	model.op = table[row].name;
	call_on(who, call, &(struct call){table[row].fn, l});
	operations++;
}

/* The end: all is let go, comes home, and is put. */

static bool all_home(const void *arg)
{
	for (int i = 0; i < SLOTS; i++)
		if (get(&model.slots[i].state) != FREE)
			return false;
	for (int i = 0; i < LETTERS; i++) {
		const struct letter *l = &model.letters[i];

		/* where queue_max is TERN_NONE, word comes at the end of the pool */
		if (l->out && (!l->room || l->room->queue_max))
			return false;
	}
	for (int i = 0; i < LANES; i++)
		if (get(&model.lanes[i].lent))
			return false;
	for (int i = 0; i < POOLS; i++)
		if (get(&model.pools[i].lent))
			return false;
	return true;
}

static bool pools_over(const void *arg)
{
	for (int i = 0; i < POOLS; i++)
		if (!pool_is_over(&model.pools[i]))
			return false;
	return all_home(arg);
}

static bool loops_idle(const void *arg)
{
	for (int i = 0; i < LOOPS; i++)
		if (model.loops[i].loop && !loop_is_idle(&model.loops[i]))
			return false;
	return true;
}

static bool threads_gone(const void *threads)
{
	/* one of the last sequence may have been on its way out when they were counted */
	return threads_now() <= *(const unsigned *)threads;
}

static void let_go(struct loop *l)
{
	for (int i = 0; i < TICKS; i++)
		stop_timer(&model.ticks[i]);
	while (l->holds)
		release(l);
}

static void close_loops(bool elsewhere)
{
	for (int i = 0; i < LOOPS; i++) {
		struct loop *l = &model.loops[i];

		if (l->loop)
			call_on(elsewhere ? MAIN : l->owner, call, &(struct call){loop_close, l});
	}
}

static void close_pools(bool waits)
{
	for (int i = 0; i < LANES; i++)
		if (model.lanes[i].lane)
			lane_put(&model.lanes[i]);
	for (int i = 0; i < POOLS; i++) {
		struct pool *p = &model.pools[i];

		while (p->refs > 1)
			pool_put(p);
		if (p->refs && waits && !p->laned)
			pool_destroy(p);
		else if (p->refs)
			pool_put(p);
	}
}

static void finish(unsigned threads)
{
	uint8_t how = next_byte();

	model.op = "the end";
	model.finishing = true;
	open_all(true);
	for (int i = 0; i < LOOPS; i++)
		call_on(model.loops[i].owner, call, &(struct call){let_go, &model.loops[i]});
	wait_until(all_home, NULL, true, "every item comes home");
	if (how % 4 == 0 && loops_idle(NULL))
		close_loops(how & 4);
	close_pools(how & 8);
	wait_until(pools_over, NULL, true, "a pool that was put is gone when it has nothing to do");
	wait_until(loops_idle, NULL, true, "nothing keeps a loop when all is home");
	close_loops(how & 4);
	for (int i = 0; i < LETTERS; i++)
		holds(!model.letters[i].out, "every post comes");
	for (int i = 0; i < POOLS; i++)
		holds(model.pools[i].submitted == model.pools[i].left,
		      "every item is accounted for");
	wait_until(threads_gone, &threads, false, "no thread stays behind");
}

void sequence(const uint8_t *bytes, size_t n)
{
	unsigned threads;
	int fd;

	hand_start();
	threads = threads_now();
	fd = dup(STDERR_FILENO);
	close(fd);
	memset(&model, 0, sizeof(model));
	model.at = bytes;
	model.end = bytes + n;
	model.fuel = 100;
	model.loops[LOOPS - 1].owner = HAND;
	loop_open(&model.loops[0]);
	pool_open(&model.pools[0]);
	while (model.at < model.end)
		next_operation();
	finish(threads);
	holds(dup(STDERR_FILENO) == fd, "no descriptor stays behind");
	close(fd);
}
