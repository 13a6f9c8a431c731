/* SPDX-License-Identifier: MIT */
/*
 * What a pool does, as futures: work items and lookups of names. They can be polled anywhere. Where
 * the first poll is on a loop's thread, by tern_future_run, the item has that loop for its home,
 * and goes with the others that the loop submits in that turn; else it has none.
 *
 * See tern_future(3).
 */
#ifndef TERN_FUTURE_POOL_H
#define TERN_FUTURE_POOL_H

#include <tern/future.h>
#include <tern/pool.h>
#include <tern/resolve.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tern_work_future;

/* [worker] Carries it out and returns its result: 0 or more, or a negative errno. */
typedef int64_t tern_work_future_fn(struct tern_work_future *future);

/*
 * A work item. It is submitted at the first poll. A cancel takes it back where no worker has
 * started it; run can ask tern_future_canceled whether one has come later.
 */
struct tern_work_future {
	struct tern_future future; /* result: run's; or, where it was never entered, -ECANCELED,
				      -ETIMEDOUT or -ECHILD, as the status of a work item */
	struct tern_work work;	   /* for tern_work_set_lane and priority; its user is yours */
	struct tern_pool *pool;
	tern_work_future_fn *run;
	int64_t came; /* private */
};

/* [any] Prepares it. The pool must have a reference until it has been polled. */
void tern_work_future_init(struct tern_work_future *future, struct tern_pool *pool,
			   tern_work_future_fn *run);

/*
 * A lookup, as getaddrinfo(3) does it: see tern_resolve. Its future is work.future, whose result is
 * 0; or, besides what it is for work, -EAGAIN, -ENOMEM or the errno where the error is EAI_AGAIN,
 * EAI_MEMORY or EAI_SYSTEM; and -ENOENT for all others.
 */
struct tern_resolve_future {
	struct tern_work_future work;
	const char *node, *service;   /* one may be NULL; they must live until it is complete */
	const struct addrinfo *hints; /* so must this; NULL: none */
	struct addrinfo *result;      /* yours, for freeaddrinfo; NULL unless the result is 0 */
	int error;		      /* EAI_..., for gai_strerror; 0: see the result */
};

/* [any] Prepares a lookup; all else becomes NULL or 0, for you to set. */
void tern_resolve_future_init(struct tern_resolve_future *future, struct tern_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
