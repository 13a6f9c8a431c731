/* SPDX-License-Identifier: MIT */
/*
 * Futures on a loop. A wake brings the run's node home, like any item, and what the loop delivers
 * is a poll; so several wakes are one poll, and none comes from inside the call of somebody else.
 * Deadlines and pauses are a timer, which wakes in the same way.
 *
 * Done is entered when the future is complete and no wake is on its way. One that is still coming
 * brings the node, and with that we are here again.
 */
#include <errno.h>

#include "../base/fork.h"
#include "../loop/loop.h"
#include "future.h"

static struct tern_future_run *run_of(struct tern_waker *waker)
{
	return tern_container_of(waker, struct tern_future_run, waker);
}

static struct tern_waker *hold(struct tern_waker *waker)
{
	tern__wakes_hold(&run_of(waker)->wakes);
	return waker;
}

static void wake(struct tern_waker *waker)
{
	struct tern_future_run *run = run_of(waker);
	struct tern_loop *home = run->node.home;

	/* in a child the run is the parent's, and its loop may be one of the child's by now */
	if (tern__forked(run->generation))
		return;
	if (tern__wakes_come(&run->wakes))
		tern__loop_give(home, &run->node, tern__loop_is_mine(home));
}

static void wake_self(struct tern_future_run *run)
{
	hold(&run->waker);
	wake(&run->waker);
}

static void ring(struct tern_timer *timer)
{
	struct tern_future_run *run = tern_container_of(timer, struct tern_future_run, timer);
	struct tern_loop *home = run->node.home;

	home->timers_own--;
	if (run->monitor && !tern__notifier_calls(run->monitor, run->seen, run->deadline_ns)) {
		run->pause_ns = tern__pause_next(run->pause_ns);
		tern__timer_arm_own(
			home, timer,
			tern__earlier(tern__now_ns() + run->pause_ns, run->deadline_ns));
		return;
	}
	if (run->monitor)
		run->pause_ns = 0;
	wake_self(run);
}

/* The future is to be polled as it has said. */
static void plan(struct tern_future_run *run, const struct tern_notifier *said)
{
	uint64_t at = said->deadline_ns;

	run->monitor = said->used == TERN_NOTIFY_POLLER ? said->monitor : NULL;
	run->seen = said->seen;
	run->deadline_ns = said->deadline_ns;
	if (said->used == TERN_NOTIFY_WAKER) {
		run->pause_ns = 0;
	} else {
		run->pause_ns = tern__pause_next(run->pause_ns);
		at = tern__earlier(tern__now_ns() + run->pause_ns, at);
	}
	if (at)
		tern__timer_arm_own(run->node.home, &run->timer, at);
	else
		tern__timer_disarm_own(&run->timer);
}

/* Returns whether the future is complete. */
static bool advance(struct tern_future_run *run)
{
	struct tern_notifier n = {.waker = &run->waker, .home = run->node.home};

	if (tern__load_acquire(&run->cancel))
		tern_future_cancel(run->future);
	if (tern_future_poll(run->future, &n) != TERN_FUTURE_COMPLETE) {
		plan(run, &n);
		return false;
	}
	tern__timer_disarm_own(&run->timer);
	return true;
}

static void deliver(struct tern_node *node)
{
	struct tern_future_run *run = tern_container_of(node, struct tern_future_run, node);

	tern__wakes_take(&run->wakes);
	if (!advance(run) || !tern__wakes_close(&run->wakes))
		return;
	tern__loop_completed(node->home);
	run->done(run->future, run->user);
}

int tern_future_run(struct tern_future_run *run, struct tern_loop *home, struct tern_future *f,
		    tern_future_done_fn *done, void *user)
{
	bool mine = tern__loop_is_mine(home);

	tern__loop_check_fork(home, "tern_future_run");
	if (!done || f->taken)
		return -EINVAL;
	f->taken = true;
	*run = (struct tern_future_run){
		.waker = {hold, wake},
		.node = {.home = home, .deliver = deliver},
		.timer.fn = ring,
		.future = f,
		.done = done,
		.user = user,
		.generation = tern__fork_generation(),
	};
	tern__loop_submitted(home, 1, mine);
	if (!mine || advance(run))
		wake_self(run);
	return 0;
}

void tern_future_run_cancel(struct tern_future_run *run)
{
	hold(&run->waker);
	tern__store_release(&run->cancel, 1); /* pairs with advance */
	wake(&run->waker);
}
