/* SPDX-License-Identifier: MIT */
/*
 * Writing back what the caches hold. Which instruction is there is asked at run time (cpu.c); of
 * those of x86 clwb leaves the line in the cache, the others throw it out, and all but clflush may
 * go in any order: so a fence ends each flush.
 */
#include "vdm.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>

__attribute__((target("clwb"))) static void clwb(char *at, const char *end, size_t line)
{
	for (; at < end; at += line)
		_mm_clwb(at);
}

__attribute__((target("clflushopt"))) static void clflushopt(char *at, const char *end, size_t line)
{
	for (; at < end; at += line)
		_mm_clflushopt(at);
}

__attribute__((target("sse2"))) static void clflush(char *at, const char *end, size_t line)
{
	for (; at < end; at += line)
		_mm_clflush(at);
}

__attribute__((target("sse2"))) static void flush_lines(char *at, const char *end, size_t line)
{
	if (tern__vdm_cpu.flush == TERN__FLUSH_CLWB)
		clwb(at, end, line);
	else if (tern__vdm_cpu.flush == TERN__FLUSH_CLFLUSHOPT)
		clflushopt(at, end, line);
	else
		clflush(at, end, line);
	_mm_sfence();
}
#elif defined(__aarch64__)
static void flush_lines(char *at, const char *end, size_t line)
{
	for (; at < end; at += line)
		__asm__ __volatile__("dc cvac, %0" : : "r"(at) : "memory");
	__asm__ __volatile__("dsb ish" : : : "memory");
}
#else
static void flush_lines(char *at, const char *end, size_t line)
{
}
#endif

void tern__flush(const void *start, size_t n)
{
	size_t line = tern__vdm_cpu.line, before = (uintptr_t)start & (line - 1);

	flush_lines((char *)start - before, (const char *)start + n, line);
}
