/* SPDX-License-Identifier: MIT */
/* An estimate of the median: a step up for each sample above it, a step down for each below. */
#include "wake.h"
#include "atomic.h"

#define FIRST_NS (20 * TERN__US)
#define LEAST_NS (5 * TERN__US)
#define MOST_NS	 (60 * TERN__US)
#define STEP_NS	 (TERN__US / 2)

static TERN__LINE uint64_t median_ns = FIRST_NS;

uint64_t tern__wake_ns(void)
{
	return tern__load(&median_ns);
}

void tern__wake_note(uint64_t ns)
{
	uint64_t median = tern__load(&median_ns);

	/* threads may overwrite each other's step: that is one sample less */
	if (ns > median && median < MOST_NS)
		tern__store(&median_ns, median + STEP_NS);
	else if (ns < median && median > LEAST_NS)
		tern__store(&median_ns, median - STEP_NS);
}
