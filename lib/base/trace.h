/* SPDX-License-Identifier: MIT */
/*
 * The trace as those who are traced see it: one word that says whether there is one, and a call
 * that takes an event. What an event means is told by its form, which stands with whoever emits
 * it; nothing here knows of loops or pools.
 */
#ifndef TERN__TRACE_H
#define TERN__TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"

#define TERN__TRACE_ARGS 4

enum tern__trace_as {
	TERN__TRACE_POINTER,
	TERN__TRACE_NUMBER,   /* signed */
	TERN__TRACE_NS,	      /* written in us */
	TERN__TRACE_FUNCTION, /* by name where it has one */
};

/* Constant, and in this library: it is read later, by another thread. */
struct tern__trace_form {
	const char *name; /* NULL: that of the function `what` */
	bool flow_in, flow_out;
	bool of_loop; /* a thread that emits it is a loop's */
	bool counts;  /* the last argument is drawn as a curve, one for each first argument */
	struct {
		const char *key; /* NULL: no more arguments */
		enum tern__trace_as as;
	} args[TERN__TRACE_ARGS];
};

struct tern__trace_event {
	const struct tern__trace_form *form;
	uint64_t start_ns, end_ns; /* end_ns 0: a moment, no span */
	uint64_t what;		   /* see form */
	uint64_t flow;		   /* spans of one flow are joined by arrows; 0: of none */
	uint64_t args[TERN__TRACE_ARGS];
};

/* The number of the trace being written; 0: none. */
extern uint32_t tern__trace_session __attribute__((visibility("hidden")));

/* [any] All that it costs not to trace. Who gets a number hands it to tern__trace_emit. */
static inline uint32_t tern__trace_on(void)
{
	return (uint32_t)__builtin_expect(tern__load(&tern__trace_session), 0);
}

/* [any] Adds an event to that trace, or nothing when it has ended. */
void tern__trace_emit(uint32_t session, const struct tern__trace_event *event);

/* [any] This thread is about to end: what it has emitted stays, the room for more is given back. */
void tern__trace_leave(void);

static inline uint64_t tern__trace_address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

#endif
