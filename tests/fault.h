/* SPDX-License-Identifier: MIT */
/* Makes the calls fail by which the library asks the system for something, and counts memory. */
#ifndef TERN_TESTS_FAULT_H
#define TERN_TESTS_FAULT_H

#include <stdbool.h>

/* What can be refused. */
enum fault_kind {
	FAULT_MALLOC,
	FAULT_MEMALIGN,
	FAULT_EVENTFD,
	FAULT_THREAD,
	FAULT_ATTRIBUTE,
	FAULT_MUTEX,
	FAULT_KINDS
};

/* From now on `count` calls of this kind fail, from the first-th on, counting from 1. */
void fault_arm(enum fault_kind kind, unsigned first, unsigned count);
/* None fails any more. Returns how many did since fault_arm. */
unsigned fault_disarm(void);
unsigned fault_hits(void);

/* The errno a refused call of this kind gives. */
int fault_errno(enum fault_kind kind);

/* Allocations not yet freed, of the program and the static libraries in it. */
long fault_memory(void);

#endif
