/* SPDX-License-Identifier: MIT */
/*
 * When others want the CPUs: two looks that lost theirs in a short time are no accident, and for a
 * while nobody looks. Of the whole process, because all its threads share those CPUs. What is lost
 * when two note it at the same time is one of two witnesses.
 */
#include "gap.h"

#define WITNESSES_NS (50 * TERN__MS)
#define REST_NS	     (500 * TERN__MS)

uint64_t tern__gap_rest_ns;

static uint64_t lost_ns;

void tern__gap_lost_cpu(uint64_t now_ns)
{
	if (now_ns - tern__load(&lost_ns) < WITNESSES_NS)
		tern__store(&tern__gap_rest_ns, now_ns + REST_NS);
	tern__store(&lost_ns, now_ns);
}
