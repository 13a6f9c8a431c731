/* SPDX-License-Identifier: MIT */
/* Posts, word of room, and timers: what comes to a loop besides items. */
#include "model.h"

static struct letter *free_letter(struct loop *to)
{
	for (int i = 0; i < LETTERS; i++) {
		struct letter *l = &model.letters[i];

		if (l->out)
			continue;
		*l = (struct letter){.to = to, .out = true, .by = me, .seq = ++model.seq};
		return l;
	}
	return NULL;
}

static void arrive(struct loop *l)
{
	holds(me == l->owner, "a message is entered on its loop's thread");
	holds(l->depth, "a message is entered from the loop");
	l->entered++;
}

static void letter_came(struct tern_post *post)
{
	struct letter *l = tern_container_of(post, struct letter, post);

	arrive(l->to);
	holds(l->out && !l->room, "a post comes once");
	if (l->by != WORKER) {
		holds(l->seq > l->to->last_letter[l->by], "posts of one thread come in order");
		l->to->last_letter[l->by] = l->seq;
	}
	memset(post, 0xa5, sizeof(*post));
	l->out = false;
}

struct letter *letter_lend(struct loop *to)
{
	struct letter *l = free_letter(to);

	if (l)
		l->by = WORKER;
	return l;
}

void letter_post(struct letter *l)
{
	if (!l && !(l = free_letter(&model.loops[pick(LOOPS)])))
		return;
	if (!l->to->loop) {
		l->out = false;
		return;
	}
	tern_post_init(&l->post, letter_came);
	tern_loop_post(l->to->loop, &l->post);
}

static bool is_surely_full(const struct pool *p)
{
	return p->queue_max != TERN_FOREVER && !p->wait_ms_max && !p->laned &&
	       get(&p->blocked) == p->threads_max &&
	       get(&p->submitted) - get(&p->left) >= p->queue_max;
}

/*
 * Whether an item has left since then, or may have. A worker gives word before it enters run, where
 * the item is counted: but not while all that there may be are at gates.
 */
static bool may_have_left(const struct pool *p, uint32_t left)
{
	return get(&p->blocked) < p->threads_max || get(&p->left) != left;
}

static void room_came(struct tern_post *post)
{
	struct letter *l = tern_container_of(post, struct letter, post);
	struct pool *p = l->room;

	arrive(l->to);
	holds(l->out && p, "word of room comes once");
	if (p->refs)
		holds(p->queue_max && (!l->full || may_have_left(p, l->left)),
		      "word of room comes when there is some");
	l->to->out--;
	l->room = NULL;
	memset(post, 0xa5, sizeof(*post));
	l->out = false;
}

void await_room(struct loop *to, struct pool *p)
{
	struct letter *l = free_letter(to);

	if (!l)
		return;
	l->room = p;
	l->left = get(&p->left);
	l->full = is_surely_full(p);
	to->out++;
	tern_post_init(&l->post, room_came);
	tern_pool_notify_room(p->pool, to->loop, &l->post);
}

static void ticked(struct tern_timer *timer)
{
	struct tick *t = tern_container_of(timer, struct tick, timer);
	struct loop *l = t->loop;

	holds(l != NULL, "a timer that was stopped does not run");
	arrive(l);
	holds(now_ns() >= t->due_ns, "a timer is never early");
	l->armed--;
	t->loop = NULL;
	if (t - model.ticks < 2)
		act(l, (uint8_t)(8 + t->due_ns % 8));
}

void start_timer(struct loop *l, struct tick *t)
{
	uint64_t delay_ns = next_byte() * UINT64_C(2000);

	if (t->loop && t->loop != l)
		return;
	if (!t->loop) {
		tern_timer_init(&t->timer, ticked);
		l->armed++;
	}
	t->loop = l;
	t->due_ns = now_ns() + delay_ns;
	tern_timer_start(l->loop, &t->timer, delay_ns);
}

void stop_timer(struct tick *t)
{
	bool armed = t->loop != NULL;

	if (armed && t->loop->owner != me)
		return;
	if (armed)
		t->loop->armed--;
	t->loop = NULL;
	if (t->timer.fn)
		holds(tern_timer_stop(&t->timer) == armed, "stop tells whether it was armed");
}
