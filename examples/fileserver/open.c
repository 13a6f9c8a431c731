/* SPDX-License-Identifier: MIT */
/*
 * The first item of every request but a PUT: open, look and decide, in one go. For a listing or a
 * refusal that is all the work there is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fileserver.h"

/* "/dir" was asked for: relative links of a listing need "/dir/". */
static void redirect(struct request *request)
{
	size_t length;
	FILE *to = open_memstream(&request->location, &length);

	request->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	if (!to)
		return;
	fputc('/', to);
	path_encode(to, request->path);
	fputc('/', to);
	if (fclose(to) == 0)
		request->status = MHD_HTTP_MOVED_PERMANENTLY;
}

static void directory(struct request *request, int fd)
{
	const char *path = request->path;
	size_t length = strlen(path);

	if (request->digest)
		request->status = MHD_HTTP_FORBIDDEN;
	else if (strcmp(path, ".") != 0 && path[length - 1] != '/')
		redirect(request);
	else
		listing_make(request, fd);
	close(fd);
}

/* [any] What of the file is sent, by the conditions and the range that came with the request. */
int file_choose(struct request *request)
{
	const struct conditions *conditions = &request->conditions;
	const struct file *file = &request->file;
	int status = conditions_check(conditions, file);
	struct range range;

	request->range = (struct range){0, file->size};
	if (status != MHD_HTTP_OK || request->head || !conditions_range(conditions, file))
		return status;
	switch (range_parse(&range, conditions->range, file->size)) {
	case RANGE_ONE:
		request->range = range;
		return MHD_HTTP_PARTIAL_CONTENT;
	case RANGE_OUTSIDE:
		return MHD_HTTP_RANGE_NOT_SATISFIABLE;
	default:
		return MHD_HTTP_OK;
	}
}

/*
 * Leaves the file open where there is something to read. Small files are worth a place in memory,
 * so they come from there; large ones would only drive them out.
 */
static void regular(struct request *request, int fd, const struct stat *st)
{
	file_describe(&request->file, st);
	request->type = type_of(request->path);
	request->status = request->digest ? MHD_HTTP_OK : file_choose(request);
	if (request->digest) {
		request->fd = fd;
		return;
	}
	if (!request->head && request->range.length &&
	    (request->status == MHD_HTTP_OK || request->status == MHD_HTTP_PARTIAL_CONTENT)) {
		bool direct = request->file.size > CHUNK_SIZE && !request->server->config->buffered;

		if (path_adopt(&request->data, fd, direct) == 0)
			request->fd = fd;
		else
			request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	}
	if (request->fd < 0)
		close(fd);
}

void open_run(struct tern_work *work)
{
	struct request *request = tern_container_of(work, struct request, work);
	int fd = path_open(request->server->root, request->path);
	struct stat st;

	if (fd < 0) {
		request->status = path_status(errno);
		return;
	}
	if (fstat(fd, &st) < 0) {
		request->status = path_status(errno);
		close(fd);
	} else if (S_ISREG(st.st_mode)) {
		regular(request, fd, &st);
	} else if (S_ISDIR(st.st_mode)) {
		directory(request, fd);
	} else {
		request->status = MHD_HTTP_FORBIDDEN;
		close(fd);
	}
}
