/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses without stopping the loop: getaddrinfo(3) as a work item.
 *
 * A name server that does not answer keeps a thread for half a minute, so lookups belong on a lane.
 * See tern_resolve(3).
 */
#ifndef TERN_RESOLVE_H
#define TERN_RESOLVE_H

#include <netdb.h>
#include <tern/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tern_resolve;
typedef void tern_resolve_fn(struct tern_resolve *resolve);

/*
 * One lookup. It is yours, with all it points to; tern's from tern_resolve until done is entered,
 * which may free it or look something else up with it.
 */
struct tern_resolve {
	struct tern_work work; /* for tern_work_set_lane, priority and tern_work_cancel */
	tern_resolve_fn *done; /* [loop] exactly once */
	void *user;
	const char *node, *service;   /* as for getaddrinfo: one may be NULL */
	const struct addrinfo *hints; /* NULL: none */
	struct addrinfo *result;      /* in done: yours, for freeaddrinfo; NULL if error is not 0 */
	int error;		      /* in done: 0 or EAI_..., for gai_strerror */
	int system_error; /* with EAI_SYSTEM: the errno. If nothing was looked up ECANCELED,
			     ETIMEDOUT or ECHILD, as -work.status; the resolver may have
			     ETIMEDOUT of its own */
};

/* [any] Prepares a lookup; all else becomes NULL or 0, for you to set. done is required. */
void tern_resolve_init(struct tern_resolve *resolve, tern_resolve_fn *done);

/*
 * [any] Looks it up on the pool, on the lane that tern_work_set_lane has given resolve->work, and
 * completes on home. Allocates nothing itself. Fatal as tern_pool_submit is.
 */
void tern_resolve(struct tern_pool *pool, struct tern_loop *home, struct tern_resolve *resolve);

#ifdef __cplusplus
}
#endif

#endif
