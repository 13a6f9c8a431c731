/* SPDX-License-Identifier: MIT */
/* In the place of lib/base/probe.h: each probe of the library calls the test. */
#ifndef TERN__PROBE_H
#define TERN__PROBE_H

#include <stdint.h>

#define TERN__PROBE2(name, a, b)    probed_##name((uintptr_t)(a), (uintptr_t)(b))
#define TERN__PROBE3(name, a, b, c) probed_##name((uintptr_t)(a), (uintptr_t)(b), (uintptr_t)(c))

void probed_submit(uintptr_t pool, uintptr_t work, uintptr_t run);
void probed_start(uintptr_t pool, uintptr_t work, uintptr_t run);
void probed_done(uintptr_t pool, uintptr_t work, uintptr_t status);
void probed_thread__start(uintptr_t pool, uintptr_t number);
void probed_thread__stop(uintptr_t pool, uintptr_t number);

#endif
