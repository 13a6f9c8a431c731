/* SPDX-License-Identifier: MIT */
/*
 * The pool as its own files see it.
 *
 *	pool.c	  create, get, put, destroy: the pool's life
 *	work.c	  submit, cancel: an item's life
 *	port.c	  where one loop's submissions to one pool wait to be handed over
 *	queue.c	  what waits in the pool, in order
 *	policy.c  who is woken or started when, who looks, who leaves: every number
 *	thread.c  one worker thread's life
 *	start.c	  how a thread comes to be
 *	timing.c  which items are timed
 *	doing.h	  what a worker is running, for others to read
 *	watch.c	  who tells of items that do not end
 *	dump.c	  what a pool is doing, as text
 *	traced.c  what a trace shows of items and threads
 *	lane.c	  kinds of work with a cap of their own
 *	room.c	  how much may wait, for those who ask
 *	blocking.c  threads that stand still do not count
 *	resolve.c getaddrinfo as an item, on the public calls alone
 *	vdm_pool.c  a data mover: which operation is moved by whom; vdm_job.c: one, by several
 *	stats.c	  what a pool tells of itself; tally.h: what is counted for it
 *	retry.c	  what happens when no thread at all could be started
 *	fork.c	  a pool in the child of a fork
 *
 * Lock order: guard (work.c) before a pool's lock; nothing is taken inside a pool's lock. No
 * call-out (callback, hook, allocation, blocking system call, thread creation) under a lock.
 *
 * Lifetimes. `refs` are the users'. After the last put the pool is closing: its threads drain the
 * queue and leave, and the last one ends it. `holds` keep the memory: one for all users together
 * until the end, one a thread, one a port (a loop that ever submitted), one a call that must
 * outlive its own put. Worker structs live as long as the pool, so that a late waker finds memory.
 */
#ifndef TERN__POOL_H
#define TERN__POOL_H

#include <pthread.h>
#include <tern/pool.h>

#include "../lib/base/atomic.h"
#include "../lib/base/clock.h"
#include "../lib/base/fork.h"
#include "../lib/base/gap.h"
#include "../lib/base/mpsc.h"
#include "../lib/base/park.h"
#include "../lib/loop/loop.h"
#include "doing.h"
#include "tally.h"

/* Of an item. Written by whoever owns the item at the time; the pool's lock guards QUEUED. */
enum tern__state {
	TERN__IDLE,    /* the caller's */
	TERN__QUEUED,  /* in an outbox, in a queue, or on its way to a loop to run there */
	TERN__STARTED, /* run is, was or will be entered, or cancel won: not to be cancelled any
			  more */
};

/* What the watchdog knows of a worker's item; lock. */
struct tern__watched {
	uint32_t taken;	   /* which one it is */
	uint64_t since_ns; /* running */
	bool told;
};

/* How a worker times its items; its own thread's. See timing.c. */
struct tern__timing {
	uint32_t skip;	 /* the next so many items are not timed ... */
	uint32_t left;	 /* ... and after them so many are left of the 16 of which one is chosen */
	uint32_t dice;	 /* its upper four bits are the place of that one */
	uint32_t rate;	 /* of these 16 one of so many is timed for the statistics: 1 or 16 */
	bool chosen;	 /* the item at hand is that one */
	bool guides;	 /* it is timed to decide by */
	uint32_t weight; /* so many items it stands for in the statistics; 0: in none */
	uint64_t since_ns; /* it came to the pool */
	uint64_t clock_ns; /* when the worker last looked */
	uint64_t wait_ns, run_ns;
};

struct tern__worker {
	TERN__LINE struct tern__park park;
	struct tern_pool *pool;
	struct tern__worker *below, *above; /* idle stack; lock */
	bool idle;			    /* on that stack: not claimed; lock */
	struct tern__worker *next;	    /* all of the pool's, ever; lock */
	bool unused;			    /* its thread has left; lock */
	uint32_t number;		    /* in its thread's name */

	/* its own thread's */
	struct tern_loop *pinned; /* the loop it may touch; NULL: none */
	struct tern_work *current;
	struct tern_loop *current_home;
	struct tern__gap gap;	  /* since it ran out of work */
	struct tern__trail trail; /* of items sent home */
	uint32_t taken;		  /* counts items, to read the clock for some only */
	bool too_old;		  /* the item taken is not to be run */
	bool surplus;		  /* it is to sleep although items wait; see blocking.c */
	bool lent;		  /* its slot is */
	uint32_t blocking;	  /* begun and not ended */
	struct tern_lane *lane;	  /* of the item taken; NULL: none; written under the lock */
	struct tern__doing doing;
	struct tern__watched watched;
	struct tern__timing timing;
#ifdef TERN_STATS
	TERN__LINE struct tern__tally tally; /* others read it */
#endif
};

/*
 * One loop's way into one pool. Belongs to the pool, used by the loop; reused, never freed before
 * it.
 */
struct tern__port {
	TERN__LINE struct tern__mpsc outbox; /* the loop pushes; whoever holds the lock takes */
	TERN__LINE struct tern__rider rider; /* on the loop */
	struct tern_loop *loop;		     /* NULL: free for another loop; lock */
	struct tern_pool *pool;
	struct tern__port *next;  /* of the pool; set before the port can be seen, then constant */
	uint32_t pushed;	  /* since the last flush; the loop's thread */
	struct tern__trail trail; /* the loop's thread */
};

struct tern__retry {
	struct tern_post post;
	struct tern_timer timer;
	struct tern__rider rider;
	struct tern_loop *home; /* who retries; NULL: nobody; lock */
	bool attached;		/* the rider is, or is about to be; lock */
	uint64_t delay_ns;	/* home's thread */
};

/* What to do about waiting items, decided under the lock, carried out after it. */
struct tern__summons {
	struct tern__worker *worker; /* claimed: wake it */
	bool start;		     /* counted: start a thread */
};

/* Who tells of items that do not end: see watch.c. on, thread, run_ns, stuck are constant. */
struct tern__watch {
	bool on;
	bool parked; /* nobody runs anything; lock */
	uint64_t run_ns;
	tern_stuck_fn *stuck;
	pthread_t thread;
	struct tern__park park;
};

/* Items of one priority, in order of arrival. */
struct tern__list {
	struct tern_work *head, *tail;
};

#define TERN__RANKS (TERN_LOW + 1)

struct tern__queue {
	struct tern__list lists[TERN__RANKS];
	uint32_t counts[TERN__RANKS];
	uint32_t picks; /* so far */
};

/* See lane.c. All but refs and what is constant under the pool's lock. */
struct tern_lane {
	struct tern_lane *next; /* of the pool */
	struct tern_pool *pool;
	struct tern__queue held;
	uint32_t entered; /* of its items: in the pool's queue, or running */
	uint32_t running_max;
	uint64_t wait_ns; /* TERN__WAIT_POOL: as the pool says */
	uint64_t over_ns; /* about when an item of it was last over, and the next entered */
	uint32_t refs;
	struct tern__lane_tally tally;
	char name[32];
	bool put; /* by the user; before its own part of refs is given back */
};

#define TERN__WAIT_POOL 0

/* Of an item, from submit until it is over: its priority then, and how owner is to be read. */
enum tern__where {
	TERN__RANK = 3,	 /* mask */
	TERN__LANED = 4, /* owner is its lane, else its pool */
	TERN__HELD = 8,	 /* it waits with the lane, not yet with the pool; lock */
	TERN__BORN = 16, /* from here on: the low bits of the generation it was submitted in */
};

static inline struct tern_lane *tern__lane_of(const struct tern_work *work)
{
	return tern__load(&work->where) & TERN__LANED ? work->owner : NULL;
}

struct tern_pool {
	/* read by submitters and lookers at every item, written when a worker sleeps or wakes */
	TERN__LINE uint32_t awake; /* workers that will look for work before they sleep */
	uint32_t closing;	   /* after the last put; written under the lock */
	uint32_t made_in;	   /* generation in which it was made or adopted; see fork.c */
	struct tern__port *ports;  /* grows at the front under the lock, read without */
	uint32_t run_ns;	   /* how long items ran lately, the long ones; sampled */
	int32_t run_beyond_ns;	   /* how much longer than LONG_NS on average; see timing.c */
	uint32_t cpus;
	uint32_t threads_min, threads_max, blocking_max;
	uint64_t idle_ns, spin_ns; /* spin_ns: see gap.h */
	uint32_t queue_max;	   /* see room.c; TERN_FOREVER: no bound */
	uint64_t wait_ns;	   /* items that waited longer are not run */
	size_t stack_size;
	cpu_set_t *affinity; /* in an allocation of its own; NULL: none */
	size_t affinity_size;
	void (*thread_start)(void *user);
	void (*thread_stop)(void *user);
	void (*gone)(void *user);
	void *user;
	char name[16];

	/* whoever is looking for work; lookers only */
	TERN__LINE uint32_t searching;

	/* what changes with every item, on the lock's own line */
	TERN__LINE pthread_mutex_t lock;
	struct tern__queue queue; /* see queue.c */
	uint32_t waiting;	  /* in the queue; read without the lock by lookers */
	bool moving;		  /* items are between two places; see fork.c */
	bool owed;		  /* somebody left a wake to the next who takes an item */
	uint64_t started;	  /* items taken so far; for the statistics */

	/* what is read with every item; all under the lock */
	uint32_t arriving; /* claimed or started, and not here yet */
	uint32_t threads;  /* being started, serving or leaving */
	uint32_t leaving;
	uint32_t idle;
	uint32_t lent; /* threads that stand still and do not count; see blocking.c */
	uint32_t threads_peak;
	struct tern__worker *idle_top;
	struct tern__worker *workers;
	struct tern_lane *lanes;
	struct tern_post *room_waiters; /* by node.next */
	uint64_t came_ns;		/* when the last items came, together ... */
	uint64_t apart_ns;		/* ... and how long after those before */
	uint32_t unstarted; /* items submitted, neither started nor cancelled; only with a bound */
	uint64_t start_after_ns;  /* not before, since the last start failed */
	bool over;		  /* the end has begun; once */
	bool destroying;	  /* somebody waits for it */
	bool joinable;		  /* `left` has not been joined */
	pthread_t left;		  /* the thread that left last */
	struct tern__retry retry; /* see retry.c */
	struct tern__watch watch;
	struct tern__park ended;
	struct tern__pool_tally tally;
	uint32_t refs, holds;
};

static inline void tern__pool_lock(struct tern_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
}

static inline void tern__pool_unlock(struct tern_pool *pool)
{
	pthread_mutex_unlock(&pool->lock);
}

/* pool.c */
void tern__pool_hold(struct tern_pool *pool);
/* By one who has no right to it: false if the last hold has gone. */
bool tern__pool_hold_living(struct tern_pool *pool);
void tern__pool_drop(struct tern_pool *pool);
/* [lock held] Whether the caller is the one to call tern__pool_end, after unlocking. */
bool tern__pool_is_over(struct tern_pool *pool);
void tern__pool_end(struct tern_pool *pool);
/* [no lock] What there is to do at the end, once no worker is left. */
void tern__pool_finish(struct tern_pool *pool);
int tern__pool_init_lock(struct tern_pool *pool);
/* Starts the threads that are kept, at least one. A negative errno: it has ended again. */
int tern__pool_start(struct tern_pool *pool);
/* [no lock] */
void tern__pool_free(struct tern_pool *pool);

/* work.c */
/* [any] What tern_pool_submit does, for an item that room.c has counted already. */
void tern__work_submit(struct tern_pool *pool, struct tern_loop *home, struct tern_work *work,
		       const char *call);
/*
 * [any] What tern_pool_submit does, for an item without done and a pool of this process, which
 * keeps a thread; handed over with all else that the loop `by`, if it is this thread's, submits in
 * this turn.
 */
void tern__work_submit_along(struct tern_pool *pool, struct tern_loop *by, struct tern_work *work,
			     const char *call);
/* Waits until no cancel that may have found its way to a pool before its end is still on it. */
void tern__work_guard(void);
/* [the only thread] Nobody is on any. */
void tern__work_guard_reset(void);
/* The item that is on its way home by this node; NULL: the node is of another kind. */
const struct tern_work *tern__work_of_delivery(const struct tern_node *node);

/* port.c */
/* [loop] The loop's port to the pool; NULL when it has none and memory is short. */
struct tern__port *tern__port_of(struct tern_loop *loop, struct tern_pool *pool);
/*
 * [loop] Pushes the chain last -> ... -> first of n items, and hands over when it is time; at once
 * if one of them is urgent: it goes before what is in the queue already.
 */
void tern__port_push(struct tern__port *port, struct tern_node *last, struct tern_node *first,
		     size_t n, bool urgent);

/* lane.c */
/* [lock held] One of its items is over, or was cancelled after it had entered: the next enters. */
void tern__lane_leave(struct tern_lane *lane);
/* [any, no lock] Before a submit; then, when the item is over. */
void tern__lane_hold(struct tern_lane *lane);
void tern__lane_drop(struct tern_lane *lane);

/* room.c */
/* [any] n items have been submitted. */
void tern__room_enter(struct tern_pool *pool, size_t n);
/* [lock held] In a pool with a bound one is started or cancelled: whom to tell, after unlocking. */
struct tern_post *tern__room_leave(struct tern_pool *pool);
/* [lock held] The last put: nobody needs to wait any more. Returns whom to tell. */
struct tern_post *tern__room_close(struct tern_pool *pool);
/* [no lock] */
void tern__room_tell(struct tern_post *posts);

/* blocking.c */
/* [worker] Fatal: run has begun what it did not end. */
void tern__blocking_unended(const struct tern__worker *worker);

/* queue.c: all with the lock held */
void tern__queue_append(struct tern_pool *pool, struct tern_work *work, uint64_t now_ns);
void tern__queue_unlink(struct tern_pool *pool, struct tern_work *work);
/* Has the next that the lane holds enter. */
void tern__queue_admit(struct tern_pool *pool, struct tern_lane *lane);
/* Takes the next to start, and puts it into *current as well; NULL: none waits. */
struct tern_work *tern__queue_pick(struct tern_pool *pool, struct tern_work **current);
/*
 * Since when the first of a list has been waiting for a thread, whichever has for longest; only
 * while one waits. For items of a lane, which may have been held first, it is a guess.
 */
uint64_t tern__queue_oldest_ns(const struct tern_pool *pool);
/* The first item that is(item, arg); NULL: there is none. */
struct tern_work *tern__queue_find(const struct tern_pool *pool,
				   bool (*is)(const struct tern_work *item, const void *arg),
				   const void *arg);
/* Brings in what lies in the outboxes. */
void tern__queue_collect(struct tern_pool *pool);

/* [any] Whether there seems to be work; without the lock, for lookers. */
bool tern__queue_looks_filled(const struct tern_pool *pool);

/* policy.c */
enum tern__haste {
	TERN__HASTE_WITHIN, /* a loop within a turn: it looks again at its end */
	TERN__HASTE_TURN,   /* a loop at the end of a turn: it comes round again */
	TERN__HASTE_TAKEN,  /* a worker that has taken an item */
	TERN__HASTE_SLEEP,  /* a loop before it sleeps: it looks again in a millisecond */
	TERN__HASTE_NOW,    /* one who will not look again */
};

/* [lock held] Whether somebody must come for what waits, and who. */
struct tern__summons tern__policy_summon(struct tern_pool *pool, enum tern__haste haste);
/* [lock held] Whether an item that is about to start has waited for longer than it may. */
bool tern__policy_is_too_old(const struct tern_pool *pool, const struct tern_work *work);
/* [lock held] The same, asked by a worker that has just taken an item. */
struct tern__summons tern__policy_taken(struct tern__worker *worker);
/* [lock held] Whether nobody needs to look after what waits again. */
bool tern__policy_is_settled(const struct tern_pool *pool);
/* [any] How many items wait while all threads are awake that may be, or have a CPU; 0: none. */
uint32_t tern__policy_backlog(const struct tern_pool *pool);
/* [lock held] A thread could not be started: the count is undone. */
struct tern__summons tern__policy_start_failed(struct tern_pool *pool);
/* [lock held] Claims the worker that went to sleep last, to be woken; NULL: none sleeps. */
struct tern__worker *tern__policy_claim(struct tern_pool *pool);
/* [lock held] Takes a worker off the idle stack. */
void tern__policy_unstack(struct tern_pool *pool, struct tern__worker *worker);
/* [lock held] Counts a thread that is about to be started: it is on its way. */
void tern__policy_count_start(struct tern_pool *pool);
/* [lock held] Whether there are more threads than are kept. */
bool tern__policy_is_surplus(const struct tern_pool *pool);
/* [lock held] Whether more are in service than may be: one of them is to sleep after its item. */
bool tern__policy_is_crowded(const struct tern_pool *pool);
/* [lock held] Whether items wait and no thread is there that would come to take them. */
bool tern__policy_is_deserted(const struct tern_pool *pool);
/* [worker] Looks for work where that should pay. True: there is some. */
bool tern__policy_search(struct tern__worker *worker);
/*
 * [any] Whether so many more items would keep the workers that are awake busy for longer than a
 * wake.
 */
bool tern__policy_is_much(const struct tern_pool *pool, uint32_t items);
/* [lock held] How long an idle worker sleeps before it may leave; UINT64_MAX: for ever. */
uint64_t tern__policy_idle_ns(const struct tern_pool *pool);

/* timing.c */
/* [worker] Whether to time the item that is about to run; the uncommon part of it. */
bool tern__timing_decide(struct tern__worker *worker);
static inline bool tern__timing_is_due(struct tern__worker *worker)
{
	if (!worker->timing.skip || worker->gap.slept)
		return tern__timing_decide(worker);
	worker->timing.skip--;
	worker->timing.weight = 0;
	return false;
}
/* [worker] It was timed. */
void tern__timing_note(struct tern__worker *worker);
/* [any] One of so many items is timed for the statistics. */
uint32_t tern__timing_rate(const struct tern_pool *pool);

/* thread.c */
/* The worker this thread is; NULL: none. */
struct tern__worker *tern__self(void);
/* [the only thread] It is no worker. */
void tern__thread_forget_self(void);
/* [worker] The whole of its life; the worker, and its pool, may be gone when it returns. */
void tern__thread_serve(struct tern__worker *worker);

/* stats.c */
#ifdef TERN_STATS
/* [worker] An item was timed. */
void tern__stats_timed(struct tern__worker *worker);
/* [worker, lock held] An item of the lane is over. */
void tern__stats_lane_over(struct tern__worker *worker);
#else
#define tern__stats_timed(worker)     ((void)(worker))
#define tern__stats_lane_over(worker) ((void)(worker))
#endif

/* start.c */
/* [no lock] Carries out a decision. */
void tern__thread_summon(struct tern_pool *pool, struct tern__summons summons);
/* [no lock] Starts a thread that is counted already. 0 or a negative errno, counts unchanged. */
int tern__thread_start(struct tern_pool *pool);
/* [no lock] A thread as the pool's are, with a hold of it. 0 or a negative errno. */
int tern__thread_create(struct tern_pool *pool, pthread_t *ret, void *(*fn)(void *), void *arg);
#define TERN__NAME_SIZE 16
/* "pool/tail", shortened in front of the slash to what the kernel takes. */
void tern__thread_name(const struct tern_pool *pool, const char *tail, char name[TERN__NAME_SIZE]);
void tern__worker_name(const struct tern_pool *pool, uint32_t number, char name[TERN__NAME_SIZE]);

/* watch.c */
/* [no lock] Starts the watchdog, if it is wanted. 0 or a negative errno. */
int tern__watch_start(struct tern_pool *pool);
/*
 * [lock held] A worker is about to look for items, having been asleep or nowhere. True: it has to
 * wake the watchdog, after unlocking.
 */
static inline bool tern__watch_unpark(struct tern_pool *pool)
{
	bool parked = pool->watch.parked;

	pool->watch.parked = false;
	return parked;
}

/* retry.c */
void tern__retry_init(struct tern_pool *pool);
/*
 * [lock held] Items wait and no thread is there or could be started: the home of the first that has
 * one will try again; but not the loop that is given. Returns it, pinned, for tern__retry_post
 * after unlocking; NULL: somebody tries already, or nobody can.
 */
struct tern_loop *tern__retry_begin(struct tern_pool *pool, const struct tern_loop *but);
void tern__retry_post(struct tern_pool *pool, struct tern_loop *home);

/* fork.c */
/* [any] In a child, whether the pool is still its parent's. */
static inline bool tern__pool_is_parents(const struct tern_pool *pool)
{
	return __builtin_expect(tern__forked(tern__load(&pool->made_in)), false);
}
/* [any] Of such a pool: a put, of the pool or, unless it is NULL, of a lane. */
void tern__fork_put(struct tern_pool *pool, struct tern_lane *lane);
/* [any] Of such a pool: a loop lets go of a port or, where that is NULL, of retrying. */
void tern__fork_detach(struct tern_pool *pool, struct tern__port *port);
/* [any] An item that such a pool was given: not run. */
void tern__fork_bring_back(const struct tern_pool *pool, struct tern_loop *home,
			   struct tern_work *work, bool mine);

#endif
