/* SPDX-License-Identifier: MIT */
/* Makes the calls fail by which the library asks the system for something, and counts memory. */
#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "wrapped.h"

WRAPPED(void *, malloc, size_t size);
WRAPPED(void *, calloc, size_t n, size_t size);
WRAPPED(int, posix_memalign, void **ret, size_t alignment, size_t size);
WRAPPED(void, free, void *memory);
WRAPPED(int, eventfd, unsigned value, int flags);
WRAPPED(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
	void *arg);
WRAPPED(int, pthread_attr_init, pthread_attr_t *attr);
#ifdef __GLIBC__ /* others do not have it, and the library does without */
WRAPPED(int, pthread_attr_setaffinity_np, pthread_attr_t *attr, size_t size, const cpu_set_t *set);
#endif
WRAPPED(int, pthread_mutex_init, pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);

/* a thread that the last script left behind may still call while the next one arms */
static _Atomic unsigned calls, hits, first_fault = 1, faults;
static _Atomic enum fault_kind armed_kind;
static _Atomic long memory_out;

void fault_arm(enum fault_kind kind, unsigned first, unsigned count)
{
	armed_kind = kind;
	first_fault = first;
	calls = 0;
	hits = 0;
	faults = count;
}

unsigned fault_hits(void)
{
	return hits;
}

unsigned fault_disarm(void)
{
	faults = 0;
	return fault_hits();
}

int fault_errno(enum fault_kind kind)
{
	return kind == FAULT_EVENTFD ? EMFILE : kind == FAULT_THREAD ? EAGAIN : ENOMEM;
}

long fault_memory(void)
{
	return memory_out;
}

static bool fails(enum fault_kind kind)
{
	unsigned count = faults, n;

	if (!count || kind != armed_kind)
		return false;
	n = ++calls;
	if (n < first_fault || n - first_fault >= count)
		return false;
	hits++;
	return true;
}

static void *counted(void *memory)
{
	if (memory)
		memory_out++;
	return memory;
}

void *__wrap_malloc(size_t size)
{
	return fails(FAULT_MALLOC) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails(FAULT_MALLOC) ? NULL : counted(__real_calloc(n, size));
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
	int e = fails(FAULT_MEMALIGN) ? ENOMEM : __real_posix_memalign(ret, alignment, size);

	if (!e)
		counted(*ret);
	return e;
}

void __wrap_free(void *memory)
{
	if (memory)
		memory_out--;
	__real_free(memory);
}

int __wrap_eventfd(unsigned value, int flags)
{
	if (!fails(FAULT_EVENTFD))
		return __real_eventfd(value, flags);
	errno = EMFILE;
	return -1;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	return fails(FAULT_THREAD) ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

int __wrap_pthread_attr_init(pthread_attr_t *attr)
{
	return fails(FAULT_ATTRIBUTE) ? ENOMEM : __real_pthread_attr_init(attr);
}

#ifdef __GLIBC__
int __wrap_pthread_attr_setaffinity_np(pthread_attr_t *attr, size_t size, const cpu_set_t *set)
{
	return fails(FAULT_ATTRIBUTE) ? ENOMEM
				      : __real_pthread_attr_setaffinity_np(attr, size, set);
}
#endif

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
	return fails(FAULT_MUTEX) ? ENOMEM : __real_pthread_mutex_init(mutex, attr);
}
