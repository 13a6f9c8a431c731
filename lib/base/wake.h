/* SPDX-License-Identifier: MIT */
/*
 * What it costs to be asleep: the time from a wake call to the sleeper's first step, as measured on
 * this machine, in this process. 5 to 60 us: it depends on idle states, on the scheduler, and most
 * of all on whether the machine is a virtual one.
 *
 * It is the measure for all that tries to avoid wakes: looking for longer than a wake costs cannot
 * pay, and looking for less lets one late wake put both sides to sleep.
 */
#ifndef TERN__WAKE_H
#define TERN__WAKE_H

#include <stdint.h>

#include "clock.h"

/* [any] The median of recent wakes, about. */
uint64_t tern__wake_ns(void);
/* [any] A wake took so long. */
void tern__wake_note(uint64_t ns);

#endif
