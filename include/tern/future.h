/* SPDX-License-Identifier: MIT */
/*
 * Futures: operations that get on when they are polled, and say who is to poll them again, and
 * when. They are embedded structs of yours, allocate nothing, and are put together: in chains, by
 * combinators, run on a loop to a completion, or waited for where there is no loop.
 *
 * A future may be moved until it is first polled. From then on it is pinned, with all it points to,
 * until a poll has found it complete. It is polled by one thread at a time, which need not always
 * be the same; below, [poller] is that thread. Most futures start something at their first poll and
 * may be dropped before that.
 *
 * See tern_future(3), tern_future_run(3), tern_chain(3), tern_combinators(3), tern_runtime(3).
 */
#ifndef TERN_FUTURE_H
#define TERN_FUTURE_H

#include <tern/base.h>
#include <tern/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tern_io;
struct tern_future;
struct tern_waker;
struct tern_notifier;

enum tern_future_state {
	TERN_FUTURE_IDLE,     /* nothing has been started yet, or could be */
	TERN_FUTURE_RUNNING,  /* it is to be polled again, as the notifier says */
	TERN_FUTURE_COMPLETE, /* its result is there; further polls do nothing */
};

enum tern_future_property {
	TERN_FUTURE_ASYNC, /* gets on between its polls: to be polled before those that do not */
};

/* What a kind of future does. A constant table. */
struct tern_future_ops {
	size_t size; /* sizeof(struct tern_future_ops) */
	/*
	 * [poller] Gets on as far as can be without waiting, and tells how it stands and, unless
	 * it is complete, by the notifier, which is never NULL, when to come again. Complete: the
	 * future's result is set.
	 */
	enum tern_future_state (*poll)(struct tern_future *future, struct tern_notifier *notifier);
	/*
	 * [poller] Asks, once, that it come to its end: soon, with -ECANCELED, or with its result
	 * where it is too late. Whoever asks polls it again. Optional: without, a future that was
	 * never polled is complete at once, and others come to their end as if not asked.
	 */
	void (*cancel)(struct tern_future *future);
	/* [poller] Optional: without, it has none. */
	bool (*has_property)(const struct tern_future *future, enum tern_future_property property);
};

/* Part of each kind of future. Yours; tern's from the first poll until it is complete. */
struct tern_future {
	int64_t result; /* when complete: what the kind says, 0 or more; or a negative errno */
	uint8_t state;	/* enum tern_future_state, as the last poll found it */
	uint8_t polled; /* private, like all below */
	uint8_t canceled;
	uint8_t taken, pass;
	const struct tern_future_ops *ops;
	uintptr_t bell;
};

/*
 * [any, before it is used] Prepares a future of that kind. ops NULL: one that does nothing itself,
 * and is complete when somebody calls tern_future_complete; it must then not be dropped before.
 */
void tern_future_init(struct tern_future *future, const struct tern_future_ops *ops);

/* [any, before it is used] One that is complete. */
void tern_future_init_complete(struct tern_future *future, int64_t result);

/*
 * [any, one at a time] Polls a future, and returns its state. notifier: in, whom to wake; out, when
 * to poll again. NULL: nobody is woken, poll again when you like.
 */
enum tern_future_state tern_future_poll(struct tern_future *future, struct tern_notifier *notifier);

/*
 * [any, as poller, not from inside a poll of it] Asks that the future come to its end. It must be
 * polled again, until it is complete: with -ECANCELED, or with its result where that came first.
 * Then, and not before, nothing of it touches the memory that it was given. Asking twice is asking
 * once.
 */
void tern_future_cancel(struct tern_future *future);

/* [any, until it is complete] Whether somebody has asked; for what works for the future. */
bool tern_future_canceled(const struct tern_future *future);

/* [any that polls it] Whether it has that property now. */
bool tern_future_has_property(const struct tern_future *future, enum tern_future_property property);

/*
 * Whom a future tells that it can get on. Yours; must live until the future that it was given to is
 * complete. The latest that a future was polled with counts. After each wake the future must be
 * polled at least once; several wakes may be followed by one poll.
 *
 * A waker is called in two steps, because the poll that finds the future complete may come, and its
 * owner free all of it, between the completion and the wake. Before something is published:
 * hold says that a wake is on its way, and to whom. After it: wake of what hold has returned. Each
 * hold is followed by one wake. The waker's owner, when the future is complete, keeps the waker
 * until no wake is on its way.
 */
struct tern_waker {
	/*
	 * [any] Returns the waker itself; or another, which it has held instead; or NULL: nobody
	 * is to be woken. Optional: without, the waker lives for ever.
	 */
	struct tern_waker *(*hold)(struct tern_waker *waker) __attribute__((aligned(8)));
	/* [any] Must not poll. Touches nothing more once the wake can be seen. */
	void (*wake)(struct tern_waker *waker);
};

/* When to poll again. What is further down asks for more. */
enum tern_notify {
	TERN_NOTIFY_WAKER,  /* when the waker is called, or at the deadline */
	TERN_NOTIFY_POLLER, /* also when *monitor is no longer what was seen there */
	TERN_NOTIFY_NONE,   /* after a while: nobody will call */
};

/* What passes between a future and who polls it. Set it up, zeroed but for waker, for each poll. */
struct tern_notifier {
	/* in */
	struct tern_waker *waker; /* NULL: none */
	struct tern_loop *home;	  /* the poller's loop, if it has one */
	/* out, unless the future is complete */
	enum tern_notify used;
	const uint64_t *monitor; /* with TERN_NOTIFY_POLLER */
	uint64_t seen;
	uint64_t deadline_ns; /* of CLOCK_MONOTONIC: poll again then at the latest; 0: none */
};

/*
 * What the poll function of a kind says. Unless it says anything TERN_NOTIFY_NONE stands; one that
 * waits for other futures, which it has polled with the same notifier, begins with
 * tern_notifier_pass: then what those have said stands.
 */

/* [any, in a poll function] Nothing but what the futures say that are polled next. */
void tern_notifier_pass(struct tern_notifier *notifier);

/* [any, in a poll function] Also at that time. */
void tern_notifier_at(struct tern_notifier *notifier, uint64_t deadline_ns);

/* [any, in a poll function] Also when the word is no longer what was seen there. */
void tern_notifier_monitor(struct tern_notifier *notifier, const uint64_t *word, uint64_t seen);

/*
 * [any, in a poll function] Has the notifier's waker called by tern_future_wake and
 * tern_future_complete from now on, and says so. Returns TERN_FUTURE_COMPLETE when the latter has
 * been called, else TERN_FUTURE_RUNNING. To overlook nothing, look at what others change after it.
 */
enum tern_future_state tern_future_attach(struct tern_future *future,
					  struct tern_notifier *notifier);

/*
 * [any, until a poll can find it complete] Wakes whoever waits for the future: it can get on. Once
 * it is complete, and while its memory is there, this does nothing.
 */
void tern_future_wake(struct tern_future *future);

/*
 * [any, once] The same for a future that uses tern_future_attach, which is complete with that
 * result; before a poll finds it so nothing of it may still be needed. Fatal when it is already.
 */
void tern_future_complete(struct tern_future *future, int64_t result);

/* ---- on a loop ---- */

/* [loop] The future is complete: its result is there. It and the run are yours again. */
typedef void tern_future_done_fn(struct tern_future *future, void *user);

/* Drives a future on a loop. Yours; tern's from tern_future_run until done is entered. */
struct tern_future_run {
	struct tern_waker waker; /* private, like all below */
	struct tern_node node;
	struct tern_timer timer;
	struct tern_future *future;
	tern_future_done_fn *done;
	void *user;
	const uint64_t *monitor;
	uint64_t seen, deadline_ns, pause_ns;
	uint32_t wakes, generation;
	uint8_t cancel;
};

/*
 * [any] Polls the future on home's thread until it is complete, then enters done once, from the
 * loop, never from inside the call; on that thread the first poll is inside the call. Polled when
 * it is woken and at its deadlines; one that is woken by nobody after pauses that double from 1 us
 * to 1 ms; both only on a loop that prepares, as timers are. Keeps the loop alive as an item does.
 * Returns 0; -EINVAL when the future has been run before, or done is NULL, and nothing has
 * happened.
 */
int tern_future_run(struct tern_future_run *run, struct tern_loop *home, struct tern_future *future,
		    tern_future_done_fn *done, void *user);

/*
 * [any, after tern_future_run has returned, while done has not been entered] Has tern_future_cancel
 * called on the loop; done comes when the future is complete, with -ECANCELED or its result.
 */
void tern_future_run_cancel(struct tern_future_run *run);

/* ---- without a loop ---- */

/*
 * [any] [blocks] Polls the future until it is complete and returns its result. Sleeps until it is
 * woken or its deadline has come; polls on its own, after pauses that double from 1 us to 1 ms,
 * only one that is woken by nobody. Not for futures that need a loop, on that loop's thread.
 */
int64_t tern_runtime_wait(struct tern_future *future);

/*
 * [any] [blocks] The same for n futures, all of which are complete at the return. Each that is not
 * is polled once a pass, those with TERN_FUTURE_ASYNC first, else in their order.
 */
void tern_runtime_wait_many(struct tern_future *const futures[], size_t n);

/* ---- one after the other ---- */

struct tern_chain;
struct tern_step;

/*
 * [poller] Before a step starts: prepares step->future, of what came before, which is complete
 * (NULL: nothing did). Returns 0; or a negative errno, and the step is left out, as failed with it.
 * Must not cancel or poll the chain.
 */
typedef int tern_step_fn(struct tern_chain *chain, struct tern_step *step,
			 const struct tern_future *before);

struct tern_step {
	struct tern_future *future; /* map may set it */
	tern_step_fn *map;	    /* NULL: nothing is to be prepared */
	void *user;
	bool always; /* also after a step that failed, or a cancel: to clean up */
};

/*
 * Steps, each of which starts when the one before is complete; several may end in one poll. After
 * one that failed, or a cancel, only those marked always are taken. Yours, with the steps.
 */
struct tern_chain {
	struct tern_future future; /* result: of the first step that failed; -ECANCELED, if steps
				      were left out for that; else of the last step; 0: of none */
	struct tern_step *steps;
	size_t count;
	void *user;
	size_t at;		    /* the step that is taken; count: all are over */
	struct tern_future *before; /* private, like all below */
	bool entered, failed;
};

/* [any] Prepares a chain; user becomes NULL. */
void tern_chain_init(struct tern_chain *chain, struct tern_step *steps, size_t count);

/* ---- combinators ---- */

/* All of several: complete when each of them is. */
struct tern_join {
	struct tern_future future; /* result: 0, or of the first that was found failed */
	struct tern_future *const *of;
	size_t count;
	bool stop_on_error; /* when one has failed the others are asked to come to their end */
	size_t left;	    /* that are not complete */
	int64_t error;	    /* private, like all below */
	bool stopped;
};

/* [any] Prepares a join; stop_on_error becomes false. */
void tern_join_init(struct tern_join *join, struct tern_future *const *of, size_t count);

/* Private: passes wakes on until it is closed. */
struct tern_relay {
	struct tern_waker waker;
	struct tern_waker *to;
	uint32_t inside;
};

/*
 * The first of several. The others are then cancelled, and may go on touching their memory until
 * released is complete: with that the select and all of them are yours again, not before. Once the
 * select has been polled released must be run or waited for too; it starts nothing.
 */
struct tern_select {
	struct tern_future future; /* result: the winner's; -EINVAL: there are none to choose of */
	struct tern_future released; /* result: 0 */
	struct tern_future *const *of;
	size_t count;
	size_t winner;		 /* when complete: which; count: none, it was cancelled first */
	struct tern_relay relay; /* private, like all below */
	bool closed;
};

/*
 * [any] Prepares a select. A cancel is passed on to all, and the select then is complete when all
 * are: with -ECANCELED, or the result of one that came to it.
 */
void tern_select_init(struct tern_select *select, struct tern_future *const *of, size_t count);

/* A pause, from its first poll on. */
struct tern_delay {
	struct tern_future future; /* result: 0 */
	uint64_t delay_ns;
	uint64_t deadline_ns; /* private */
};

/* [any] Prepares a pause. */
void tern_delay_init(struct tern_delay *delay, uint64_t delay_ns);

/*
 * A future that is given up after a time: a select of it and a delay, with all that is said there
 * of released.
 */
struct tern_timeout {
	struct tern_future future; /* result: that of the other; -ETIMEDOUT: too late */
	struct tern_select select; /* for select.released */
	struct tern_delay delay;   /* private, like all below */
	struct tern_future *of[2];
};

/* [any] Prepares a future that gives another so much time from the first poll on. */
void tern_timeout_init(struct tern_timeout *timeout, struct tern_future *of, uint64_t timeout_ns);

struct tern_retry;

/*
 * [poller] Prepares retry->of, anew after a failure: retry->failed says how often, and
 * retry->of->result with what, the last time. Returns 0; or a negative errno: that is the end of
 * it. Must not cancel or poll the retry.
 */
typedef int tern_retry_fn(struct tern_retry *retry);

/* A future that is tried again, after a pause, when it fails. */
struct tern_retry {
	struct tern_future future; /* result: of the last attempt, or what prepare said */
	tern_retry_fn *prepare;
	void *user;
	struct tern_future *of;	 /* prepare may set it */
	uint32_t attempts_max;	 /* 0: 5; TERN_FOREVER */
	uint64_t pause_ns;	 /* after the first; doubles; 0: 10 ms */
	uint64_t pause_ns_max;	 /* 0: 1 s */
	uint32_t failed;	 /* attempts so far */
	struct tern_delay delay; /* private, like all below */
	uint8_t stage;
};

/* [any] Prepares a retry; user and all limits become 0, for you to set. */
void tern_retry_init(struct tern_retry *retry, struct tern_future *of, tern_retry_fn *prepare);

/* ---- what is no future by itself; of a pool's items see <tern/future_pool.h> ---- */

/*
 * A disk request. It is submitted at the first poll, and again while its queue is full, where that
 * poll and tern_future_run must be on the queue's loop. Whoever got the request releases it.
 */
struct tern_io_future {
	struct tern_future future; /* result: the request's, or what tern_io_submit said */
	struct tern_io *io;
};

/* [any] Prepares it for a request that is described; done and user of the request are used. */
void tern_io_future_init(struct tern_io_future *future, struct tern_io *io);

#ifdef __cplusplus
}
#endif

#endif
