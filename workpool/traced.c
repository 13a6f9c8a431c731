/* SPDX-License-Identifier: MIT */
/*
 * What a trace shows of items and threads.
 *
 * Arrows lead from an item's submit to its run to its done, which have in common the item's address
 * and a ticket that tells one submission of it from the next. The ticket needs no room of its own:
 * it travels in status until run is entered, and in since_ns from there to done, where neither
 * means anything to anybody else.
 */
#include "traced.h"

#define TICKETS_SHIFT 4 /* in ns: nobody submits an item twice in 16 */

static const struct tern__trace_form submit = {
	.name = "submit",
	.flow_out = true,
	.args = {{"run", TERN__TRACE_FUNCTION}, {"pool", TERN__TRACE_POINTER}},
};
#define RUN_ARGS                                                                                   \
	{"pool", TERN__TRACE_POINTER}, {"user", TERN__TRACE_POINTER},                              \
	{                                                                                          \
		"wait_us", TERN__TRACE_NS                                                          \
	}
static const struct tern__trace_form run_in_pool = {
	.flow_in = true,
	.flow_out = true,
	.counts = true,
	.args = {RUN_ARGS, {"queued", TERN__TRACE_NUMBER}},
};
static const struct tern__trace_form run_on_loop = {
	.flow_in = true,
	.flow_out = true,
	.args = {RUN_ARGS},
};
static const struct tern__trace_form done = {
	.flow_in = true,
	.args = {{"user", TERN__TRACE_POINTER}, {"status", TERN__TRACE_NUMBER}},
};
static const struct tern__trace_form thread_start = {
	.name = "thread start",
	.args = {{"pool", TERN__TRACE_POINTER}},
};
static const struct tern__trace_form thread_stop = {
	.name = "thread stop",
	.args = {{"pool", TERN__TRACE_POINTER}},
};

static uint64_t flow_of(const struct tern_work *work, uint32_t ticket)
{
	return tern__trace_address(work) * UINT64_C(0x9e3779b97f4a7c15) + ticket;
}

void tern__traced_submit(uint32_t session, const struct tern_pool *p, struct tern_work *w)
{
	uint64_t now = tern__now_ns();
	uint32_t ticket = (uint32_t)(now >> TICKETS_SHIFT) & INT32_MAX;

	/* a span, for arrows lead from spans; as short as can be seen */
	tern__trace_emit(session,
			 &(struct tern__trace_event){
				 .form = &submit,
				 .start_ns = now,
				 .end_ns = now + 1,
				 .flow = flow_of(w, ticket),
				 .args = {(uint64_t)(uintptr_t)w->run, tern__trace_address(p)},
			 });
	w->status = (int)ticket;
}

void tern__traced_run(uint32_t session, const struct tern_pool *p, tern_work_fn *run,
		      struct tern_work *w)
{
	uint32_t ticket = (uint32_t)w->status;
	struct tern__trace_event event = {
		.form = p ? &run_in_pool : &run_on_loop,
		.start_ns = tern__now_ns(),
		.what = (uint64_t)(uintptr_t)run,
		.flow = flow_of(w, ticket),
		.args = {tern__trace_address(p), tern__trace_address(w->user)},
	};

	if (p) {
		event.args[2] = event.start_ns - w->since_ns;
		event.args[3] = tern__load(&p->waiting);
	}
	w->status = 0;
	w->since_ns = ticket;
	run(w);
	event.end_ns = tern__now_ns();
	tern__trace_emit(session, &event);
}

void tern__traced_done(uint32_t session, struct tern_work *w)
{
	struct tern__trace_event event = {
		.form = &done,
		.start_ns = tern__now_ns(),
		.what = (uint64_t)(uintptr_t)w->done,
		.flow = w->status ? 0 : flow_of(w, (uint32_t)w->since_ns),
		.args = {tern__trace_address(w->user), (uint64_t)w->status},
	};

	w->done(w);
	event.end_ns = tern__now_ns();
	tern__trace_emit(session, &event);
}

void tern__traced_thread(uint32_t session, const struct tern__worker *worker, bool starts)
{
	tern__trace_emit(session, &(struct tern__trace_event){
					  .form = starts ? &thread_start : &thread_stop,
					  .start_ns = tern__now_ns(),
					  .args = {tern__trace_address(worker->pool)},
				  });
}
