/* SPDX-License-Identifier: MIT */
/* What the movers of the library share: what the CPU can do, and functions that move memory. */
#ifndef TERN__VDM_H
#define TERN__VDM_H

#include <tern/vdm.h>

#include "policy.h"

/* How an operation stands: its stage. Its poller's own. */
enum tern__vdm_stage {
	TERN__VDM_MADE,	   /* op_start has not been called */
	TERN__VDM_TRIED,   /* it was, and said -EAGAIN */
	TERN__VDM_STARTED, /* the mover calls tern_future_complete; its table is not looked at */
	TERN__VDM_CHECKED, /* started as well, by a mover with op_check */
	/* what op_start of the library's own movers may make of it, besides */
	TERN__VDM_LINED, /* as STARTED; but nothing has begun when it was polled */
	TERN__VDM_OVER,	 /* all was done inside op_start, and future.result is set */
};

/* Past the caches, as the CPU has it. */
enum tern__flush_kind {
	TERN__FLUSH_NOT,
	TERN__FLUSH_CLFLUSH,
	TERN__FLUSH_CLFLUSHOPT,
	TERN__FLUSH_CLWB,
	TERN__FLUSH_CVAC, /* ARM: to where all observers see it, which may be a cache still */
};

struct tern__vdm_cpu {
	bool streams;	     /* has non-temporal stores */
	bool sums;	     /* has an instruction for crc32c */
	uint8_t flush;	     /* enum tern__flush_kind */
	uint32_t line;	     /* bytes that are flushed at once */
	uint64_t stream_min; /* operations of so many bytes and more go past the caches */
};

/* Set by tern__vdm_cpu_read, constant afterwards. */
extern struct tern__vdm_cpu tern__vdm_cpu __attribute__((visibility("hidden")));

/* [any] Before anything else here: looks at the machine, the first time. */
void tern__vdm_cpu_read(void);
/* [any] What the movers of the library can do here. */
uint32_t tern__vdm_operations(void);
uint64_t tern__vdm_capabilities(void);

/* cache.c: bytes above which a move should go past the caches of this machine. Reads files. */
uint64_t tern__vdm_stream_min(void);

/*
 * stream.c: as memmove and memset, past the caches; fenced. What is not a whole line at either end
 * is written through them. Only with cpu.streams.
 */
void tern__stream_move(void *dest, const void *src, size_t n);
void tern__stream_fill(void *dest, int value, size_t n);

/* flush.c: writes back what the caches hold of it, and waits for that. Only with cpu.flush. */
void tern__flush(const void *start, size_t n);

/* crc32c.c */
void tern__crc32c_prepare(void); /* makes its tables; once */
/* The sum of what came before and n bytes more; before: 0, nothing came. */
uint32_t tern__crc32c(uint32_t before, const void *src, size_t n);
/* The sum of two pieces, of the sum of each, and of how many bytes the second has. */
uint32_t tern__crc32c_join(uint32_t first, uint32_t second, uint64_t n);

/* Functions in place of the library's own; each may be NULL. */
struct tern__vdm_fns {
	void *(*memcpy_fn)(void *dest, const void *src, size_t n);
	void *(*memmove_fn)(void *dest, const void *src, size_t n);
	void *(*memset_fn)(void *dest, int value, size_t n);
};

/*
 * carry.c: [any] Carries out n bytes of an operation from byte `at` on; what was written is there
 * for whoever hears of it. Returns the sum of these bytes alone, where it is asked for.
 */
uint32_t tern__vdm_carry(const struct tern__vdm_fns *fns, const struct tern_vdm_op *op, size_t at,
			 size_t n);

/* [poller] Carries all of it out, inside op_start. */
void tern__vdm_carry_here(const struct tern__vdm_fns *fns, struct tern_vdm_op *op);

/* Whether the operation moves memory onto itself such that its end is to be moved first. */
static inline bool tern__vdm_is_backward(const struct tern_vdm_op *op)
{
	return op->type == TERN_VDM_MEMMOVE && (uintptr_t)op->dest > (uintptr_t)op->src &&
	       (uintptr_t)op->dest - (uintptr_t)op->src < op->n;
}

#endif
