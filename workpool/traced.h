/* SPDX-License-Identifier: MIT */
/* What a trace shows of items and threads; and where both are entered, traced or not. */
#ifndef TERN__TRACED_H
#define TERN__TRACED_H

#include "../lib/base/probe.h"
#include "../lib/base/trace.h"
#include "pool.h"

void tern__traced_submit(uint32_t session, const struct tern_pool *pool, struct tern_work *work);
void tern__traced_run(uint32_t session, const struct tern_pool *pool, tern_work_fn *run,
		      struct tern_work *work);
void tern__traced_done(uint32_t session, struct tern_work *work);
void tern__traced_thread(uint32_t session, const struct tern__worker *worker, bool starts);

/* [any] The item is about to be handed over. */
static inline void tern__work_enters(const struct tern_pool *pool, struct tern_work *work)
{
	uint32_t session = tern__trace_on();

	TERN__PROBE3(submit, pool, work, work->run);
	if (session)
		tern__traced_submit(session, pool, work);
}

/* [worker, or the loop of an item of no pool] Enters run, which may end the item's life. */
static inline void tern__work_run(const struct tern_pool *pool, tern_work_fn *run,
				  struct tern_work *work)
{
	uint32_t session = tern__trace_on();

	TERN__PROBE3(start, pool, work, run);
	if (session)
		tern__traced_run(session, pool, run, work);
	else
		run(work);
}

/* [loop] The same of done. */
static inline void tern__work_done(struct tern_work *work)
{
	uint32_t session = tern__trace_on();

	if (session)
		tern__traced_done(session, work);
	else
		work->done(work);
}

/* [worker] Its first and its last sign of life. */
static inline void tern__thread_starts(const struct tern__worker *worker)
{
	uint32_t session = tern__trace_on();

	TERN__PROBE2(thread__start, worker->pool, worker->number);
	if (session)
		tern__traced_thread(session, worker, true);
}

static inline void tern__thread_stops(const struct tern__worker *worker)
{
	uint32_t session = tern__trace_on();

	TERN__PROBE2(thread__stop, worker->pool, worker->number);
	if (session)
		tern__traced_thread(session, worker, false);
}

#endif
