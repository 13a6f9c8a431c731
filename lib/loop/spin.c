/* SPDX-License-Identifier: MIT */
/*
 * Looking before sleeping. To be put to sleep and woken costs tens of microseconds; to find the
 * completion by looking, a fraction of one, and a CPU meanwhile. So a loop looks
 *
 *  - for at most what a wake costs,
 *  - only when the moving average of recent gaps says that work should come in that time, with a
 *    rare probe so that the average can recover,
 *  - only while the pools' threads that are awake and the loops that look leave it a CPU.
 */
#include "../base/clock.h"
#include "../base/cpus.h"
#include "loop.h"

#define GAP_CAP_NS	(200 * TERN__US) /* one long pause must not end the looking for long */
#define GAP_WEIGHT	8		 /* the average moves by an eighth */
#define PROBE_EVERY	64
#define LOOKS_PER_CLOCK 8 /* a clock read costs as much as that many pauses */

/* Loops looking right now, in the whole process. */
static TERN__LINE uint32_t looking;

static uint32_t cpus(void)
{
	static uint32_t known;
	uint32_t n = tern__load(&known);

	if (!n) {
		n = tern__cpus();
		tern__store(&known, n);
	}
	return n;
}

bool tern__spin_pays(struct tern_loop *loop)
{
	struct tern__spin *spin = &loop->spin;
	uint32_t busy = tern__load(&looking);

	if (!spin->limit_ns)
		return false;
	for (struct tern__rider *r = loop->riders; r; r = r->next)
		busy += r->ops->awake(r);
	if (busy >= cpus())
		return false;
	return spin->gap_ns <= spin->limit_ns || ++spin->probe % PROBE_EVERY == 0;
}

bool tern__spin_look(struct tern_loop *loop, uint64_t deadline_ns)
{
	/* with many items out the next one is less urgent than leaving the line to its producer */
	uint64_t out = tern__loop_outstanding(loop);
	uint32_t breath = out > 64 ? 16 : out > 8 ? 4 : 1;
	bool came = false;

	tern__add(&looking, 1);
	do {
		for (uint32_t i = 0; i < LOOKS_PER_CLOCK && !came; i++) {
			for (uint32_t k = 0; k < breath; k++)
				tern__pause();
			came = !tern__mpsc_seems_empty(&loop->inbox);
		}
	} while (!came && tern__now_ns() < deadline_ns);
	tern__sub_acq_rel(&looking, 1);
	return came;
}

void tern__spin_worked(struct tern__spin *spin, uint64_t now_ns)
{
	uint64_t gap;

	if (!spin->since_ns)
		return;
	gap = now_ns - spin->since_ns;
	if (gap > GAP_CAP_NS)
		gap = GAP_CAP_NS;
	spin->gap_ns = (spin->gap_ns * (GAP_WEIGHT - 1) + gap) / GAP_WEIGHT;
	spin->since_ns = 0;
}
