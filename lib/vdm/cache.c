/* SPDX-License-Identifier: MIT */
/* How much of the caches a move can count on, from what the system says of CPU 0. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cpus.h"
#include "vdm.h"

/* A line of such a file without its end; false: there is none. */
static bool read_line(int index, const char *what, char line[64])
{
	char path[96];
	FILE *file;
	bool got;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, what);
	file = fopen(path, "re");
	if (!file)
		return false;
	got = fgets(line, 64, file);
	fclose(file);
	return got;
}

static uint64_t read_size(int index)
{
	char line[64], *end;
	uint64_t size;

	if (!read_line(index, "size", line))
		return 0;
	size = strtoull(line, &end, 10);
	return *end == 'K' ? size * TERN__KIB : *end == 'M' ? size * TERN__MIB : size;
}

/*
 * A move of n bytes touches twice as many. All CPUs of the process may take part in it, each with
 * its own cache and its part of the shared one.
 */
uint64_t tern__vdm_stream_min(void)
{
	uint64_t own = 0, shared = 0, cpus = tern__cpus();
	char line[64];

	for (int i = 0; read_line(i, "level", line); i++) {
		int level = line[0] - '0';

		if (!read_line(i, "type", line) || line[0] == 'I')
			continue;
		if (level <= 2)
			own = read_size(i) > own ? read_size(i) : own;
		else
			shared = read_size(i) > shared ? read_size(i) : shared;
	}
	if (shared > cpus * TERN__VDM_SHARED_CACHE_MAX)
		shared = cpus * TERN__VDM_SHARED_CACHE_MAX;
	return (own || shared ? own * cpus + shared : TERN__VDM_CACHE_UNKNOWN) / 2;
}
