/* SPDX-License-Identifier: MIT */
/* Loops, pools and lanes: how they come, what they tell, and how they go. */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static uint32_t choose(const uint32_t values[4])
{
	return values[pick(4)];
}

static void told(void *user, bool on)
{
	struct loop *l = user;

	holds(l->told != on, "a binding is told in turn, on first");
	l->told = on;
}

static const struct tern_loop_binding binding = {.size = sizeof(binding), .alive = told};

void loop_open(struct loop *l)
{
	struct tern_loop_opts opts = {
		.size = sizeof(opts),
		.batch_max = choose((const uint32_t[]){0, 1, 2, 9}),
		.spin_us_max = choose((const uint32_t[]){TERN_NONE, TERN_NONE, 0, 5}),
		.coalesce_us_max = choose((const uint32_t[]){TERN_NONE, 0, 100, 1000}),
	};
	uint8_t more = next_byte();

	*l = (struct loop){.owner = l == &model.loops[LOOPS - 1] ? HAND : MAIN};
	if (more % 16 == 0) {
		struct tern_loop *untouched = (void *)l;

		opts.batch_max = TERN_NONE;
		opts.spin_us_max = more % 32 ? 0 : 1001;
		holds(tern_loop_create(&untouched, &opts) == -EINVAL && untouched == (void *)l,
		      "bad options make no loop");
		return;
	}
	holds(!tern_loop_create(&l->loop, &opts), "a loop can be had");
	l->bound = more % 2;
	if (l->bound) {
		holds(!tern_loop_bind(l->loop, &binding, l), "a loop can be bound");
		holds(tern_loop_bind(l->loop, &binding, l) == -EBUSY, "and only once");
	}
	if (more & 4)
		loop_prepare(l);
}

bool loop_is_idle(const struct loop *l)
{
	return l->loop && !l->out && !l->holds && !l->armed && !l->depth && !get(&l->lent);
}

void loop_close(struct loop *l)
{
	l->owner = me; /* posts that have arrived come here */
	l->depth++;
	tern_loop_destroy(l->loop);
	l->depth--;
	holds(!l->told, "a binding is told off at the end");
	l->loop = NULL;
}

static bool has_out(const struct loop *l)
{
	return l->out || l->holds || l->armed;
}

void loop_check_alive(struct loop *l)
{
	bool exact = !get(&l->lent), alive = tern_loop_alive(l->loop);

	holds(alive || !has_out(l), "items, timers, holds and waits for room keep a loop alive");
	holds(!alive || !exact || has_out(l), "nothing else keeps a loop alive");
}

/* A hold that a worker will release: a moment after what it holds for may be over. */
void loop_lend(struct loop *l)
{
	l->lends++;
	add(&l->lent, 1);
	tern_loop_hold(l->loop);
}

void loop_give_back(struct loop *l, struct tern_loop *held)
{
	tern_loop_release(held);
	add(&l->lent, -1);
}

void loop_prepare(struct loop *l)
{
	bool exact = !get(&l->lent);
	uint32_t lends = l->lends;
	int64_t ns;

	l->depth++;
	ns = tern_loop_prepare(l->loop);
	l->depth--;
	holds(ns >= -1, "prepare returns a time");
	holds(!l->armed || ns >= 0, "a loop with a timer does not sleep for ever");
	if (l->bound)
		holds(l->told == has_out(l) || (l->told && (!exact || lends != l->lends)),
		      "a binding knows what is out");
	loop_check_alive(l);
}

void loop_dispatch(struct loop *l, uint32_t max)
{
	uint32_t before = l->entered;
	int ran;

	l->depth++;
	ran = tern_loop_dispatch(l->loop, max);
	l->depth--;
	holds(ran >= 0 && l->entered - before == (uint32_t)ran, "dispatch returns how many ran");
	holds(!max || (uint32_t)ran <= max, "dispatch runs at most max");
	if (l->depth)
		l->entered = before; /* counted here, not by the one around */
	else
		loop_check_alive(l);
}

/* Whether nothing but what comes by itself keeps the loop going. */
static bool will_end(const struct loop *l)
{
	for (int i = 0; i < LETTERS; i++) {
		const struct letter *letter = &model.letters[i];

		if (letter->out && letter->to == l && letter->room && !letter->room->queue_max)
			return false;
	}
	return !l->holds && !l->depth && !get(&l->lent);
}

void loop_run(struct loop *l)
{
	if (!will_end(l))
		return;
	open_all(true);
	l->depth++;
	holds(!tern_loop_run(l->loop), "run returns 0");
	l->depth--;
	open_all(false);
	holds(!l->out && !l->armed, "run returns when nothing is outstanding");
	loop_check_alive(l);
}

static void thread_started(void *user)
{
	struct pool *p = user;

	me = WORKER;
	worker_of = p;
	add(&p->threads_started, 1);
}

static void thread_stopped(void *user)
{
	struct pool *p = user;

	holds(worker_of == p, "thread_stop is entered on the thread");
	add(&p->threads_stopped, 1);
}

static void gone(void *user)
{
	struct pool *p = user;

	holds(get(&p->threads_started) == get(&p->threads_stopped), "gone comes after thread_stop");
	holds(!get(&p->running), "gone comes when nothing runs");
	holds(get(&p->submitted) >= get(&p->left), "nothing starts that was not submitted");
	holds(add(&p->gone, 1) == 1, "gone comes once");
}

bool pool_is_over(const struct pool *p)
{
	if (!p->pool)
		return true;
	for (int i = 0; i < SLOTS; i++)
		if (get(&model.slots[i].state) != FREE && model.slots[i].pool == p)
			return false;
	for (int i = 0; i < LETTERS; i++)
		if (model.letters[i].out && model.letters[i].room == p)
			return false;
	for (int i = 0; i < LANES; i++)
		if (model.lanes[i].pool == p && !lane_is_over(&model.lanes[i]))
			return false;
	return get(&p->gone) && !get(&p->lent);
}

static void pool_refuse(struct pool *p, struct tern_pool_opts *opts, uint32_t how)
{
	struct {
		struct tern_pool_opts opts;
		char more[8];
	} newer = {.opts = *opts, .more = {1}};
	struct tern_pool *untouched = (void *)p;
	int e = -EINVAL;

	switch (how % 6) {
	case 0:
		opts->threads_min = opts->threads_max + 1;
		break;
	case 1:
		opts->wait_ms_max = TERN_NONE;
		break;
	case 2:
		opts->spin_us_max = 1001;
		break;
	case 3:
		opts->stack_size = 1;
		break;
	case 4:
		opts->size = sizeof(size_t) - 1;
		break;
	default:
		newer.opts.size = sizeof(newer);
		e = -E2BIG;
	}
	holds(tern_pool_create(&untouched, e == -E2BIG ? &newer.opts : opts) == e &&
		      untouched == (void *)p,
	      "bad options make no pool");
	holds(!p->threads_started && !p->gone, "a pool that never was is not seen");
	p->pool = NULL;
}

void pool_open(struct pool *p)
{
	struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_max = 1 + pick(4),
		.idle_ms_max = choose((const uint32_t[]){TERN_NONE, 0, 1, TERN_FOREVER}),
		.spin_us_max = choose((const uint32_t[]){TERN_NONE, TERN_NONE, 0, 20}),
		.wait_ms_max = choose((const uint32_t[]){0, 0, TERN_FOREVER, 1}),
		.blocking_max = choose((const uint32_t[]){TERN_NONE, TERN_NONE, 2, SLOTS}),
		.name = "fuzz",
		.thread_start = thread_started,
		.thread_stop = thread_stopped,
		.gone = gone,
		.user = p,
	};
	uint8_t kind = next_byte(), queue = next_byte();

	opts.threads_min = kind % 4 == 0   ? TERN_NONE
			   : kind % 4 == 1 ? 0
					   : 1 + kind % opts.threads_max;
	opts.queue_max = queue % 8 == 0 ? TERN_NONE : queue % 2 ? 1 + queue / 2 % 8U : 0;
	*p = (struct pool){.in_service_max = opts.threads_max, .refs = 1};
	p->blocking_max = opts.blocking_max == TERN_NONE ? 0 : opts.blocking_max;
	p->threads_max = p->in_service_max + p->blocking_max;
	p->wait_ms_max = opts.wait_ms_max == TERN_FOREVER ? 0 : opts.wait_ms_max;
	p->queue_max = opts.queue_max == TERN_NONE ? 0
		       : opts.queue_max		   ? opts.queue_max
						   : TERN_FOREVER;
	p->strict = p->threads_max == 1 && kind & 16;
	if (kind >> 5 == 0) {
		p->refs = 0;
		pool_refuse(p, &opts, queue);
		return;
	}
	holds(!tern_pool_create(&p->pool, &opts), "a pool can be had");
}

void pool_put(struct pool *p)
{
	p->refs--;
	tern_pool_put(p->pool);
}

void pool_destroy(struct pool *p)
{
	open_all(true);
	p->refs--;
	tern_pool_destroy(p->pool);
	holds(get(&p->gone) == 1, "a pool has gone when destroy returns");
	holds(get(&p->threads_started) == get(&p->threads_stopped), "so have its threads");
	holds(get(&p->asked) == get(&p->submitted), "destroy waits for all that was accepted");
	open_all(false);
}

void pool_check_stats(struct pool *p)
{
	struct tern_pool_stats s = {.size = sizeof(s)};
	uint32_t starts = get(&p->starts), left = get(&p->left);
	int e = tern_pool_stats(p->pool, &s);

	holds(!e || e == -ENOTSUP, "statistics can be had");
	if (e)
		return;
	holds(s.threads <= p->threads_max && s.threads_peak <= p->threads_max, "threads_max holds");
	holds(s.idle <= s.threads, "only threads idle");
	holds(s.canceled == p->canceled, "statistics count what cancel took back");
	holds(s.timed_out >= p->timed_out, "statistics count what was too old");
	holds(s.started >= starts, "statistics count what was started");
	holds(s.queued <= get(&p->asked) - left, "no more is queued than waits");
	holds(s.threads_created >= s.threads_exited && !s.threads_failed, "threads come and go");
	s.size = 1;
	holds(tern_pool_stats(p->pool, &s) == -EINVAL, "statistics of no size are refused");
}

void pool_dump(struct pool *p)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	holds(fd >= 0 && !tern_pool_dump(p->pool, fd), "what a pool does can be told");
	close(fd);
}

bool lane_is_over(const struct lane *l)
{
	for (int i = 0; i < SLOTS; i++)
		if (get(&model.slots[i].state) != FREE && model.slots[i].lane == l)
			return false;
	return !l->lane && !get(&l->lent) && !get(&l->running);
}

void lane_open(struct lane *l, struct pool *p)
{
	struct tern_lane_opts opts = {
		.size = sizeof(opts),
		.running_max = pick(4),
		.wait_ms_max = choose((const uint32_t[]){0, 0, TERN_FOREVER, 1}),
	};
	struct tern_lane *untouched = (void *)l;

	*l = (struct lane){.pool = p, .wait_ms_max = opts.wait_ms_max};
	l->running_max = opts.running_max ? opts.running_max : 1;
	holds(!tern_lane_create(&l->lane, p->pool, &opts), "a lane can be had");
	p->laned = true;
	opts.wait_ms_max = TERN_NONE;
	holds(tern_lane_create(&untouched, p->pool, &opts) == -EINVAL && untouched == (void *)l,
	      "bad options make no lane");
}

void lane_check_stats(struct lane *l)
{
	struct tern_lane_stats s = {.size = sizeof(s)};
	uint32_t left = get(&l->left);
	int e = tern_lane_stats(l->lane, &s);

	holds(!e || e == -ENOTSUP, "statistics of a lane can be had");
	if (e)
		return;
	holds(s.running <= l->running_max, "no more of a lane are taken than its cap");
	holds(s.started + s.canceled >= left, "statistics count what a lane's items were");
	holds(s.started >= s.timed_out, "what was too old was taken");
}

void lane_put(struct lane *l)
{
	tern_lane_put(l->lane);
	l->lane = NULL;
}
