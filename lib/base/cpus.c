/* SPDX-License-Identifier: MIT */
/*
 * How many CPUs this process may keep busy: its affinity mask, and the quotas of its cgroup and of
 * all above it (Linux' cgroup-v2 cpu.max; cgroup-v1 cpu.cfs_quota_us and cpu.cfs_period_us).
 */
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpus.h"

#define PATH_ROOM 512

static uint32_t in_affinity_mask(void)
{
	/* A mask that is too small for the machine fails with EINVAL: try larger ones. */
	for (size_t cpus = 1024; cpus <= 65536; cpus *= 8) {
		cpu_set_t *set = CPU_ALLOC(cpus);
		size_t size = CPU_ALLOC_SIZE(cpus);
		int n = set && sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;

		CPU_FREE(set);
		if (n > 0)
			return (uint32_t)n;
	}
	return 1;
}

/* Reads up to two numbers; "max" or a missing file gives fewer. */
static int read_numbers(const char *dir, const char *file, long long value[2])
{
	char path[PATH_ROOM + 64];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fscanf(f, "%lld %lld", &value[0], &value[1]);
	fclose(f);
	return n < 0 ? 0 : n;
}

/* The quota of one group in whole CPUs; 0: none. */
static long long quota(const char *dir)
{
	long long v[2], period[2];

	if (read_numbers(dir, "cpu.max", v) == 2 && v[1] > 0)
		return v[0] < v[1] ? 1 : v[0] / v[1];
	if (read_numbers(dir, "cpu.cfs_quota_us", v) >= 1 && v[0] > 0 &&
	    read_numbers(dir, "cpu.cfs_period_us", period) >= 1 && period[0] > 0)
		return v[0] < period[0] ? 1 : v[0] / period[0];
	return 0;
}

/* The least quota of the group and of those above it, up to where the hierarchy is mounted. */
static long long least_quota(const char *mount, const char *group)
{
	char dir[PATH_ROOM];
	long long least = 0;
	size_t base = strlen(mount);

	if ((size_t)snprintf(dir, sizeof(dir), "%s%s", mount, group) >= sizeof(dir))
		return 0;
	for (;;) {
		long long q = quota(dir);
		char *slash;

		if (q && (!least || q < least))
			least = q;
		slash = strrchr(dir + base, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* Whether a comma-separated list of cgroup-v1 controllers names the one that has quotas. */
static bool names_cpu(const char *list)
{
	for (; *list; list += *list == ',')
		if (strncmp(list, "cpu", 3) == 0 && (list[3] == ',' || !list[3]))
			return true;
		else
			list += strcspn(list, ",");
	return false;
}

uint32_t tern__cpus(void)
{
	uint32_t cpus = in_affinity_mask();
	char line[PATH_ROOM];
	FILE *f = fopen("/proc/self/cgroup", "re");

	if (!f)
		return cpus;
	/* each line is "id:controllers:group"; version 2 names no controllers */
	while (fgets(line, sizeof(line), f)) {
		char *controllers = strchr(line, ':'), *group;
		long long q = 0;

		if (!controllers || !(group = strchr(++controllers, ':')))
			continue;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (!*controllers)
			q = least_quota("/sys/fs/cgroup", group);
		else if (names_cpu(controllers))
			q = least_quota("/sys/fs/cgroup/cpu", group);
		if (q && q < cpus)
			cpus = (uint32_t)q;
	}
	fclose(f);
	return cpus;
}
