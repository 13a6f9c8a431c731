/* SPDX-License-Identifier: MIT */
/*
 * Tells ThreadSanitizer of a hand-over that it cannot see. In a program built with it that uses
 * this library built without it, the sanitizer's runtime sees the mutexes, threads and descriptors
 * of ours, whose calls it intercepts, and not our atomics: all that the caller's data crosses by
 * them would be reported as a race. So who gives something away by an atomic says so before, and
 * who gets it says so after, both with the address of that atomic.
 *
 * Without the sanitizer the two functions do not exist, and each call is a test of a constant
 * that the loader has left 0. Built with the sanitizer we need none: it sees the atomics.
 */
#ifndef TERN__TSAN_H
#define TERN__TSAN_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TERN_NO_TSAN
#endif
#endif
#if defined(__SANITIZE_THREAD__) && !defined(TERN_NO_TSAN)
#define TERN_NO_TSAN
#endif

#ifndef TERN_NO_TSAN
void __tsan_acquire(void *address) __attribute__((weak));
void __tsan_release(void *address) __attribute__((weak));
#endif

/* Before the atomic that gives it away. */
static inline void tern__hand_over(void *atomic)
{
#ifndef TERN_NO_TSAN
	if (__builtin_expect(__tsan_release != NULL, 0))
		__tsan_release(atomic);
#endif
}

/* After the atomic that got it. */
static inline void tern__take_over(void *atomic)
{
#ifndef TERN_NO_TSAN
	if (__builtin_expect(__tsan_acquire != NULL, 0))
		__tsan_acquire(atomic);
#endif
}

#endif
