/* SPDX-License-Identifier: MIT */
/* A loop's timers: the heap of lib/base, run on the loop's thread between completions. */
#include "../base/clock.h"
#include "../base/fatal.h"
#include "loop.h"

void tern_timer_init(struct tern_timer *timer, void (*fn)(struct tern_timer *timer))
{
	*timer = (struct tern_timer){.fn = fn};
}

void tern__timer_arm(struct tern_loop *loop, struct tern_timer *timer, uint64_t delay_ns)
{
	uint64_t now = tern__now_ns();

	if (timer->loop)
		tern__timers_remove(&loop->timers, timer);
	timer->loop = loop;
	timer->deadline_ns = delay_ns < INT64_MAX - now ? now + delay_ns : INT64_MAX;
	tern__timers_insert(&loop->timers, timer);
	if (!loop->alive)
		tern__loop_note_alive(loop);
}

void tern_timer_start(struct tern_loop *loop, struct tern_timer *timer, uint64_t delay_ns)
{
	tern__loop_check(loop, "tern_timer_start");
	if (!timer->fn)
		tern__fatal("tern_timer_start", "timer %p has no function", (void *)timer);
	if (timer->loop && timer->loop != loop)
		tern__fatal("tern_timer_start", "timer %p is armed on another loop", (void *)timer);
	tern__timer_arm(loop, timer, delay_ns);
}

bool tern_timer_stop(struct tern_timer *timer)
{
	struct tern_loop *loop = timer->loop;

	if (!loop)
		return false;
	tern__loop_check(loop, "tern_timer_stop");
	tern__timers_remove(&loop->timers, timer);
	timer->loop = NULL;
	return true;
}

const char tern__timer_own;

void tern__timer_arm_own(struct tern_loop *loop, struct tern_timer *timer, uint64_t deadline_ns)
{
	if (timer->loop) {
		if (timer->deadline_ns == deadline_ns)
			return;
		tern__timer_disarm_own(timer);
	}
	timer->user = (void *)&tern__timer_own;
	timer->loop = loop;
	timer->deadline_ns = deadline_ns;
	tern__timers_insert(&loop->timers, timer);
	loop->timers_own++;
}

void tern__timer_disarm_own(struct tern_timer *timer)
{
	if (!timer->loop)
		return;
	tern__timers_remove(&timer->loop->timers, timer);
	timer->loop->timers_own--;
	timer->loop = NULL;
}

void tern__timers_forget_own(struct tern_loop *loop)
{
	struct tern__timers all = loop->timers;
	struct tern_timer *timer;

	loop->timers = (struct tern__timers){.root = NULL};
	while ((timer = all.root)) {
		tern__timers_remove(&all, timer);
		if (timer->user == &tern__timer_own)
			timer->loop = NULL;
		else
			tern__timers_insert(&loop->timers, timer);
	}
}

uint32_t tern__timers_run(struct tern_loop *loop, uint32_t max)
{
	/* read once, so that a timer which starts itself again has its next turn later */
	uint64_t now = tern__now_ns();
	struct tern_timer *timer;
	uint32_t ran = 0;

	while (ran < max && (timer = loop->timers.root) && timer->deadline_ns <= now) {
		tern__timers_remove(&loop->timers, timer);
		timer->loop = NULL;
		ran++;
		timer->fn(timer);
		tern__loop_check_fork(loop, "tern_loop_dispatch");
	}
	return ran;
}

int64_t tern__timers_wait(struct tern_loop *loop)
{
	uint64_t now;

	if (!loop->timers.root)
		return -1;
	now = tern__now_ns();
	return loop->timers.root->deadline_ns <= now
		       ? 0
		       : (int64_t)(loop->timers.root->deadline_ns - now);
}
