/* SPDX-License-Identifier: MIT */
/*
 * How a process knows that it is the child of a fork: a generation, raised there before fork
 * returns. What has threads or a descriptor keeps the generation in which it was made or adopted,
 * and looks before it takes any lock: in the child that may be held for ever, by a thread that is
 * not there.
 *
 * vfork and posix_spawn raise nothing: their child calls nothing of ours.
 */
#ifndef TERN__FORK_H
#define TERN__FORK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"

/* Changed only while the process has one thread. */
extern uint32_t tern__generation __attribute__((visibility("hidden")));

/* [any] The generation of what is made or adopted now. */
static inline uint32_t tern__fork_generation(void)
{
	return tern__load(&tern__generation);
}

/* [any] Whether this process has been forked since that generation: what it made is the parent's.
 */
static inline bool tern__forked(uint32_t generation)
{
	return tern__load(&tern__generation) != generation;
}

/*
 * [any] Of something of that generation which belonged to a thread: whether that very thread made
 * all the forks since, and so was in no function of ours but those from which it called fork.
 */
bool tern__fork_was_by(pthread_t thread, uint32_t generation);

/* For a constructor: has fn entered in each child, on its only thread, before fork returns. */
void tern__fork_register(void (*fn)(void));

/* [any] 0, or a negative errno: the system cannot tell us of forks. For what makes things. */
int tern__fork_error(void);

#endif
