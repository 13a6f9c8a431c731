/* SPDX-License-Identifier: MIT */
/*
 * Drop-in <libminiasync/runtime.h>: waits for futures on a thread without a loop; and, not of
 * miniasync, runs one on a loop of tern.
 */
#ifndef TERN_COMPAT_MINIASYNC_RUNTIME_H
#define TERN_COMPAT_MINIASYNC_RUNTIME_H

#include <tern/future.h>

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

#define runtime_new	      tern_compat_runtime_new
#define runtime_delete	      tern_compat_runtime_delete
#define runtime_wait	      tern_compat_runtime_wait
#define runtime_wait_multiple tern_compat_runtime_wait_multiple

struct runtime;

/* [any] NULL and errno ENOMEM: there is no memory. */
struct runtime *tern_compat_runtime_new(void);
/* [any] While nobody waits. */
void tern_compat_runtime_delete(struct runtime *runtime);

/*
 * [any] [blocks] Until all are complete: each that is not is polled once a pass, those with
 * FUTURE_PROPERTY_ASYNC first, else in their order; futs stays as it is. Sleeps until one calls its
 * waker, unless a future says that nobody will: then after pauses that double from 1 us to 1 ms.
 */
void tern_compat_runtime_wait_multiple(struct runtime *runtime, struct future *futs[],
				       size_t nfuts);
void tern_compat_runtime_wait(struct runtime *runtime, struct future *fut);

/* ---- on a loop ---- */

/* Private: several futures, polled in passes, as one of tern's. */
struct tern_compat_miniasync_pass {
	struct tern_future future;
	struct future **of;
	size_t count;
	uint32_t passes_max;
	void *bell;
};

/* [loop] The future is complete: its output is there. It and the run are yours again. */
typedef void tern_compat_miniasync_done_fn(struct future *future, void *user);

/* Drives a future on a loop. Yours; the library's until done is entered. */
struct tern_compat_miniasync_run {
	struct tern_future_run run; /* private, like all below */
	struct tern_compat_miniasync_pass pass;
	struct future *future;
	tern_compat_miniasync_done_fn *done;
	void *user;
};

/*
 * [any] As tern_future_run: polls the future on home's thread until it is complete, then enters
 * done once, from the loop, never from inside the call; on that thread the first poll is inside the
 * call. Returns 0; -EINVAL when done is NULL, or the future has been run since it was initialized,
 * and nothing has happened.
 */
int tern_compat_miniasync_run(struct tern_compat_miniasync_run *run, struct tern_loop *home,
			      struct future *future, tern_compat_miniasync_done_fn *done,
			      void *user);

#ifdef __cplusplus
}
#endif

#endif
