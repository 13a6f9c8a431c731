/* SPDX-License-Identifier: MIT */
/* A trace as text: events in, a file in the Chrome trace event format out. */
#ifndef TERN__TRACE_JSON_H
#define TERN__TRACE_JSON_H

#include <stddef.h>

#include "symbol.h"
#include "trace.h"

#define TERN__JSON_ROOM 65536

struct tern__json {
	int fd;
	int pid;
	uint64_t zero_ns;
	bool failed; /* a write did: no more are tried */
	size_t used;
	char text[TERN__JSON_ROOM];
	struct tern__symbols symbols;
};

void tern__json_begin(struct tern__json *json);
void tern__json_name_thread(struct tern__json *json, int tid, const char *name);
void tern__json_event(struct tern__json *json, int tid, const struct tern__trace_event *event);
void tern__json_lost(struct tern__json *json, uint64_t now_ns, uint64_t events);
void tern__json_flush(struct tern__json *json);
void tern__json_end(struct tern__json *json);

#endif
