/* SPDX-License-Identifier: MIT */
/* What the parts of the drop-in share: an ivykis thread's tern loop, and its items of no pool. */
#ifndef TERN__COMPAT_IVYKIS_H
#define TERN__COMPAT_IVYKIS_H

#include <stdbool.h>
#include <tern/loop.h>

#include "iv_work.h"

/* home.c: the tern loop of an ivykis thread */

/*
 * [owner] The calling thread's loop, made for the first who asks. It keeps iv_main() from returning
 * until given back as often. Returns 0 or a negative errno, as tern_loop_create().
 */
int tern__iv_home_get(struct tern_loop **ret);
/* [that thread] From a completion or a post too. */
void tern__iv_home_put(void);
/* [any] Something was submitted for this loop: what is to go along is handed over with it. */
void tern__iv_home_submitted(const struct tern_loop *loop);

/* local.c: items that were submitted to no pool */

/* [owner, worker] */
void tern__iv_local_submit(struct iv_work_item *item);
/* [worker] From now on this thread's items run from tern__iv_local_run(): nobody runs its loop. */
void tern__iv_local_set_worker(void);
bool tern__iv_local_is_worker(void);
/* [worker] Runs them, until none is left. */
void tern__iv_local_run(void);

#endif
