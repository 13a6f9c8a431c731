/* SPDX-License-Identifier: MIT */
/* What this CPU has for moving memory. */
#include <pthread.h>

#include "vdm.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

struct tern__vdm_cpu tern__vdm_cpu;

#if defined(__x86_64__) || defined(__i386__)
#define SSE2	   (1u << 26) /* leaf 1, edx */
#define CLFLUSH	   (1u << 19)
#define SSE42	   (1u << 20) /* leaf 1, ecx */
#define CLFLUSHOPT (1u << 23) /* leaf 7, ebx */
#define CLWB	   (1u << 24)

static void read_cpu(struct tern__vdm_cpu *cpu)
{
	unsigned int eax, ebx, ecx, edx, line;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
		return;
	line = (ebx >> 8 & 0xff) * 8;
	cpu->streams = edx & SSE2;
	cpu->sums = ecx & SSE42;
	if (!(edx & CLFLUSH) || !(edx & SSE2) || !line) /* without SSE2 there is no fence */
		return;
	cpu->line = line;
	cpu->flush = TERN__FLUSH_CLFLUSH;
	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		return;
	if (ebx & CLWB)
		cpu->flush = TERN__FLUSH_CLWB;
	else if (ebx & CLFLUSHOPT)
		cpu->flush = TERN__FLUSH_CLFLUSHOPT;
}
#elif defined(__aarch64__)
#define CRC32 (1u << 7) /* AT_HWCAP */

static void read_cpu(struct tern__vdm_cpu *cpu)
{
	unsigned long has = getauxval(AT_HWCAP), ctr;

	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	cpu->streams = true;
	cpu->sums = has & CRC32;
	cpu->line = 4u << (ctr >> 16 & 0xf);
	cpu->flush = TERN__FLUSH_CVAC;
}
#else
static void read_cpu(struct tern__vdm_cpu *cpu)
{
}
#endif

static void read_all(void)
{
	tern__crc32c_prepare();
	read_cpu(&tern__vdm_cpu);
	tern__vdm_cpu.stream_min = tern__vdm_stream_min();
}

void tern__vdm_cpu_read(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_all);
}

uint32_t tern__vdm_operations(void)
{
	uint32_t all = ((1u << TERN_VDM_TYPES) - 1) & ~(1u << TERN_VDM_NONE);

	return tern__vdm_cpu.flush ? all : all & ~(1u << TERN_VDM_FLUSH);
}

uint64_t tern__vdm_capabilities(void)
{
	uint8_t flush = tern__vdm_cpu.flush;

	/* where ARM's caches are cleaned to may be a cache, and a hint leaves a line in one */
	return (tern__vdm_cpu.streams ? TERN_VDM_NO_CACHE_HINT : 0) |
	       (flush && flush != TERN__FLUSH_CVAC ? TERN_VDM_MEM_DURABLE : 0);
}
