/* SPDX-License-Identifier: MIT */
/*
 * Opens a path beneath the root one name at a time, for kernels and sandboxes without openat2(2).
 * As strong, but stricter: no symbolic link is followed at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fileserver.h"

/* Takes "." and ".." out of the path, in place; false where it leads above its start. */
static bool flatten(char *path)
{
	char *end = path, *name, *rest = path;

	while ((name = strsep(&rest, "/"))) {
		size_t length = strlen(name);

		if (!length || strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") != 0) {
			memmove(end, name, length);
			end += length;
			*end++ = '\0';
			continue;
		}
		if (end == path)
			return false;
		for (end--; end > path && end[-1]; end--)
			;
	}
	*end = '\0'; /* an empty name ends the row of names */
	return true;
}

static int walk(int root, const char *name, int last_flags)
{
	int dir = root;

	for (;;) {
		const char *next = *name ? name + strlen(name) + 1 : name;
		int flags = *next ? O_PATH | O_DIRECTORY : last_flags;
		int fd = openat(dir, *name ? name : ".", flags | O_NOFOLLOW | O_CLOEXEC);
		int error = errno;

		if (dir != root)
			close(dir);
		errno = error;
		if (fd < 0 || !*next)
			return fd;
		dir = fd;
		name = next;
	}
}

/* [worker] As path_open(), which uses it. */
int walk_open(int root, const char *path)
{
	size_t length = strlen(path);
	char *names = malloc(length + 2);
	int fd = -1, flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;

	if (!names)
		return -1;
	memcpy(names, path, length + 1);
	if (path[length - 1] == '/')
		flags |= O_DIRECTORY;
	if (flatten(names))
		fd = walk(root, names, flags);
	else
		errno = EXDEV;
	free(names);
	return fd;
}
