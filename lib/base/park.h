/* SPDX-License-Identifier: MIT */
/*
 * A word a thread sleeps on until another sets it (Linux' futex). The sleeper clears the word while
 * nobody can know it sleeps, makes itself known, and waits; the waker sets the word and wakes. The
 * waker's last step is a system call that only names the address: it may come after the sleeper has
 * gone on, and then wakes nobody.
 */
#ifndef TERN__PARK_H
#define TERN__PARK_H

#include <stdbool.h>
#include <stdint.h>

struct tern__park {
	uint32_t word;
	uint64_t woken_ns; /* when it was last set; see wake.h */
};

void tern__park_clear(struct tern__park *park);

/* Sleeps until the word is set, at most ns nanoseconds (UINT64_MAX: no limit). True: it is set. */
bool tern__park_wait(struct tern__park *park, uint64_t ns);

void tern__park_wake(struct tern__park *park);

#endif
