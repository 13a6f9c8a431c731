/* SPDX-License-Identifier: MIT */
/*
 * Which priority starts next, of a pool with one thread whose items all wait at gates: who waits is
 * known exactly when one of them is let go.
 */
#include "model.h"

/* The priorities that wait, as bits. */
static uint8_t who_waits(const struct pool *p)
{
	uint8_t ranks = 0;

	for (int i = 0; i < SLOTS; i++) {
		const struct slot *s = &model.slots[i];

		if (get(&s->state) == OUT && s->pool == p && !get(&s->runs) && !s->canceled)
			ranks |= (uint8_t)(1 << s->rank);
	}
	return ranks;
}

static uint32_t count(const struct pool *p, uint32_t n, uint8_t rank, uint8_t waited)
{
	uint32_t found = 0;

	for (uint32_t i = p->steps - n; i < p->steps; i++)
		found += (rank == RANKS || p->ranks[i % WINDOW] == rank) &&
			 (p->waited[i % WINDOW] & waited) != 0;
	return found;
}

/* Of 16 in a row, and of fewer at most as many. */
static void check_window(const struct pool *p)
{
	const uint8_t normal = 1 << TERN_NORMAL, high = 1 << TERN_HIGH, low = 1 << TERN_LOW;
	uint32_t n = p->steps < WINDOW ? p->steps : WINDOW;

	holds(count(p, n, TERN_NORMAL, high) <= 3, "three of 16 are TERN_NORMAL before TERN_HIGH");
	holds(count(p, n, TERN_LOW, high | normal) <= 1, "one of 16 is TERN_LOW before others");
	if (n < WINDOW)
		return;
	if (count(p, n, RANKS, low) == WINDOW)
		holds(count(p, n, TERN_LOW, low) >= 1, "of 16 starts one is TERN_LOW");
	if (count(p, n, RANKS, normal) == WINDOW)
		holds(count(p, n, TERN_NORMAL, normal) >= 3, "of 16 starts three are TERN_NORMAL");
}

struct wait {
	const struct pool *pool;
	uint32_t starts;
};

static bool has_stepped(const void *arg)
{
	const struct wait *w = arg;

	return get(&w->pool->starts) != w->starts && get(&w->pool->blocked);
}

void step(struct pool *p)
{
	struct wait wait = {.pool = p};
	struct slot *s;
	uint8_t ranks;

	if (!p->strict || p->wait_ms_max || !p->refs)
		return;
	wait_until(is_settled, p, false, "a pool starts what it has threads for");
	if (!get(&p->blocked) || get(&p->lent) || get(&p->asked) != get(&p->submitted))
		return;
	ranks = who_waits(p);
	wait.starts = get(&p->starts);
	if (wait.starts != p->steps_at)
		p->steps = 0;
	open_gate(get(&p->current));
	if (!ranks)
		return;
	wait_until(has_stepped, &wait, false, "the next item starts when one has run");
	holds(get(&p->starts) == wait.starts + 1, "one item starts where one has run");
	s = get(&p->current);
	holds(ranks & 1 << s->rank, "what starts has waited");
	p->ranks[p->steps % WINDOW] = s->rank;
	p->waited[p->steps % WINDOW] = ranks;
	p->steps++;
	p->steps_at = wait.starts + 1;
	check_window(p);
}
