/* SPDX-License-Identifier: MIT */
/*
 * The only place that spells memory orders. Operations on plain fields that threads share: the
 * public structs hold such fields too, so they are no _Atomic types.
 *
 * Where two threads must not both overlook each other (one stores A and loads B, the other stores B
 * and loads A), each of the four accesses is a _seq one; the comments at them name the pair.
 */
#ifndef TERN__ATOMIC_H
#define TERN__ATOMIC_H

#define tern__load(p)	      __atomic_load_n((p), __ATOMIC_RELAXED)
#define tern__load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define tern__load_seq(p)     __atomic_load_n((p), __ATOMIC_SEQ_CST)

#define tern__store(p, v)	  __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define tern__store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define tern__store_seq(p, v)	  __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)

/* Read-modify-writes return the value before. */
#define tern__xchg_seq(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define tern__add(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define tern__add_seq(p, v)	__atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define tern__sub_acq_rel(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define tern__sub_seq(p, v)	__atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define tern__and_seq(p, v)	__atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)

/*
 * Compare-and-swap; on failure *expected becomes what is there. The weak one may fail for nothing.
 */
#define tern__cas_seq(p, expected, v)                                                              \
	__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
#define tern__cas_weak_seq(p, expected, v)                                                         \
	__atomic_compare_exchange_n((p), (expected), (v), true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

/* A field that one thread owns and others may read: no order, no tearing, no locked instruction. */
#define tern__bump(p, v) tern__store((p), tern__load(p) + (v))

/*
 * What threads of different roles write must not share a cache line; neighbours are fetched in
 * pairs, hence 128.
 */
#define TERN__LINE __attribute__((aligned(128)))

/* One short breath while looking: tells the core that this is a spin. */
static inline void tern__pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#else
	__asm__ __volatile__("" ::: "memory");
#endif
}

#endif
