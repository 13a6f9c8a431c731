/* SPDX-License-Identifier: MIT */
/*
 * A tern loop is where completions come home: the tern side of one event loop.
 *
 * It is bound to the thread that first prepares or dispatches it, so that loops can be made in one
 * thread and run in another. <tern/ev.h> attaches one to libev. Any other event loop needs three
 * things: watch tern_loop_fd() for reading, call tern_loop_dispatch() when it is readable, and call
 * tern_loop_prepare() before each poll. A program without a loop of its own calls tern_loop_run().
 *
 * See tern_loop(3) and tern_timer(3).
 */
#ifndef TERN_LOOP_H
#define TERN_LOOP_H

#include <tern/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tern_loop_opts {
	size_t size;		  /* sizeof(struct tern_loop_opts) */
	uint32_t batch_max;	  /* completions, posts and timers that a dispatch runs at most, and
				     a prepare as many; others wait for one of each, so for up to
				     twice that; 0: 256 */
	uint32_t spin_us_max;	  /* how long to look before sleeping, if it pays; 0: as long as two
				     wakes take, measured; TERN_NONE; at most 1000 */
	uint32_t coalesce_us_max; /* how long completions of a pool whose threads are all busy,
				     with more waiting, may wait for each other before they
				     wake the loop; 0: 800; TERN_NONE; at most 1000 */
};

/*
 * [any] Makes a loop that belongs to no event loop yet. opts may be NULL. Returns 0 and the loop in
 * *ret; -EINVAL or -E2BIG for options, -ENOMEM, or what eventfd(2) says (-EMFILE, -ENFILE).
 * On failure *ret is untouched. End it with tern_loop_destroy().
 */
int tern_loop_create(struct tern_loop **ret, const struct tern_loop_opts *opts);

/*
 * What a loop asks of the event loop it is attached to. All calls come on the loop's thread
 * (destroy: on the thread that calls tern_loop_destroy).
 */
struct tern_loop_binding {
	size_t size; /* sizeof(struct tern_loop_binding) */
	/*
	 * on: something is outstanding, keep the event loop running; off: nothing is left. Comes in
	 * turn, on first. Not told of what other threads do until the loop next prepares or
	 * dispatches.
	 */
	void (*alive)(void *user, bool on);
	/*
	 * The loop is going away: take the descriptor out of the event loop. NULL: nothing to do.
	 */
	void (*destroy)(void *user);
};

/*
 * [any, before the loop is used] Attaches a loop to an event loop; the table is copied. Returns 0;
 * -EINVAL or -E2BIG for the table's size, -EBUSY when the loop has a binding.
 */
int tern_loop_bind(struct tern_loop *loop, const struct tern_loop_binding *binding, void *user);

/*
 * [loop, or any thread once the loop's thread is done with it] [blocks, for microseconds] Ends the
 * loop: delivers posts that have arrived and what they post in turn, waits until no worker touches
 * the loop, and frees it. Call it after the event loop has returned and before that event loop is
 * destroyed. Fatal while work is out, a timer is armed or somebody holds the loop, and from inside
 * a completion.
 */
void tern_loop_destroy(struct tern_loop *loop);

/*
 * [loop's thread to be, in the child of a fork] Makes a loop of the parent's one of the
 * child's: with a descriptor of its own under the same number, bound to this thread if it was bound
 * to one. What was on its way to it is the parent's alone, and must be initialised again before it
 * is used here. Timers stay armed and holds are kept; only if another thread than the loop's called
 * fork the timers are forgotten as well. Legal in a completion, if fork was called there. Until
 * then all calls for the loop but tern_loop_fd and tern_loop_destroy are fatal in the child.
 * Returns 0, also if the loop is this process' own; what eventfd(2) says (-EMFILE, -ENFILE,
 * -ENOMEM), and nothing has changed. See tern_fork(7).
 */
int tern_loop_after_fork(struct tern_loop *loop);

/*
 * [any] The descriptor that is readable while completions wait for dispatch. Owned by the loop;
 * poll it for reading, level-triggered, and never read it.
 */
int tern_loop_fd(const struct tern_loop *loop);

/*
 * [loop] Call it right before polling, and before working out your own poll timeout: it runs what
 * has come home, hands submissions over, looks a little longer where that should pay, and returns
 * for how many nanoseconds the poll may block at most: 0, do not block; -1, no limit. An event loop
 * that never calls it still works: every submit is then handed over at once, which is slower, and
 * due timers run only when it next dispatches for something else.
 */
int64_t tern_loop_prepare(struct tern_loop *loop);

/*
 * [loop] Runs completions, posts and due timers, at most max of them (0: batch_max), and hands
 * submissions over. Returns how many ran. What is left stays readable on the descriptor. May be
 * called from inside a completion (a nested event loop does).
 */
int tern_loop_dispatch(struct tern_loop *loop, uint32_t max);

/*
 * [loop] [blocks] For programs without an event loop: prepares, polls and dispatches until nothing
 * is outstanding. Returns 0, or the negative errno of a poll(2) that failed.
 */
int tern_loop_run(struct tern_loop *loop);

/*
 * [loop] Whether anything keeps the loop alive: items out whose home it is, armed timers, holds.
 * Posts do not.
 */
bool tern_loop_alive(struct tern_loop *loop);

/*
 * [any] Keeps the loop alive, whatever is outstanding, until released as often. For the gap between
 * another thread's decision to submit and the loop's noticing.
 */
void tern_loop_hold(struct tern_loop *loop);
void tern_loop_release(struct tern_loop *loop);

/*
 * [loop] Hands this loop's submissions to their pools now. Only of use in the middle of a long
 * callback: dispatch and prepare do it anyway.
 */
void tern_loop_flush(struct tern_loop *loop);

/* A message to a loop. Yours; tern's from tern_loop_post until fn is entered. */
struct tern_post {
	void (*fn)(struct tern_post *post); /* [loop] may post it again or free it */
	void *user;
	struct tern_node node; /* private */
};

/* [any] Prepares a post; user becomes NULL. */
void tern_post_init(struct tern_post *post, void (*fn)(struct tern_post *post));

/*
 * [any] Has post->fn run once on the loop's thread, from the loop, in order of posting by one
 * thread. Does not keep the loop alive. Fatal if the post is already on its way.
 */
void tern_loop_post(struct tern_loop *loop, struct tern_post *post);

/* A one-shot timer on the monotonic clock. Yours; tern's while armed. */
struct tern_timer {
	void (*fn)(struct tern_timer *timer); /* [loop] may start it again or free it */
	void *user;
	struct tern_loop *loop; /* private, like all below: NULL while not armed */
	uint64_t deadline_ns;
	struct tern_timer *parent, *child[2];
};

/* [any] Prepares a timer; user becomes NULL. */
void tern_timer_init(struct tern_timer *timer, void (*fn)(struct tern_timer *timer));

/*
 * [loop] Has timer->fn run once, delay_ns nanoseconds from now or, if the loop is away, later;
 * never earlier and never from inside the call. Starting an armed timer moves it. Keeps the loop
 * alive. Costs O(log timers), allocates nothing.
 */
void tern_timer_start(struct tern_loop *loop, struct tern_timer *timer, uint64_t delay_ns);

/* [loop] Disarms a timer. True: it was armed, and fn will not run for that start. */
bool tern_timer_stop(struct tern_timer *timer);

#ifdef __cplusplus
}
#endif

#endif
