/* SPDX-License-Identifier: MIT */
/*
 * The binding to libev: the only public header that includes <ev.h>, in a library of its own
 * (libtern-ev, pkg-config tern-ev). It is built on <tern/loop.h> alone, so that a program which
 * embeds libev with changed watchers can compile it with its own.
 */
#ifndef TERN_EV_H
#define TERN_EV_H

#include <ev.h>
#include <tern/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * [any] Makes a tern loop that lives on a libev loop: ev_run() then runs completions, posts and
 * timers, and goes on while something is outstanding. Errors as tern_loop_create(). The libev loop
 * must not be running in another thread meanwhile, and must outlive the tern loop. Spinning and
 * leftovers can end an ev_run(EVRUN_ONCE) early.
 */
int tern_loop_create_ev(struct tern_loop **ret, struct ev_loop *ev,
			const struct tern_loop_opts *opts);

#ifdef __cplusplus
}
#endif

#endif
