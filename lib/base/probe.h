/* SPDX-License-Identifier: MIT */
/*
 * Probes for tracers such as bpftrace: a no-op instruction each, and a note in the library that
 * says where it is. Without <sys/sdt.h> there are none. See tern_debugging(7).
 */
#ifndef TERN__PROBE_H
#define TERN__PROBE_H

#ifdef TERN_USDT
#include <sys/sdt.h>
#ifdef __clang__ /* its macros leave out a last argument */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif
#define TERN__PROBE2(name, a, b)    DTRACE_PROBE2(tern, name, a, b)
#define TERN__PROBE3(name, a, b, c) DTRACE_PROBE3(tern, name, a, b, c)
#else
#define TERN__PROBE2(name, a, b)    ((void)0)
#define TERN__PROBE3(name, a, b, c) ((void)0)
#endif

#endif
