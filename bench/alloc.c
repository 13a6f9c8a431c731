/* SPDX-License-Identifier: MIT */
/*
 * Counts heap allocations: a program's own malloc is called by every library of the process, and
 * the C library keeps the real one under a second name.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t align, size_t size);

/* Counted per thread first would be cheaper, but a run under measure should hardly come here. */
static unsigned long count;

unsigned long allocations(void)
{
	return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

static void note(void)
{
	__atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
	note();
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	note();
	return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	note();
	return __libc_realloc(old, size);
}

void *memalign(size_t align, size_t size);
void *memalign(size_t align, size_t size)
{
	note();
	return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
	void *memory = memalign(align, size);

	if (!memory)
		return ENOMEM;
	*ret = memory;
	return 0;
}
