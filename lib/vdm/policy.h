/* SPDX-License-Identifier: MIT */
/*
 * Every number by which memory is moved, and why. Ratios hold on all machines that were measured,
 * absolutes differ: so what can be read from the machine is read (cpu.c).
 */
#ifndef TERN__VDM_POLICY_H
#define TERN__VDM_POLICY_H

#define TERN__KIB 1024u
#define TERN__MIB (1024u * TERN__KIB)

/*
 * To hand an operation to a worker and back costs a loop as long as it takes to move some 10 to 100
 * KiB itself, and the worker then moves them into another core's cache.
 */
#define TERN__VDM_INLINE_MAX (64 * TERN__KIB)

/*
 * What a loop moves itself in one turn at most; the rest goes to workers, however small. From cold
 * memory it takes some 50 us, so other completions never wait for long.
 */
#define TERN__VDM_TURN_MAX (256 * TERN__KIB)

/* One more thread for each so much: with less to do than that it comes when all is over. */
#define TERN__VDM_SHARE (1 * TERN__MIB)

/*
 * What a thread takes at a time: some 10 to 50 us, after which it asks whether somebody has
 * cancelled. Many of them, so that one thread that is held up does not hold up the rest.
 */
#define TERN__VDM_SLICE (256 * TERN__KIB)

/*
 * Non-temporal stores pay when source and destination together do not fit the caches: in a core's
 * own cache copies are twice as fast without them, from memory they are faster by a third, as what
 * is overwritten is not read first. How much of the cache that all share one can count on is not to
 * be found out: virtual machines with 2 CPUs report the 480 MiB of the whole chip. So no more of it
 * is counted than CPUs of servers have, each; in between both ways are about as fast.
 */
#define TERN__VDM_SHARED_CACHE_MAX (4 * TERN__MIB) /* for each CPU */
#define TERN__VDM_CACHE_UNKNOWN	   (4 * TERN__MIB) /* where the system says nothing */

/*
 * A copy past the caches goes by so many pages at once, a line of each in turn: memory then has
 * several of its rows open, and the CPU fetches ahead in several streams.
 */
#define TERN__VDM_PAGES 4
#define TERN__VDM_PAGE	4096

/*
 * Copy and sum go by pieces that the first-level cache holds, so that the source comes from memory
 * once.
 */
#define TERN__VDM_SUMMED (12 * TERN__KIB)

/* More threads than that for one operation no memory keeps busy. */
#define TERN__VDM_THREADS_MAX 64

#endif
