/* SPDX-License-Identifier: MIT */
/* The look-up for kernels without openat2(2) leaves the root no more than the kernel's own does. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fileserver.h"

static const struct {
	const char *path;
	int error; /* 0: opens */
} cases[] = {
	{".", 0},
	{"file", 0},
	{"dir", 0},
	{"dir/", 0},
	{"dir/inner", 0},
	{"dir//./inner", 0},
	{"dir/../file", 0},
	{"dir/..", 0},
	{"dir/../dir/../dir/inner", 0},
	{"/file", 0},
	{"..", EXDEV},
	{"../root", EXDEV},
	{"dir/../..", EXDEV},
	{"dir/../../secret", EXDEV},
	{"../secret", EXDEV},
	{"link", ELOOP},
	{"up/secret", ENOTDIR},
	{"up", ELOOP},
	{"file/", ENOTDIR},
	{"file/inner", ENOTDIR},
	{"nowhere", ENOENT},
	{"dir/nowhere/inner", ENOENT},
};

static int make(int at, const char *name)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? fd : close(fd);
}

static int make_tree(int top)
{
	return mkdirat(top, "root", 0700) | mkdirat(top, "root/dir", 0700) | make(top, "secret") |
	       make(top, "root/file") | make(top, "root/dir/inner") |
	       symlinkat("../secret", top, "root/link") | symlinkat("..", top, "root/up");
}

static void remove_tree(const char *path, int top)
{
	static const char *const names[] = {"root/up", "root/link", "root/dir/inner", "root/file",
					    "secret"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(top, names[i], 0);
	unlinkat(top, "root/dir", AT_REMOVEDIR);
	unlinkat(top, "root", AT_REMOVEDIR);
	rmdir(path);
}

int main(void)
{
	char path[] = "/tmp/fileserver-walk-XXXXXX";
	int top = mkdtemp(path) ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	int root, failures = 0;

	if (top < 0 || make_tree(top)) {
		perror(path);
		return 1;
	}
	root = openat(top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = walk_open(root, cases[i].path);
		int error = fd < 0 ? errno : 0;

		if (error != cases[i].error) {
			printf("%s: %d, not %d\n", cases[i].path, error, cases[i].error);
			failures++;
		}
		if (fd >= 0)
			close(fd);
	}
	close(root);
	remove_tree(path, top);
	close(top);
	return failures != 0;
}
