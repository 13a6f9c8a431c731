/* SPDX-License-Identifier: MIT */
/* Makes the calls fail by which the library asks the system for something, and counts memory. */
#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>

/* The linker sends calls of f to __wrap_f, and __real_f is f. */
#define WRAPPED(type, f, ...)                                                                      \
	type __real_##f(__VA_ARGS__);                                                              \
	type __wrap_##f(__VA_ARGS__)

WRAPPED(void *, malloc, size_t size);
WRAPPED(void *, calloc, size_t n, size_t size);
WRAPPED(int, posix_memalign, void **ret, size_t alignment, size_t size);
WRAPPED(void, free, void *memory);
WRAPPED(int, eventfd, unsigned value, int flags);
WRAPPED(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
	void *arg);
WRAPPED(int, pthread_attr_init, pthread_attr_t *attr);
WRAPPED(int, pthread_attr_setaffinity_np, pthread_attr_t *attr, size_t size, const cpu_set_t *set);
WRAPPED(int, pthread_mutex_init, pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);

static unsigned calls, hits, first_fault = 1, faults;
static enum fault_kind armed_kind;
static long memory_out;

void fault_arm(enum fault_kind kind, unsigned first, unsigned count)
{
	armed_kind = kind;
	first_fault = first;
	__atomic_store_n(&calls, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&hits, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&faults, count, __ATOMIC_SEQ_CST);
}

unsigned fault_hits(void)
{
	return __atomic_load_n(&hits, __ATOMIC_SEQ_CST);
}

unsigned fault_disarm(void)
{
	__atomic_store_n(&faults, 0, __ATOMIC_SEQ_CST);
	return fault_hits();
}

int fault_errno(enum fault_kind kind)
{
	return kind == FAULT_EVENTFD ? EMFILE : kind == FAULT_THREAD ? EAGAIN : ENOMEM;
}

long fault_memory(void)
{
	return __atomic_load_n(&memory_out, __ATOMIC_SEQ_CST);
}

static bool fails(enum fault_kind kind)
{
	unsigned count = __atomic_load_n(&faults, __ATOMIC_SEQ_CST), n;

	if (!count || kind != armed_kind)
		return false;
	n = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
	if (n < first_fault || n - first_fault >= count)
		return false;
	__atomic_add_fetch(&hits, 1, __ATOMIC_SEQ_CST);
	return true;
}

static void *counted(void *memory)
{
	if (memory)
		__atomic_add_fetch(&memory_out, 1, __ATOMIC_SEQ_CST);
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
		__atomic_sub_fetch(&memory_out, 1, __ATOMIC_SEQ_CST);
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

int __wrap_pthread_attr_setaffinity_np(pthread_attr_t *attr, size_t size, const cpu_set_t *set)
{
	return fails(FAULT_ATTRIBUTE) ? ENOMEM
				      : __real_pthread_attr_setaffinity_np(attr, size, set);
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
	return fails(FAULT_MUTEX) ? ENOMEM : __real_pthread_mutex_init(mutex, attr);
}
