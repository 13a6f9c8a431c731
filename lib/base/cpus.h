/* SPDX-License-Identifier: MIT */
/* How many CPUs this process may keep busy. */
#ifndef TERN__CPUS_H
#define TERN__CPUS_H

#include <stdint.h>

/*
 * The CPUs in the caller's affinity mask, or fewer where a cgroup's quota (v1 or v2, its own group
 * or one above) grants less time than that, rounded down; at least 1. Reads files: for creation.
 */
uint32_t tern__cpus(void);

#endif
