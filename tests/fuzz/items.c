/* SPDX-License-Identifier: MIT */
/* Items: what each is to do, and what must be true when run and done are entered. */
#include "model.h"

#include <errno.h>

#define MS UINT64_C(1000000)

__thread struct pool *worker_of;

uint32_t slot_limit_ms(const struct slot *s)
{
	uint32_t ms = s->lane && s->lane->wait_ms_max ? s->lane->wait_ms_max
		      : s->pool			      ? s->pool->wait_ms_max
						      : 0;

	return s->done && ms != TERN_FOREVER ? ms : 0;
}

static void count(struct slot *s, int32_t submitted, int32_t left)
{
	if (s->lane) {
		add(&s->lane->submitted, (uint32_t)submitted);
		add(&s->lane->left, (uint32_t)left);
	}
	if (s->pool) {
		add(&s->pool->submitted, (uint32_t)submitted);
		add(&s->pool->left, (uint32_t)left);
	}
}

static void poison(struct item *item)
{
	memset(item, 0xa5, sizeof(*item));
	free(item);
}

/* What a run was to submit and post stays with us: the run will not come. */
static void take_back(struct slot *s)
{
	struct slot *c = s->child;

	if (s->letter)
		s->letter->out = false;
	if (!c)
		return;
	if (c->done) {
		c->home->out--;
		loop_give_back(c->home, c->home->loop);
	}
	if (c->lane)
		add(&c->lane->lent, -1);
	if (c->borrows) {
		add(&c->pool->lent, -1);
		tern_pool_put(c->pool->pool);
	}
	if (c->letter)
		c->letter->out = false;
	slot_release(c);
}

void slot_release(struct slot *s)
{
	poison(s->item);
	s->item = NULL;
	set(&s->state, FREE);
}

static void check_order(struct slot *s, unsigned long last[2][RANKS])
{
	if (s->by == WORKER)
		return;
	holds(s->seq > last[s->by][s->rank], "items of one priority start in order of submission");
	last[s->by][s->rank] = s->seq;
}

/* On a worker that is about to run it. */
static void check_start(struct slot *s)
{
	struct pool *p = s->pool;

	holds(worker_of == p, "run is entered on a thread of its pool");
	holds(add(&p->running, 1) <= p->threads_max, "no more run than there may be threads");
	if (s->lane)
		holds(add(&s->lane->running, 1) <= s->lane->running_max,
		      "no more of a lane run than its cap");
	if (p->threads_max == 1 && !s->lane)
		check_order(s, p->last);
	if (s->lane && (p->threads_max == 1 || s->lane->running_max == 1))
		check_order(s, s->lane->last);
	set(&p->current, s);
	add(&p->starts, 1);
	count(s, 0, 1);
}

static void submit_child(struct slot *c)
{
	struct loop *home = c->done ? c->home : NULL;
	struct tern_loop *loop = home ? home->loop : NULL;
	struct lane *lane = c->lane;
	struct pool *p = c->pool;
	bool borrows = c->borrows;

	c->since_ns = now_ns();
	set(&c->state, OUT);
	add(&p->asked, 1);
	tern_pool_submit(p->pool, loop, &c->item->work);
	/* it may be over, and another's, by now */
	add(&p->submitted, 1);
	if (lane) {
		add(&lane->submitted, 1);
		add(&lane->lent, -1);
	}
	if (home)
		loop_give_back(home, loop);
	if (borrows) {
		tern_pool_put(p->pool);
		add(&p->lent, -1);
	}
}

static void pass_gate(struct slot *s)
{
	bool asked, canceled;

	for (unsigned i = 0; i < s->sections; i++)
		tern_blocking_begin();
	if (s->gated)
		wait_at_gate(s);
	for (unsigned i = 0; i < s->sections; i++)
		tern_blocking_end();
	if (!s->done)
		return;
	asked = get(&s->asked);
	canceled = tern_work_canceled();
	holds(!asked || canceled, "run hears that cancel came too late");
	holds(!canceled || get(&s->asking), "run hears of cancel only if there was one");
}

static void inline_came(struct slot *s)
{
	struct loop *l = s->home;

	holds(me == l->owner && l->depth, "without a pool all is entered from the loop");
	holds(s->seq > l->last_inline[s->by], "without a pool items come in order of submission");
	l->last_inline[s->by] = s->seq;
	if (!s->done) {
		l->out--;
		l->entered++;
	}
}

static void run(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);
	struct slot *s = item->slot;
	struct lane *lane = s->lane;
	struct pool *p = s->pool;

	holds(get(&s->state) == OUT && s->item == item, "run is entered for what is out");
	holds(add(&s->runs, 1) == 1, "run is entered once");
	holds(!get(&s->canceled), "run is not entered after cancel took the item back");
	if (p)
		check_start(s);
	else if (!s->done)
		inline_came(s);
	if (s->done) {
		holds(tern_work_home(work) == s->home->loop, "an item knows its home");
		item->payload = (uint32_t)s->seq;
	} else {
		poison(item);
		s->item = NULL;
	}
	if (s->child)
		submit_child(s->child);
	if (s->letter)
		letter_post(s->letter);
	if (p)
		pass_gate(s);
	if (!s->done)
		set(&s->state, FREE);
	if (lane)
		add(&lane->running, -1);
	if (p)
		add(&p->running, -1);
}

static void check_status(const struct slot *s, const struct item *item)
{
	uint32_t limit = slot_limit_ms(s);

	switch (item->work.status) {
	case 0:
		holds(get(&s->runs) == 1, "status 0: run was entered");
		holds(!s->canceled, "what cancel took back comes with -ECANCELED");
		holds(item->payload == (uint32_t)s->seq, "done sees what run wrote");
		return;
	case -ECANCELED:
		holds(s->canceled, "-ECANCELED: cancel has returned true");
		break;
	case -ETIMEDOUT:
		holds(limit && !s->canceled, "-ETIMEDOUT: there is a limit");
		holds(now_ns() - s->since_ns > limit * MS, "-ETIMEDOUT: not before the limit");
		break;
	default:
		holds(false, "there is no other status");
	}
	holds(get(&s->runs) == 0, "status not 0: run was not entered");
}

static void came_home(struct slot *s)
{
	if (!s->pool)
		inline_came(s);
	s->home->out--;
	s->home->entered++;
	if (s->pool && s->item->work.status == -ETIMEDOUT) {
		count(s, 0, 1);
		s->pool->timed_out++;
	}
	if (!get(&s->runs))
		take_back(s);
	else if (s->child && s->child->seq == s->child_seq)
		s->child->cancelable = true; /* run has returned, so submit has */
}

static void done(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);
	struct slot *s = item->slot;
	struct loop *l = s->home;
	uint8_t then = s->then;

	holds(me == l->owner, "done is entered on the home's thread");
	holds(l->depth, "done is entered from the loop");
	holds(get(&s->state) == OUT && s->item == item, "done is entered once");
	holds(tern_work_home(work) == l->loop, "an item knows its home in done");
	check_status(s, item);
	came_home(s);
	if (then % 8 == 1 && model.fuel && !model.finishing && (!s->pool || s->pool->refs) &&
	    (!s->lane || s->lane->lane)) {
		model.fuel--;
		s->child = NULL;
		s->letter = NULL;
		slot_submit(s);
		return;
	}
	slot_release(s);
	act(l, then);
}

static struct lane *some_lane(const struct pool *p)
{
	struct lane *l = &model.lanes[pick(LANES)];

	return p && l->lane && l->pool == p ? l : NULL;
}

/* Readies what the run of s is to submit; what it needs is kept until then. */
static void lend_child(struct slot *s)
{
	struct pool *p = &model.pools[pick(POOLS)];
	struct slot *c;

	if (!p->refs)
		p = s->pool;
	if (!p || !p->refs)
		return;
	c = slot_prepare(&model.loops[pick(LOOPS)], p, false);
	if (!c)
		return;
	s->child = c;
	c->by = WORKER;
	c->seq = s->child_seq = ++model.seq;
	c->cancelable = false;
	if (c->done) {
		loop_lend(c->home);
		c->home->out++;
	}
	if (c->lane)
		add(&c->lane->lent, 1);
	c->borrows = p != s->pool;
	if (c->borrows) {
		tern_pool_get(p->pool);
		add(&p->lent, 1);
	}
}

static struct slot *free_slot(void)
{
	for (int i = 0; i < SLOTS; i++)
		if (get(&model.slots[i].state) == FREE)
			return &model.slots[i];
	return NULL;
}

struct slot *slot_prepare(struct loop *home, struct pool *pool, bool may_lend)
{
	struct slot *s = free_slot();
	uint8_t kind = next_byte(), more = next_byte();

	if (!s || (!home->loop && !pool))
		return NULL;
	*s = (struct slot){.state = LENT, .pool = pool, .home = home, .then = next_byte()};
	s->item = malloc(sizeof(*s->item));
	s->item->slot = s;
	s->done = home->loop && kind % 4;
	tern_work_init(&s->item->work, run, s->done ? done : NULL);
	s->rank = (kind >> 2) % RANKS;
	s->item->work.priority = s->rank;
	s->gated = pool && (pool->strict || kind >> 6 == 1);
	s->sections = pool && pool->blocking_max ? more >> 6 : 0;
	s->lane = some_lane(pool);
	tern_work_set_lane(&s->item->work, s->lane ? s->lane->lane : NULL);
	if (may_lend && more % 4 == 0)
		lend_child(s);
	if (s->done && more % 8 == 1)
		s->letter = letter_lend(home);
	return s;
}

static void going_out(struct slot *s)
{
	s->by = me;
	s->seq = ++model.seq;
	s->cancelable = true;
	s->runs = s->canceled = s->gate = s->asking = s->asked = 0;
	s->since_ns = now_ns();
	if (s->done || !s->pool)
		s->home->out++;
	if (s->pool)
		add(&s->pool->asked, 1);
	set(&s->state, OUT);
}

static struct tern_pool *pool_of(const struct slot *s)
{
	return s->pool ? s->pool->pool : NULL;
}

void slot_submit(struct slot *s)
{
	struct lane *lane = s->lane;
	struct pool *p = s->pool;

	going_out(s);
	tern_pool_submit(pool_of(s), s->home->loop, &s->item->work);
	/* as count(), but the slot of an item without done may be another's by now */
	if (lane)
		add(&lane->submitted, 1);
	if (p)
		add(&p->submitted, 1);
}

void slots_submit(struct slot *slots[], size_t n)
{
	struct pool *p = slots[0]->pool;
	struct tern_work *work[8] = {NULL};
	struct lane *lanes[8];

	for (size_t i = 0; i < n; i++) {
		going_out(slots[i]);
		work[i] = &slots[i]->item->work;
		lanes[i] = slots[i]->lane;
	}
	tern_pool_submit_many(pool_of(slots[0]), slots[0]->home->loop, work, n);
	for (size_t i = 0; i < n; i++)
		if (lanes[i])
			add(&lanes[i]->submitted, 1);
	if (p)
		add(&p->submitted, (uint32_t)n);
}

/* Whether the answer that the pool is full, or is not, can be true in some interleaving. */
static void check_refusal(const struct pool *p, int e, uint32_t left, uint32_t submitted,
			  uint32_t unblocked)
{
	uint32_t most = get(&p->asked) - 1 - left, gone = get(&p->left) + unblocked;
	bool limited = p->wait_ms_max || p->laned;

	if (e)
		holds(p->queue_max != TERN_FOREVER && most >= p->queue_max,
		      "try_submit refuses only when so many wait");
	else if (!limited && submitted > gone)
		holds(submitted - gone < p->queue_max, "try_submit refuses when so many wait");
	else
		holds(p->queue_max, "TERN_NONE: try_submit always refuses");
}

int slot_try(struct slot *s)
{
	struct lane *lane = s->lane;
	struct pool *p = s->pool;
	uint32_t left = 0, submitted = 0, unblocked = 0;
	int e;

	if (p) {
		left = get(&p->left);
		submitted = get(&p->submitted);
		unblocked = p->threads_max - get(&p->blocked);
	}
	going_out(s);
	e = tern_pool_try_submit(pool_of(s), s->home->loop, &s->item->work);
	holds(!e || (e == -EAGAIN && p), "try_submit: 0 or, by a pool, -EAGAIN");
	if (p)
		check_refusal(p, e, left, submitted, unblocked);
	if (e) {
		add(&p->asked, -1);
		if (s->done)
			s->home->out--;
		take_back(s);
		slot_release(s);
		return e;
	}
	if (lane)
		add(&lane->submitted, 1);
	if (p)
		add(&p->submitted, 1);
	return 0;
}

void slot_cancel(struct slot *s)
{
	bool full = s->pool && get(&s->pool->blocked) == s->pool->threads_max;
	bool fresh = !s->canceled && !get(&s->runs), won;

	/* one without done must certainly not have started */
	if (!s->done && s->pool && !(full && fresh))
		return;
	set(&s->asking, 1);
	won = tern_work_cancel(&s->item->work);
	holds(!won || fresh, "cancel takes back only what has not started, once");
	if (!s->pool)
		holds(won == (s->done && fresh),
		      "without a pool, cancel wins until the loop comes");
	else if (full && fresh && !slot_limit_ms(s))
		holds(won, "cancel takes back what has certainly not started");
	if (!won) {
		set(&s->asked, 1);
		return;
	}
	set(&s->canceled, 1);
	count(s, 0, 1);
	if (s->pool)
		s->pool->canceled++;
	if (!s->done) {
		take_back(s);
		slot_release(s);
	}
}
