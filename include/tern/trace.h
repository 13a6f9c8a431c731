/* SPDX-License-Identifier: MIT */
/*
 * A trace of a run: what each thread and each loop of this process did when, in a file that a
 * browser's trace viewer draws.
 *
 * See tern_trace(3) and tern_debugging(7).
 */
#ifndef TERN_TRACE_H
#define TERN_TRACE_H

#include <tern/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * [any] [blocks for the file] Makes or empties the file and starts a thread that writes to it what
 * all pools and loops of the process do, until tern_trace_stop. Who is traced never waits for the
 * file: when it cannot keep up events are left out, and how many is written into it. Returns 0;
 * -EBUSY when a trace is being written; what open(2) says of the path, -ENOMEM or -EAGAIN: then
 * nothing has changed.
 */
int tern_trace_start(const char *path);

/*
 * [any] [blocks for the file] Writes what is still to be written, ends the writing thread and
 * closes the file, which is complete then. Does nothing when no trace is being written. In a
 * child after fork it only forgets the trace, which stays its parent's.
 */
void tern_trace_stop(void);

#ifdef __cplusplus
}
#endif

#endif
