/* SPDX-License-Identifier: MIT */
/*
 * What a pool is doing right now, as text for people.
 *
 * See tern_pool_dump(3), and the option run_ms_warn in tern_pool(3), which reports items that do
 * not end.
 */
#ifndef TERN_DEBUG_H
#define TERN_DEBUG_H

#include <tern/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * [any, not a signal handler] Writes to the descriptor what each thread of the pool is running and
 * for how long, what waits, and the pool's lanes. Takes the pool's lock only to copy; allocates;
 * blocks as write(2) to fd does, and while another thread is in dlopen(3). Returns 0; -EBADF when
 * fd is not open, or not for writing; -ENOMEM; -ECHILD as tern_pool_stats; any other error of
 * write(2), -EAGAIN for one. Before the first write has succeeded an error leaves nothing behind,
 * later ones a part of the text.
 */
int tern_pool_dump(struct tern_pool *pool, int fd);

#ifdef __cplusplus
}
#endif

#endif
