/* SPDX-License-Identifier: MIT */
/*
 * A pool of worker threads that grows when work waits and shrinks when threads idle, for any number
 * of loops. A work item is carried out by one worker and its completion runs on its home loop.
 *
 * See tern_pool(3), tern_work(3) and, for who may do what where, tern_threads(7).
 */
#ifndef TERN_POOL_H
#define TERN_POOL_H

#include <tern/base.h>
#include <tern/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tern_work;
typedef void tern_work_fn(struct tern_work *work);

/* Which of the waiting items start first. Of 16 that start, one is TERN_LOW and three are
 * TERN_NORMAL where such wait, so that none waits for ever. */
enum tern_priority {
	TERN_NORMAL,
	TERN_HIGH,
	TERN_LOW,
};

/*
 * One piece of work: at most 80 bytes, embedded wherever you like. It is yours; tern's from submit
 * until done is entered, which may free it or submit it again.
 */
struct tern_work {
	tern_work_fn *run;  /* [worker] may block */
	tern_work_fn *done; /* [loop] exactly once; NULL: see tern_pool_submit */
	void *user;
	int status;	  /* in done: 0; if run was never entered -ECANCELED, -ETIMEDOUT or
			     -ECHILD: the pool is the parent's, see tern_fork(7) */
	uint8_t priority; /* enum tern_priority, as submit finds it */
	uint8_t state;	  /* private, like all below */
	uint8_t where;
	uint8_t canceled;
	struct tern_node node;
	void *owner;
	uint64_t since_ns;
};

/*
 * An item has been running for ms milliseconds. user is the pool's; run and item_user are the
 * item's as they were before it ran: the item, and what item_user points to, may be gone.
 */
typedef void tern_stuck_fn(void *user, tern_work_fn *run, void *item_user, uint32_t ms);

struct tern_pool_opts {
	size_t size;	      /* sizeof(struct tern_pool_opts) */
	uint32_t threads_min; /* kept however idle; 0: 1; TERN_NONE: none are kept */
	uint32_t threads_max; /* 0: max(4, threads_min, CPUs this process may use) */
	uint32_t idle_ms_max; /* a thread idle for longer leaves; 0: 10000; TERN_NONE: at once;
				 TERN_FOREVER */
	uint32_t spin_us_max; /* how long an idle worker looks before it sleeps, if that pays;
				 0: as long as two wakes take, measured; TERN_NONE; at most
				 1000 */
	uint32_t wait_ms_max; /* an item with done that waited for longer is not run, and completes
				 with -ETIMEDOUT; 0: TERN_FOREVER */
	uint32_t queue_max;   /* how many items may wait before tern_pool_try_submit refuses; 0:
				 TERN_FOREVER; TERN_NONE */
	const char *name;     /* copied; threads are "name/3"; NULL: "tern" */
	size_t stack_size;    /* bytes; 0: 256 KiB */
	const void *affinity; /* a cpu_set_t, copied; NULL: none */
	size_t affinity_size; /* its size in bytes */
	/*
	 * [worker] On each new thread before its first item, and on each leaving one. No lock is
	 * held; not serialised.
	 */
	void (*thread_start)(void *user);
	void (*thread_stop)(void *user);
	/*
	 * [any] After the last thread_stop: the pool uses user no more. On the watchdog, if there
	 * is one; else on the last of the pool's threads or, where none is left, inside the call
	 * that brings the pool to its end: a put or destroy of the pool, a put of a lane, a cancel,
	 * or what tried in vain to start a thread. Comes before tern_pool_destroy returns; after a
	 * put it is the only sign.
	 */
	void (*gone)(void *user);
	void *user;
	uint32_t blocking_max; /* threads beyond threads_max for those inside tern_blocking_begin;
				  0: 64; TERN_NONE; TERN_FOREVER */
	/*
	 * stuck [the pool's own thread name/watch] is told once of each item whose run takes longer
	 * than so many milliseconds. No lock is held; no two at a time. NULL: a line to stderr.
	 */
	uint32_t run_ms_warn; /* 0 and TERN_NONE: no such thread, nothing is told */
	tern_stuck_fn *stuck;
};

/*
 * [any] Makes a pool with threads_min threads running (with TERN_NONE: one). opts may be NULL.
 * Returns 0 and the pool in *ret; -EINVAL for threads_min > threads_max, a number of threads, spin,
 * wait, warning or stack size out of range, an affinity without its size or that no CPU matches, or
 * a size below that of size itself; -E2BIG for options from a newer library; -ENOMEM or -EAGAIN
 * when memory or threads are not to be had. On failure *ret is untouched and nothing stays behind.
 */
int tern_pool_create(struct tern_pool **ret, const struct tern_pool_opts *opts);

/* [any] Takes one more reference, for another tern_pool_put. Returns the pool. */
struct tern_pool *tern_pool_get(struct tern_pool *pool);

/*
 * [any] Gives a reference back and returns at once. After the last one nothing new is accepted,
 * except from the pool's own running items; what was accepted completes, then the threads leave and
 * the memory goes. Legal from run, done and the hooks.
 */
void tern_pool_put(struct tern_pool *pool);

/*
 * [any, not a thread of this pool] [blocks] Gives the last reference back and waits until what was
 * accepted has run and every thread has been joined: afterwards no thread runs code of the library
 * or yours for this pool. Completions still come home to their loops. Fatal while others hold
 * references.
 */
void tern_pool_destroy(struct tern_pool *pool);

/*
 * [any, in the child of a fork] Gives a pool that the parent had made, and that was idle, threads
 * of its own here, as tern_pool_create does; the caller holds a reference. Returns 0, also if the
 * pool is this process' own; -EBUSY when items of the parent waited or ran when it forked; -ENOMEM
 * or -EAGAIN when memory or threads are not to be had: it may be tried again. Until it has returned
 * 0 the child can use the pool for nothing: create, stats and try_submit return -ECHILD, items
 * complete with -ECHILD, and put and destroy only free memory. See tern_fork(7).
 */
int tern_pool_after_fork(struct tern_pool *pool);

/* [any] Prepares an item: not submitted, user NULL. run is required. */
void tern_work_init(struct tern_work *work, tern_work_fn *run, tern_work_fn *done);

/*
 * [any] Hands an item to the pool; never refuses, allocates nothing, never runs run or done from
 * inside the call. work->run is entered once on a worker, then work->done once on home's thread.
 *
 * done NULL: home may be NULL and is not used; the item is yours again when run is entered.
 * pool NULL: run is entered on home's thread too, from its loop, then done, in order of submission;
 * what is submitted meanwhile waits for the next round.
 *
 * Items of one pool and priority, and of one lane or none, start in order of submission by one
 * thread, and finish in no promised order. Fatal: an item that is already submitted or was not
 * initialised, a priority that is none, done without home, pool NULL without home, a pool after its
 * last put.
 */
void tern_pool_submit(struct tern_pool *pool, struct tern_loop *home, struct tern_work *work);

/* [any] The same for n items in order, at less cost; work[] itself may go when it returns. */
void tern_pool_submit_many(struct tern_pool *pool, struct tern_loop *home,
			   struct tern_work *const work[], size_t n);

/*
 * [any] The same as tern_pool_submit, unless queue_max items or more were submitted to the pool, by
 * whichever call, and neither started nor cancelled. Returns 0; -EAGAIN when there are so many,
 * -EINVAL for a priority that is none or a lane of another pool, -ECHILD in a child for a pool of
 * its parent's: then nothing has happened and the item is still yours.
 */
int tern_pool_try_submit(struct tern_pool *pool, struct tern_loop *home, struct tern_work *work);

/*
 * [any] Has post->fn run once on home's thread, from the loop, when fewer than queue_max items wait
 * or the pool is put for the last time; at once when that is so already. Others may be faster: who
 * is refused again asks again. The post is tern's until fn is entered, and keeps home alive as an
 * item does. Fatal if it is already on its way.
 */
void tern_pool_notify_room(struct tern_pool *pool, struct tern_loop *home, struct tern_post *post);

struct tern_lane_opts {
	size_t size;	      /* sizeof(struct tern_lane_opts) */
	uint32_t running_max; /* how many of its items may run, or be next to run, at once; 0: 1 */
	uint32_t wait_ms_max; /* as in tern_pool_opts, in place of the pool's; 0: the pool's;
				 TERN_FOREVER */
	const char *name;     /* for tern_pool_dump; copied, its first 31 bytes; NULL: none */
};

/*
 * [any] Makes a lane: a kind of work on the pool that never takes more than running_max threads at
 * once, however much of it waits. It holds a reference to the pool. opts may be NULL. Returns 0 and
 * the lane in *ret; -EINVAL or -E2BIG for options, -ENOMEM, -ECHILD in a child for a pool of its
 * parent's; then *ret is untouched.
 */
int tern_lane_create(struct tern_lane **ret, struct tern_pool *pool,
		     const struct tern_lane_opts *opts);

/*
 * [any] Gives the lane back, and returns at once: nothing may be submitted to it any more. It goes,
 * with its reference to the pool, when the last of its items has run.
 */
void tern_lane_put(struct tern_lane *lane);

/*
 * [any that owns the item] Has all later submits of the item go by that lane, which must be one of
 * the pool they name: else they are fatal, and tern_pool_try_submit returns -EINVAL. NULL: by none.
 */
void tern_work_set_lane(struct tern_work *work, struct tern_lane *lane);

/*
 * [any, after submit has returned, while done has not been entered; for an item without done, while
 * run has not] Takes an item back that no worker has started. True, for the one call that did it:
 * run will not be entered, and done comes with -ECANCELED at once, even when every worker is busy;
 * an item without done is yours on return. False: too late, all goes its normal way; always so for
 * an item without done that was submitted to no pool. A running item can then hear of it by
 * tern_work_canceled().
 */
bool tern_work_cancel(struct tern_work *work);

/*
 * [worker] Whether somebody has called tern_work_cancel for the item that this thread is running,
 * which must have a done: for long items that can stop half way. False on other threads.
 */
bool tern_work_canceled(void);

/*
 * [worker] Around a call in which the thread stands still (a lock, a slow disk, a child process):
 * meanwhile another thread may run in its place beyond threads_max, while fewer than blocking_max
 * places are lent. Sections nest; run must end what it begins, else that is fatal. The end never
 * waits: if it leaves a thread too many in service, one sleeps after its item. On other threads, in
 * the hooks, and when no place can be lent, both do nothing.
 */
void tern_blocking_begin(void);
void tern_blocking_end(void);

/* [any, while submitted; in done] The loop the item comes home to; NULL: none. */
struct tern_loop *tern_work_home(const struct tern_work *work);

#ifdef __cplusplus
}
#endif

#endif
