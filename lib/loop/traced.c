/* SPDX-License-Identifier: MIT */
/* What a trace shows of a loop: its batches. */
#include "../base/clock.h"
#include "../base/trace.h"
#include "loop.h"

static const struct tern__trace_form batch = {
	.name = "batch",
	.of_loop = true,
	.args = {{"loop", TERN__TRACE_POINTER},
		 {"completions", TERN__TRACE_NUMBER},
		 {"timers", TERN__TRACE_NUMBER}},
};

void tern__loop_traced(uint32_t session, const struct tern_loop *l, uint64_t start_ns,
		       uint32_t completions, uint32_t timers)
{
	tern__trace_emit(session, &(struct tern__trace_event){
					  .form = &batch,
					  .start_ns = start_ns,
					  .end_ns = tern__now_ns(),
					  .args = {tern__trace_address(l), completions, timers},
				  });
}
