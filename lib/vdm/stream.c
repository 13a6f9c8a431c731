/* SPDX-License-Identifier: MIT */
/*
 * Moving and filling past the caches. Whole lines of the destination go by non-temporal stores,
 * which take part in no order between threads: so a fence ends each call, and what is published
 * after that is whole. What is left at both ends goes through the caches.
 */
#include <string.h>

#include "vdm.h"

#define LINE 64

#if defined(__x86_64__) || defined(__i386__)
#include <emmintrin.h>
#define STREAMS	       __attribute__((target("sse2")))
#define INLINE_STREAMS __attribute__((target("sse2"), always_inline)) static inline

INLINE_STREAMS void move_line(char *dest, const char *src)
{
	const __m128i *from = (const __m128i *)(const void *)src;
	__m128i *to = (__m128i *)(void *)dest;
	__m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
	__m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);

	_mm_stream_si128(to, a);
	_mm_stream_si128(to + 1, b);
	_mm_stream_si128(to + 2, c);
	_mm_stream_si128(to + 3, d);
}

STREAMS static void fill_lines(char *dest, const char *end, int value)
{
	__m128i all = _mm_set1_epi8((char)value);

	for (; dest < end; dest += 16)
		_mm_stream_si128((__m128i *)(void *)dest, all);
}

STREAMS static void fence(void)
{
	_mm_sfence();
}
#elif defined(__aarch64__)
#define STREAMS
#define INLINE_STREAMS static inline

INLINE_STREAMS void move_line(char *dest, const char *src)
{
	__asm__ __volatile__("ldp q0, q1, [%1]\n\tldp q2, q3, [%1, #32]\n\t"
			     "stnp q0, q1, [%0]\n\tstnp q2, q3, [%0, #32]"
			     :
			     : "r"(dest), "r"(src)
			     : "v0", "v1", "v2", "v3", "memory");
}

static void fill_lines(char *dest, const char *end, int value)
{
	for (; dest < end; dest += 32)
		__asm__ __volatile__("dup v0.16b, %w1\n\tstnp q0, q0, [%0]"
				     :
				     : "r"(dest), "r"(value)
				     : "v0", "memory");
}

/* Their stores are ordered as all others are: whoever publishes does it. */
static void fence(void)
{
}
#else
#define STREAMS
#define INLINE_STREAMS static inline

INLINE_STREAMS void move_line(char *dest, const char *src)
{
	memcpy(dest, src, LINE);
}

static void fill_lines(char *dest, const char *end, int value)
{
	memset(dest, value, (size_t)(end - dest));
}

static void fence(void)
{
}
#endif

/* Several pages at once; n is a multiple of all of them. Not where the two overlap. */
STREAMS static void move_pages(char *dest, const char *src, size_t n)
{
	const size_t page = TERN__VDM_PAGE;

	for (size_t at = 0; at < n; at += TERN__VDM_PAGES * page)
		for (size_t line = at; line < at + page; line += LINE)
			for (size_t i = 0; i < TERN__VDM_PAGES; i++)
				move_line(dest + line + i * page, src + line + i * page);
}

STREAMS static void move_forward(char *dest, const char *src, size_t n)
{
	for (size_t at = 0; at < n; at += LINE)
		move_line(dest + at, src + at);
}

STREAMS static void move_backward(char *dest, const char *src, size_t n)
{
	for (size_t at = n; at > 0; at -= LINE)
		move_line(dest + at - LINE, src + at - LINE);
}

/* How many bytes come before the first whole line. */
static size_t head_of(const void *dest, size_t n)
{
	size_t head = -(uintptr_t)dest & (LINE - 1);

	return head < n ? head : n;
}

void tern__stream_move(void *dest, const void *src, size_t n)
{
	char *to = dest;
	const char *from = src;
	uintptr_t ahead = (uintptr_t)to - (uintptr_t)from; /* wraps where it is behind */
	size_t head = head_of(to, n), lines = (n - head) / LINE * LINE, tail = head + lines;
	size_t pages =
		lines / (TERN__VDM_PAGES * TERN__VDM_PAGE) * (TERN__VDM_PAGES * TERN__VDM_PAGE);

	if (ahead < n) { /* the end first: it lies on what is not moved yet */
		memmove(to + tail, from + tail, n - tail);
		move_backward(to + head, from + head, lines);
		memmove(to, from, head);
		fence();
		return;
	}
	if (-ahead < n)
		pages = 0;
	memmove(to, from, head);
	move_pages(to + head, from + head, pages);
	move_forward(to + head + pages, from + head + pages, lines - pages);
	memmove(to + tail, from + tail, n - tail);
	fence();
}

void tern__stream_fill(void *dest, int value, size_t n)
{
	char *to = dest;
	size_t head = head_of(to, n), tail = head + (n - head) / LINE * LINE;

	memset(to, value, head);
	fill_lines(to + head, to + tail, value);
	memset(to + tail, value, n - tail);
	fence();
}
