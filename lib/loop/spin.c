/* SPDX-License-Identifier: MIT */
/*
 * A loop looking at its inbox before it sleeps, where that should pay (lib/base/gap.h) and where
 * the pools' threads that are awake and the loops that look leave it a CPU to do so.
 */
#include "../base/clock.h"
#include "loop.h"

#define OUT_MANY	 128 /* so many items out are a crowd ... */
#define OUT_A_PAUSE	 8   /* ... of which some are let come together: a pause for so many */
#define PAUSES_FIRST_MAX 128
#define LOOKS_A_CLOCK	 8 /* a clock read costs as much as a few pauses */

/* Loops looking right now, in the whole process. */
static TERN__LINE uint32_t looking;

void tern__spin_reset(void)
{
	tern__store(&looking, 0);
}

bool tern__spin_has_cpu(struct tern_loop *loop)
{
	uint32_t busy = tern__load(&looking);

	for (struct tern__rider *r = loop->riders; r; r = r->next)
		busy += r->ops->busy(r);
	return loop->cpus > 1 && busy < loop->cpus;
}

bool tern__spin_look(struct tern_loop *loop, uint64_t deadline_ns, uint64_t *now_ns)
{
	uint64_t out = tern__loop_outstanding(loop);
	bool came = false;

	tern__add(&looking, 1);
	/*
	 * Every look takes the line away from those who push to it. With few items out that is what
	 * we are here for; with many, nothing is lost by letting some come together first.
	 */
	if (out >= OUT_MANY)
		for (uint64_t i = 0; i < out / OUT_A_PAUSE && i < PAUSES_FIRST_MAX; i++)
			tern__pause();
	do {
		tern__gap_breathe(&loop->gap, *now_ns);
		for (uint32_t i = 0; i < LOOKS_A_CLOCK && !came; i++) {
			tern__pause();
			came = !tern__mpsc_seems_empty(&loop->inbox) || tern__sources_ready(loop);
		}
	} while (!came && (*now_ns = tern__now_ns()) < deadline_ns);
	tern__sub_acq_rel(&looking, 1);
	return came;
}
