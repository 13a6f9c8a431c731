/* SPDX-License-Identifier: MIT */
/*
 * One operation on the workers. It is cut into slices, and whoever is in takes the next one. A
 * large one asks for helpers; those that have not come when no slice is left are not waited for.
 * The last to leave ends it.
 *
 * Memory that is moved onto itself is split too, in waves: the operation as long as the distance
 * that it moves. What a wave writes the wave before has read, and within one nothing overlaps. From
 * a short distance that would be many short waves: then one worker moves it all, slice after slice.
 */
#include <errno.h>

#include "vdm_pool.h"

static bool is_summed(const struct tern_vdm_op *op)
{
	return op->type == TERN_VDM_CRC32C || op->type == TERN_VDM_COPY_CRC32C;
}

/* Takes slices until there are none, or somebody has cancelled. */
static void take_slices(struct job *job)
{
	const struct tern__vdm_fns *fns = &tern_container_of(job, struct slot, job)->mover->fns;
	const struct tern_vdm_op *op = job->op;
	size_t from, n, at, end = job->wave_end;
	uint32_t sum = 0, before;

	while (!tern_future_canceled(&op->future)) {
		from = tern__add(&job->next, TERN__VDM_SLICE);
		if (from >= end)
			break;
		n = end - from < TERN__VDM_SLICE ? end - from : TERN__VDM_SLICE;
		at = tern__vdm_is_backward(op) ? op->n - from - n : from;
		before = tern__vdm_carry(fns, op, at, n);
		if (is_summed(op))
			sum ^= tern__crc32c_join(before, 0, op->n - at - n);
	}
	before = tern__load(&job->sum);
	while (sum && !tern__cas_weak_seq(&job->sum, &before, before ^ sum))
		;
}

static void finish(struct job *job)
{
	struct tern_vdm_op *op = job->op;
	struct slot *slot = tern_container_of(job, struct slot, job);
	/* what was taken is moved, for all have left */
	bool whole = job->wave_end == op->n && tern__load(&job->next) >= op->n;

	if (whole && is_summed(op))
		op->crc32c = tern__crc32c_join(op->crc32c, tern__load(&job->sum), op->n);
	tern__vdm_settle(slot->mover, op, whole ? 0 : -ECANCELED);
	tern__vdm_slot_put(slot);
}

/* [last to leave] False: there is none, or somebody has cancelled. */
static bool next_wave(struct job *job)
{
	size_t left = job->op->n - job->wave_end;

	if (!left || tern__load(&job->next) < job->wave_end)
		return false;
	tern__store(&job->next, job->wave_end);
	job->wave_end += left < job->wave ? left : job->wave;
	return true;
}

/* Returns how many were asked; from here on they may come. */
static uint32_t ask_for_help(struct job *job, struct helper *asked[])
{
	struct mover *m = tern_container_of(job, struct slot, job)->mover;
	size_t most = (job->wave_end - tern__load(&job->next)) / TERN__VDM_SHARE;
	uint32_t n = 0;

	if (most > job->threads)
		most = job->threads;
	while (n + 1 < most && (asked[n] = tern__vdm_helper_get(m)))
		n++;
	tern__store(&job->inside, n + 1);
	for (uint32_t i = 0; i < n; i++)
		tern__vdm_helper_send(asked[i], job);
	return n;
}

/* Returns whether it is the last to leave. */
static bool leave(struct job *job, uint32_t parts)
{
	/* pairs with that of the others: what each has moved is there when the last leaves */
	tern__hand_over(&job->inside);
	if (tern__sub_acq_rel(&job->inside, parts) != parts)
		return false;
	tern__take_over(&job->inside);
	return true;
}

static bool lead_wave(struct job *job)
{
	struct helper *asked[TERN__VDM_THREADS_MAX];
	uint32_t n = ask_for_help(job, asked), late = 0;

	take_slices(job);
	for (uint32_t i = 0; i < n; i++) {
		struct job *expected = job;

		late += tern__cas_seq(&asked[i]->job, &expected, NULL); /* pairs with help */
	}
	return leave(job, late + 1);
}

/* As long as it is the last to leave it goes on with the next wave. */
static void lead(struct job *job)
{
	do
		if (!lead_wave(job))
			return;
	while (next_wave(job));
	finish(job);
}

void tern__vdm_help(struct tern_work *work)
{
	struct helper *helper = tern_container_of(work, struct helper, work);
	struct job *job = tern__xchg_seq(&helper->job, NULL); /* pairs with lead_wave */

	if (job)
		take_slices(job);
	tern__vdm_helper_put(helper);
	if (!job || !leave(job, 1))
		return;
	if (next_wave(job))
		lead(job);
	else
		finish(job);
}

void tern__vdm_job_run(struct job *job, struct tern_vdm_op *op)
{
	const struct mover *m = tern_container_of(job, struct slot, job)->mover;
	uintptr_t dest = (uintptr_t)op->dest, src = (uintptr_t)op->src;
	size_t distance = dest < src ? src - dest : dest - src;

	*job = (struct job){.op = op, .wave = op->n, .threads = m->threads};
	if (op->type == TERN_VDM_MEMMOVE && distance < op->n) {
		if (distance < 2 * (size_t)TERN__VDM_SHARE)
			job->threads = 1;
		else
			job->wave = distance;
	}
	job->wave_end = job->wave;
	lead(job);
}
