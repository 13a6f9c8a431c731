/* SPDX-License-Identifier: MIT */
/*
 * What every part of tern shares: version, conventions of options, the fatal hook, and the private
 * node by which an item finds its way home.
 *
 * Errors are negative errno values. Each declaration's comment starts with who may call it:
 *   [any]     any thread
 *   [loop]    the loop's thread; checked at run time
 *   [worker]  a thread of a pool
 *   [blocks]  may wait for other threads; not for a loop that must stay responsive
 */
#ifndef TERN_BASE_H
#define TERN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_VERSION_MAJOR 0
#define TERN_VERSION_MINOR 1
#define TERN_VERSION_PATCH 0

/*
 * Options: a zeroed field means its default. TERN_NONE means really zero ("none"), TERN_FOREVER
 * no limit. Where a field does not take one of them, its comment does not name it and create()
 * returns -EINVAL. Every options struct starts with its own size; a longer struct than the library
 * knows is accepted while its tail is zero, else create() returns -E2BIG.
 */
#define TERN_NONE    UINT32_C(0xfffffffe)
#define TERN_FOREVER UINT32_C(0xffffffff)

/* The struct of the given type whose member ptr points to. */
#define tern_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct tern_loop;
struct tern_pool;
struct tern_lane;

/* Private: how an item comes home. Part of public structs only so that they need no allocation. */
struct tern_node {
	struct tern_node *next, *prev;
	struct tern_loop *home;
	void (*deliver)(struct tern_node *node);
};

/* [any] "major.minor.patch" of the library that is running; a constant string. */
const char *tern_version(void);

/*
 * Called once, with one line that names the call and the item, when a programming error is found:
 * wrong thread, double submit, submit after put, a loop destroyed with work out. It should not
 * return; when it does, the library aborts. The message lives only during the call.
 */
typedef void tern_fatal_fn(const char *message);

/*
 * [any] Sets the fatal hook for the process and returns the one before; NULL stands for the
 * library's own, which writes the line to stderr.
 */
tern_fatal_fn *tern_set_fatal(tern_fatal_fn *fn);

#ifdef __cplusplus
}
#endif

#endif
