/* SPDX-License-Identifier: MIT */
/* Inside: how many CPUs there are, on machines that the test makes up. */
#include <sched.h>
#include <stdio.h>

#include "../lib/base/cpus.h"
#include "harness.h"

#define V1 "/sys/fs/cgroup/cpu"
#define V2 "/sys/fs/cgroup"

/* What takes the place of the C library's in this program (see meson.build). */
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);

struct file {
	const char *path, *text;
};

static const struct file *machine;
static size_t cpus, mask_size;

FILE *__wrap_fopen(const char *path, const char *mode)
{
	for (const struct file *f = machine; f->path; f++)
		if (!strcmp(f->path, path))
			return fmemopen((void *)(uintptr_t)f->text, strlen(f->text), "r");
	return NULL;
}

/* what the C library's headers make of it where files may be large */
FILE *__wrap_fopen64(const char *path, const char *mode)
{
	return __wrap_fopen(path, mode);
}

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	if (size < mask_size) {
		errno = EINVAL;
		return -1;
	}
	CPU_ZERO_S(size, set);
	for (size_t i = 0; i < cpus; i++)
		CPU_SET_S(i, size, set);
	return 0;
}

static uint32_t cpus_of(const struct file *files)
{
	machine = files;
	return tern__cpus();
}

static void the_affinity_mask(void)
{
	static const struct file no_groups[] = {{NULL, NULL}};

	cpus = 3;
	ck_assert_uint_eq(cpus_of(no_groups), 3);
	/* a kernel that was built for more than the usual mask holds */
	cpus = 2000;
	mask_size = 1024;
	ck_assert_uint_eq(cpus_of(no_groups), 2000);
	/* and one whose mask cannot be had */
	mask_size = SIZE_MAX;
	ck_assert_uint_eq(cpus_of(no_groups), 1);
}

static void the_least_quota_of_version_2(void)
{
	static const struct file none[] = {
		{"/proc/self/cgroup", "0::/a/b\n"}, {V2 "/a/b/cpu.max", "max 100000\n"}, {0}};
	static const struct file own[] = {
		{"/proc/self/cgroup", "0::/a/b\n"}, {V2 "/a/b/cpu.max", "350000 100000\n"}, {0}};
	static const struct file above[] = {{"/proc/self/cgroup", "0::/a/b\n"},
					    {V2 "/a/b/cpu.max", "500000 100000\n"},
					    {V2 "/a/cpu.max", "200000 100000\n"},
					    {V2 "/cpu.max", "400000 100000\n"},
					    {0}};
	static const struct file top[] = {
		{"/proc/self/cgroup", "0::/a\n"}, {V2 "/cpu.max", "400000 100000\n"}, {0}};
	static const struct file small[] = {
		{"/proc/self/cgroup", "0::/a\n"}, {V2 "/a/cpu.max", "50000 100000\n"}, {0}};
	static const struct file large[] = {
		{"/proc/self/cgroup", "0::/a\n"}, {V2 "/a/cpu.max", "6400000 100000\n"}, {0}};

	cpus = 8;
	ck_assert_uint_eq(cpus_of(none), 8);
	ck_assert_uint_eq(cpus_of(own), 3);
	ck_assert_uint_eq(cpus_of(above), 2);
	ck_assert_uint_eq(cpus_of(top), 4);
	ck_assert_uint_eq(cpus_of(small), 1);
	ck_assert_uint_eq(cpus_of(large), 8);
}

static void the_quota_of_version_1(void)
{
	static const struct file none[] = {{"/proc/self/cgroup", "4:cpu,cpuacct:/a\n"},
					   {V1 "/a/cpu.cfs_quota_us", "-1\n"},
					   {V1 "/a/cpu.cfs_period_us", "100000\n"},
					   {0}};
	static const struct file some[] = {{"/proc/self/cgroup", "9:memory:/b\n4:cpuacct,cpu:/a\n"},
					   {V1 "/a/cpu.cfs_quota_us", "200000\n"},
					   {V1 "/a/cpu.cfs_period_us", "100000\n"},
					   {0}};
	static const struct file others[] = {{"/proc/self/cgroup", "4:cpuset,memory:/a\n"},
					     {V1 "/a/cpu.cfs_quota_us", "200000\n"},
					     {V1 "/a/cpu.cfs_period_us", "100000\n"},
					     {0}};

	cpus = 8;
	ck_assert_uint_eq(cpus_of(none), 8);
	ck_assert_uint_eq(cpus_of(some), 2);
	ck_assert_uint_eq(cpus_of(others), 8);
}

static const struct test tests[] = {
	{"the affinity mask", the_affinity_mask},
	{"the least quota of version 2", the_least_quota_of_version_2},
	{"the quota of version 1", the_quota_of_version_1},
};

int main(int argc, char **argv)
{
	return run_tests("cpus", tests, COUNT(tests), argc, argv);
}
