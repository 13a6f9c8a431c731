/* SPDX-License-Identifier: MIT */
/*
 * A loop's turn: what has come home is run in bounded batches, submissions are handed over, and the
 * loop goes to sleep only when all of that is done (the gate, gate.c) and looking longer would not
 * pay (spin.c).
 *
 * Leftovers of a batch stay in the loop, where a nested event loop sees them, and leave the
 * descriptor readable: the event loop may go back to a caller who polls for it.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/cpus.h"
#include "../base/fatal.h"
#include "../base/options.h"
#include "../base/trace.h"
#include "loop.h"

#define BATCH_MAX	256
#define COALESCE_US	800
#define COALESCE_US_TOP 1000
#define RECHECK_NS	(int64_t) TERN__MS /* how long what should not take long is trusted to */

int tern_loop_create(struct tern_loop **ret, const struct tern_loop_opts *opts)
{
	struct tern_loop_opts o;
	struct tern_loop *l;
	uint32_t coalesce_us;
	int e = tern__options_read(&o, sizeof(o), opts);

	if (!e)
		e = tern__fork_error();
	if (e)
		return e;
	coalesce_us = tern__option(o.coalesce_us_max, COALESCE_US);
	if (tern__option(o.spin_us_max, 0) > TERN__SPIN_US_TOP || coalesce_us > COALESCE_US_TOP ||
	    o.batch_max >= TERN_NONE)
		return -EINVAL;
	if (posix_memalign((void **)&l, __alignof__(*l), sizeof(*l)))
		return -ENOMEM;
	*l = (struct tern_loop){
		.armed = 1,
		.listening = true,
		.made_in = tern__fork_generation(),
		.cpus = tern__cpus(),
		.batch_max = tern__option(o.batch_max, BATCH_MAX),
		.gap.limit_ns = tern__gap_option(o.spin_us_max),
		.coalesce_ns = coalesce_us * TERN__US,
		.came_lately = coalesce_us ? UINT32_MAX : 0,
	};
	l->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->fd < 0) {
		e = -errno;
		free(l);
		return e;
	}
	l->ready_tail = &l->ready;
	*ret = l;
	return 0;
}

int tern_loop_bind(struct tern_loop *l, const struct tern_loop_binding *binding, void *user)
{
	struct tern_loop_binding known;
	int e = binding ? tern__options_read(&known, sizeof(known), binding) : -EINVAL;

	if (!e && l->binding.size)
		e = -EBUSY;
	if (e)
		return e;
	l->binding = known;
	l->binding_user = user;
	return 0;
}

/* An item for the fatal line of destroy, as far as somebody knows one. */
static const void *some_item(struct tern_loop *l)
{
	const void *item = l->timers.root;

	tern__gate_collect(l);
	for (struct tern__rider *r = l->riders; r && !item; r = r->next)
		item = r->ops->find_item(r);
	for (struct tern__source *s = l->sources; s && !item; s = s->next)
		item = s->ops->find_item(s);
	return item;
}

static uint32_t deliver_some(struct tern_loop *l, uint32_t max);

static void refuse_destroy_with_items_out(struct tern_loop *l)
{
	uint64_t out = tern__loop_outstanding(l) + l->timers.count - l->timers_own;

	if (out)
		tern__fatal("tern_loop_destroy", "loop %p has %llu items out, one is %p", (void *)l,
			    (unsigned long long)out, some_item(l));
	if (tern__load(&l->holds))
		tern__fatal("tern_loop_destroy", "loop %p is held", (void *)l);
}

void tern__loop_detach_all(struct tern_loop *l)
{
	while (l->riders) {
		struct tern__rider *r = l->riders;

		tern__loop_detach(l, r);
		r->ops->detach(r, l);
	}
}

/* Afterwards nothing is on its way to the loop, and nobody touches it any more. */
static void finish(struct tern_loop *l)
{
	if (l->depth)
		tern__fatal("tern_loop_destroy", "loop %p is dispatching", (void *)l);
	refuse_destroy_with_items_out(l);
	do {
		/* only posts can be left, and what they post in turn */
		tern__gate_collect(l);
		deliver_some(l, UINT32_MAX);
		refuse_destroy_with_items_out(l);
		tern__loop_detach_all(l);
		/*
		 * A worker keeps its pin while it looks for more of this loop's items, for
		 * microseconds, and cannot tell us through memory that we are about to free: so we
		 * let it have the CPU. Once nobody rides and nobody has a pin nobody comes any
		 * more.
		 */
		while (tern__load_acquire(&l->pins))
			sched_yield();
		tern__take_over(&l->pins);
		tern__gate_collect(l);
	} while (l->ready);
	tern__sources_detach_all(l);
	tern__loop_note_alive(l); /* a binding that was told so still keeps its event loop going */
}

void tern_loop_destroy(struct tern_loop *l)
{
	if (tern__forked(l->made_in))
		tern__loop_abandon(l);
	else
		finish(l);
	if (l->binding.destroy)
		l->binding.destroy(l->binding_user);
	close(l->fd);
	free(l);
}

int tern_loop_fd(const struct tern_loop *l)
{
	return l->fd;
}

void tern__loop_attach(struct tern_loop *l, struct tern__rider *rider)
{
	rider->next = l->riders;
	l->riders = rider;
}

void tern__loop_detach(struct tern_loop *l, struct tern__rider *rider)
{
	struct tern__rider **link = &l->riders;

	while (*link != rider)
		link = &(*link)->next;
	*link = rider->next;
}

void tern__loop_check(struct tern_loop *l, const char *call)
{
	tern__loop_check_fork(l, call);
	if (tern__load_acquire(&l->bound) && !pthread_equal(l->owner, pthread_self()))
		tern__fatal(call, "wrong thread for loop %p", (void *)l);
}

uint32_t tern__loops_share_threads;

void tern__loop_take(struct tern_loop *l)
{
	static __thread bool has_one;

	if (has_one)
		tern__store(&tern__loops_share_threads, 1); /* read by this thread, for itself */
	has_one = true;
	l->owner = pthread_self();
}

void tern__loop_enter(struct tern_loop *l, const char *call)
{
	tern__loop_check(l, call);
	if (tern__load(&l->bound))
		return;
	tern__loop_take(l);
	tern__store_release(&l->bound, 1);
}

static bool is_alive(struct tern_loop *l)
{
	/* holds: pairs with release, which lowers it, then looks whether the gate is open */
	if (tern__loop_outstanding(l) || l->timers.count || tern__load_seq(&l->holds))
		return true;
	tern__take_over(&l->holds);
	return false;
}

bool tern_loop_alive(struct tern_loop *l)
{
	tern__loop_check(l, "tern_loop_alive");
	return is_alive(l);
}

void tern__loop_note_alive(struct tern_loop *l)
{
	bool alive = is_alive(l);

	if (alive == l->alive)
		return;
	l->alive = alive;
	if (l->binding.alive)
		l->binding.alive(l->binding_user, alive);
}

void tern_loop_hold(struct tern_loop *l)
{
	tern__loop_check_fork(l, "tern_loop_hold");
	tern__add_seq(&l->holds, 1);
	if (tern__loop_is_mine(l))
		tern__loop_note_alive(l);
}

void tern_loop_release(struct tern_loop *l)
{
	bool mine = tern__loop_is_mine(l);

	tern__loop_check_fork(l, "tern_loop_release");
	tern__loop_pin(l);
	tern__hand_over(&l->holds);
	if (tern__sub_seq(&l->holds, 1) == 1 && !mine)
		tern__loop_ring(l); /* a sleeping loop must notice that it has nothing left */
	tern__loop_unpin(l);
}

static void flush_riders(struct tern_loop *l, enum tern__flush why)
{
	for (struct tern__rider *r = l->riders; r; r = r->next)
		r->ops->flush(r, why);
}

void tern__loop_hand_over(struct tern_loop *l, struct tern__source *but)
{
	flush_riders(l, TERN__FLUSH_NOW);
	for (struct tern__source *s = l->sources; s; s = s->next)
		if (s != but)
			s->ops->flush(s);
}

void tern_loop_flush(struct tern_loop *l)
{
	tern__loop_check(l, "tern_loop_flush");
	tern__loop_hand_over(l, NULL);
}

/* Delivers at most max of what is ready now; what that adds waits for the next call. */
static uint32_t deliver_some(struct tern_loop *l, uint32_t max)
{
	uint32_t todo = l->ready_count < max ? l->ready_count : max, ran = 0;

	l->depth++;
	for (; ran < todo && l->ready; ran++) {
		struct tern_node *node = l->ready;

		l->ready = node->next;
		if (l->ready)
			__builtin_prefetch(l->ready);
		else
			l->ready_tail = &l->ready;
		l->ready_count--;
		node->deliver(node);
		/* it may have called fork, and this be the child */
		tern__loop_check_fork(l, "tern_loop_dispatch");
	}
	l->depth--;
	return ran;
}

/* Runs at most max timers and items; timers may take half of it while others wait too. */
static uint32_t run_some(struct tern_loop *l, uint32_t max)
{
	uint32_t timers = 0, completions, session = tern__trace_on();
	uint64_t start_ns = session ? tern__now_ns() : 0;

	l->turn_ns = 0;
	l->moved = 0;
	tern__gate_collect(l);
	tern__sources_fetch(l);
	if (l->timers.root) {
		l->timers_first = !l->timers_first;
		l->depth++;
		timers = tern__timers_run(l, l->ready ? (max + l->timers_first) / 2 : max);
		l->depth--;
	}
	completions = deliver_some(l, max - timers);
	if (session && timers + completions)
		tern__loop_traced(session, l, start_ns, completions, timers);
	return timers + completions;
}

/*
 * Ends a turn with the gate open, for that many completions. True: there is something to do, and
 * the descriptor says so. unsettled: submissions were handed over as by a loop that comes round
 * soon; if the event loop goes back to a caller who polls the descriptor, it must.
 */
static bool leave(struct tern_loop *l, bool unsettled, uint32_t awaited)
{
	bool more = tern__gate_open(l, awaited) || l->ready || tern__sources_ready(l);

	if (more || unsettled)
		tern__gate_leave_readable(l);
	tern__loop_note_alive(l);
	return more;
}

static bool has_unsettled(struct tern_loop *l)
{
	for (struct tern__rider *r = l->riders; r; r = r->next)
		if (r->unsettled)
			return true;
	for (struct tern__source *s = l->sources; s; s = s->next)
		if (s->unsettled)
			return true;
	return false;
}

/* What the loop waited for has come: ran items. */
static void note_gap_end(struct tern_loop *l, uint32_t ran, uint64_t now)
{
	if (l->gap.slept)
		tern__coalesce_note(l, ran, now - l->gap.since_ns);
	tern__gap_end(&l->gap, now, &l->rung_ns);
}

int tern_loop_dispatch(struct tern_loop *l, uint32_t max)
{
	uint64_t came_ns;
	uint32_t ran;

	tern__loop_enter(l, "tern_loop_dispatch");
	/*
	 * Nothing came, and nobody rang. The inbox is looked at after `armed`: a completion that
	 * has counted down to 1 what was armed for two must not be overlooked.
	 */
	if (!l->ready && !l->timers.root && !l->due && !l->sourced &&
	    tern__load_acquire(&l->armed) == 1 && tern__mpsc_seems_empty(&l->inbox) &&
	    !has_unsettled(l))
		return 0;
	/* without prepare a nested event loop may poll the descriptor while callbacks run */
	if (l->prepares)
		tern__gate_close(l);
	else
		tern__gate_open(l, 1);
	came_ns = l->gap.since_ns ? tern__now_ns() : 0;
	ran = run_some(l, max ? max : l->batch_max);
	if (ran && came_ns)
		note_gap_end(l, ran, came_ns);
	if (!ran && l->sourced)
		l->maybe_rung = true;
	if (l->prepares)
		flush_riders(l, TERN__FLUSH_TURN);
	else
		tern__loop_hand_over(l, NULL);
	if (!l->prepares && !l->ready)
		tern__gate_drain(l); /* else prepare does, when the loop really goes to sleep */
	leave(l, has_unsettled(l), 1);
	return ran > INT_MAX ? INT_MAX : (int)ran;
}

/*
 * The looking part of prepare, gate closed: rounds of running and looking, for at most one spin
 * limit in all, so that the event loop's other watchers have their turn. True: come back without
 * sleeping. So it is after whatever ran: it may be what an event loop was run for, and those that
 * prepare before us have not seen what it did.
 */
static bool run_and_look(struct tern_loop *l)
{
	struct tern__gap *gap = &l->gap;
	uint64_t now = gap->since_ns ? tern__now_ns() : 0, slice_end = 0, until;
	uint32_t left = l->batch_max;
	bool came = false;

	for (;;) {
		uint32_t ran = run_some(l, left);

		if (ran) {
			came = true;
			if (gap->since_ns)
				note_gap_end(l, ran, now);
			left -= ran;
			if (!left || l->ready)
				return true;
			flush_riders(l, TERN__FLUSH_LOOKING);
		}
		tern__sources_flush(l);
		if (tern__sources_ready(l)) {
			/* some are over at once; each round costs some of the batch */
			if (!ran && !--left)
				return true;
			continue;
		}
		if (tern__loop_outstanding(l) == l->out_by_sources)
			return came;
		now = tern__now_ns();
		if (!gap->since_ns)
			tern__gap_begin(gap, now);
		if (!slice_end)
			slice_end = now + tern__gap_limit(gap);
		until = gap->since_ns + gap->look_ns;
		if (now >= until || !tern__spin_has_cpu(l))
			return came;
		if (now >= slice_end ||
		    !tern__spin_look(l, until < slice_end ? until : slice_end, &now))
			return came || until > slice_end;
	}
}

int64_t tern_loop_prepare(struct tern_loop *l)
{
	bool again, unsettled;
	uint32_t awaited = 1;
	int64_t ns;

	tern__loop_enter(l, "tern_loop_prepare");
	l->prepares = true;
	tern__gate_close(l);
	again = run_and_look(l);
	flush_riders(l, again ? TERN__FLUSH_TURN : TERN__FLUSH_SLEEPING);
	unsettled = has_unsettled(l);
	if (!again) {
		l->gap.slept = true;
		awaited = tern__coalesce_awaited(l);
		/* only now: while the loop keeps coming round the descriptor may stay readable */
		tern__gate_drain(l);
	}
	if (leave(l, again && unsettled, awaited) || again)
		return 0;
	ns = tern__timers_wait(l);
	return (unsettled || awaited > 1) && (ns < 0 || ns > RECHECK_NS) ? RECHECK_NS : ns;
}

int tern_loop_run(struct tern_loop *l)
{
	for (;;) {
		int64_t ns = tern_loop_prepare(l);
		struct timespec limit = {ns / 1000000000, ns % 1000000000};
		struct pollfd p = {.fd = l->fd, .events = POLLIN};
		int n;

		if (!is_alive(l))
			return 0;
		/* nothing else to poll: only sleeping is worth a system call */
		if (!ns)
			continue;
		n = ppoll(&p, 1, ns < 0 ? NULL : &limit, NULL);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && l->sourced)
			l->maybe_rung = true;
	}
}
