/* SPDX-License-Identifier: MIT */
/*
 * Drop-in <iv_work.h>: a program that is written for the work pools of ivykis runs its work on
 * tern, on the event loop of ivykis as before. The compiler finds this file before ivykis' own with
 * the flags of pkg-config tern-compat. The old names are macros over tern_compat_*, so that what
 * else in the process uses ivykis' own pools is not disturbed.
 *
 * [owner]: a thread that has called iv_init(). See tern_compat(7).
 */
#ifndef TERN_COMPAT_IV_WORK_H
#define TERN_COMPAT_IV_WORK_H

#include <iv.h>
#include <iv_list.h>
#include <tern/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IV_WORK_POOL_INIT		 tern_compat_iv_work_pool_init
#define IV_WORK_ITEM_INIT		 tern_compat_iv_work_item_init
#define iv_work_pool_create		 tern_compat_iv_work_pool_create
#define iv_work_pool_put		 tern_compat_iv_work_pool_put
#define iv_work_pool_submit_work	 tern_compat_iv_work_pool_submit_work
#define iv_work_pool_submit_continuation tern_compat_iv_work_pool_submit_continuation

/* Read by create; after put it may be freed or used again at once. */
struct iv_work_pool {
	int max_threads;
	void *cookie;
	void (*thread_start)(void *cookie); /* [worker] before the thread's first item; or NULL */
	void (*thread_stop)(void *cookie);  /* [worker] as it leaves; or NULL */
	void *priv;			    /* private */
};

/*
 * Yours; the library's from submit until completion is entered, which may free it or submit it
 * again. With completion NULL it is yours when work is entered.
 */
struct iv_work_item {
	void *cookie;
	void (*work)(void *cookie);	  /* [worker] */
	void (*completion)(void *cookie); /* [owner] or NULL */
	struct iv_list_head list;	  /* private, like all below */
	struct tern_work tern;
};

/* [any] Sets the two hooks to NULL, and nothing else. */
void tern_compat_iv_work_pool_init(struct iv_work_pool *pool);

/* [any] Does nothing: an item needs no preparation. */
void tern_compat_iv_work_item_init(struct iv_work_item *item);

/*
 * [owner] Makes a pool whose completions run on this thread, from iv_main(). Returns 0, or -1 and
 * errno: EINVAL, max_threads is less than 1; ENOTSUP, on a thread of a pool; ENOMEM, EAGAIN,
 * EMFILE, ENFILE. From here on iv_main() does not return until the pool has been put and its
 * threads are gone.
 */
int tern_compat_iv_work_pool_create(struct iv_work_pool *pool);

/*
 * [any] The pool takes no more, except continuations of its own running items; what was accepted
 * completes. Returns at once. Once for each pool.
 */
void tern_compat_iv_work_pool_put(struct iv_work_pool *pool);

/*
 * [any] Has work run on a thread of the pool, then completion on the pool's owner. pool NULL:
 * [owner] both run on this thread, from iv_main(), in order of submission, what is added meanwhile
 * in the next round; [worker] on this thread, when the function that submits it has returned.
 */
void tern_compat_iv_work_pool_submit_work(struct iv_work_pool *pool, struct iv_work_item *item);

/* [any] The same; meant for a running item, for which it is legal after the pool was put too. */
void tern_compat_iv_work_pool_submit_continuation(struct iv_work_pool *pool,
						  struct iv_work_item *item);

#ifdef __cplusplus
}
#endif

#endif
