/* SPDX-License-Identifier: MIT */
/* From a request's target to a file that lies beneath the root, and back to a link. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fileserver.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A proxy may send the absolute form of a target; the scheme and the host are not our matter. */
static const char *skip_authority(const char *url)
{
	if (strncasecmp(url, "http://", 7) != 0)
		return url;
	url = strchr(url + 7, '/');
	return url ? url : "/";
}

/*
 * Decodes once, so that "%252e" stays the name "%2e", and drops the slashes in front: beneath the
 * root is all there is. Needs strlen(url) + 2 bytes. Returns 0, or the status to answer with.
 */
int path_decode(char *to, const char *url)
{
	const char *start = to;

	url = skip_authority(url);
	if (*url != '/')
		return MHD_HTTP_BAD_REQUEST;
	while (*url) {
		char c = *url++;

		if (c == '%') {
			int high = hex_value(url[0]), low = high < 0 ? -1 : hex_value(url[1]);

			if (low < 0 || (high == 0 && low == 0))
				return MHD_HTTP_BAD_REQUEST;
			c = (char)(high << 4 | low);
			url += 2;
		}
		if (c != '/' || to != start)
			*to++ = c;
	}
	*to = '\0';
	if (to == start)
		memcpy(to, ".", 2);
	return 0;
}

/*
 * [worker] The kernel itself refuses every way out of the root: "..", absolute paths and links that
 * lead outside, at the moment of the look-up. Does not block on a FIFO and never takes a terminal.
 */
int path_open(int root, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 && errno == ENOSYS ? walk_open(root, path) : fd;
}

/* [worker] For queues: direct I/O, if that is wanted and the file has it. */
int path_adopt(struct tern_io_file *file, int fd, bool direct)
{
	int error = tern_io_adopt(file, fd, direct ? TERN_IO_DIRECT_PREFER : TERN_IO_BUFFERED);

	if (!error && (file->memory_align > DISK_BLOCK || file->offset_align > DISK_BLOCK))
		error = tern_io_adopt(file, fd, TERN_IO_BUFFERED);
	return error;
}

/* What a look-up that failed is answered with. */
int path_status(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return MHD_HTTP_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
	case ELOOP:
	case EXDEV: /* it would have left the root */
	case ENXIO: /* a socket, or a device without a driver */
	case ENODEV:
		return MHD_HTTP_FORBIDDEN;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN: /* somebody renames directories meanwhile */
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

void path_encode(FILE *to, const char *path)
{
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (isalnum(c) || strchr("-._~/", c))
			fputc(c, to);
		else
			fprintf(to, "%%%02X", c);
	}
}
