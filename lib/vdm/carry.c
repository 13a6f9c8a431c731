/* SPDX-License-Identifier: MIT */
/* A piece of an operation, by the way that suits the CPU, the flags, and how large the whole is. */
#include <string.h>

#include "vdm.h"

static bool streams(const struct tern_vdm_op *op)
{
	return tern__vdm_cpu.streams &&
	       (op->flags & TERN_VDM_NO_CACHE_HINT || op->n >= tern__vdm_cpu.stream_min);
}

/* What was written is to leave the caches; streamed: all but what is at the ends has. */
static void settle(void *dest, size_t n, bool streamed)
{
	size_t line = tern__vdm_cpu.line;

	if (!streamed || n <= 4 * line) {
		tern__flush(dest, n);
		return;
	}
	tern__flush(dest, line);
	tern__flush((char *)dest + n - line, line);
}

static void copy(const struct tern_vdm_op *op, void *dest, const void *src, size_t n, bool streamed)
{
	if (streamed)
		tern__stream_move(dest, src, n);
	else if (op->type == TERN_VDM_MEMMOVE)
		memmove(dest, src, n);
	else
		memcpy(dest, src, n);
}

static void fill(void *dest, int value, size_t n, bool streamed)
{
	if (streamed)
		tern__stream_fill(dest, value, n);
	else
		memset(dest, value, n);
}

static uint32_t copy_and_sum(const struct tern_vdm_op *op, char *dest, const char *src, size_t n,
			     bool streamed)
{
	uint32_t sum = 0;

	for (size_t at = 0; at < n;) {
		size_t part = n - at < TERN__VDM_SUMMED ? n - at : TERN__VDM_SUMMED;

		sum = tern__crc32c(sum, src + at, part);
		copy(op, dest + at, src + at, part, streamed);
		at += part;
	}
	return sum;
}

uint32_t tern__vdm_carry(const struct tern__vdm_fns *fns, const struct tern_vdm_op *op, size_t at,
			 size_t n)
{
	char *dest = (char *)op->dest + at;
	const char *src = (const char *)op->src + at;
	bool streamed = streams(op);
	uint32_t sum = 0;

	switch (op->type) {
	case TERN_VDM_MEMCPY:
		if (fns->memcpy_fn) {
			fns->memcpy_fn(dest, src, n);
			streamed = false;
			break;
		}
		copy(op, dest, src, n, streamed);
		break;
	case TERN_VDM_MEMMOVE:
		if (fns->memmove_fn) {
			fns->memmove_fn(dest, src, n);
			streamed = false;
			break;
		}
		copy(op, dest, src, n, streamed);
		break;
	case TERN_VDM_MEMSET:
		if (fns->memset_fn) {
			fns->memset_fn(dest, op->value, n);
			streamed = false;
			break;
		}
		fill(dest, op->value, n, streamed);
		break;
	case TERN_VDM_FLUSH:
		tern__flush(dest, n);
		return 0;
	case TERN_VDM_CRC32C:
		return tern__crc32c(0, src, n);
	default:
		sum = copy_and_sum(op, dest, src, n, streamed);
		break;
	}
	if (op->flags & TERN_VDM_MEM_DURABLE)
		settle(dest, n, streamed);
	return sum;
}

void tern__vdm_carry_here(const struct tern__vdm_fns *fns, struct tern_vdm_op *op)
{
	uint32_t sum = tern__vdm_carry(fns, op, 0, op->n);

	if (op->type == TERN_VDM_CRC32C || op->type == TERN_VDM_COPY_CRC32C)
		op->crc32c = tern__crc32c_join(op->crc32c, sum, op->n);
	op->future.result = 0;
	op->stage = TERN__VDM_OVER;
}
