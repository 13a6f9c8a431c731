/* SPDX-License-Identifier: MIT */
/*
 * Where an upload goes: a file without a name beneath the root, which takes the place of what has
 * its name when all of it is on the disk. Until then nobody sees it, and if nothing comes of it
 * nothing is left. Where the file system has no files without names it has one that nobody guesses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "fileserver.h"

/* What an upload that failed is answered with. */
int target_status(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return MHD_HTTP_INSUFFICIENT_STORAGE;
	default:
		return path_status(error);
	}
}

/* Cuts the path into folder and name: 0, or the status. */
static int split(struct request *request)
{
	struct upload *upload = request->upload;
	char *slash = strrchr(request->path, '/');
	char *name = slash ? slash + 1 : request->path;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return MHD_HTTP_CONFLICT;
	upload->name = strdup(name);
	if (!upload->name)
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	if (slash)
		*name = '\0'; /* "folder/" must be one */
	else
		strcpy(request->path, ".");
	return 0;
}

/* What has the name now, and whether the client lets it be replaced: 0, or the status. */
static int look(struct request *request)
{
	struct upload *upload = request->upload;
	const struct conditions *conditions = &request->conditions;
	struct file file;
	struct stat st;

	upload->replaces = fstatat(upload->folder, upload->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!upload->replaces) {
		if (errno != ENOENT)
			return path_status(errno);
		return conditions->if_match ? MHD_HTTP_PRECONDITION_FAILED : 0;
	}
	if (!S_ISREG(st.st_mode))
		return MHD_HTTP_CONFLICT;
	upload->mode = st.st_mode & 0777;
	file_describe(&file, &st);
	return conditions_check(conditions, &file) == MHD_HTTP_OK ? 0
								  : MHD_HTTP_PRECONDITION_FAILED;
}

/* Returns a descriptor, or -1 and errno. */
static int make(struct upload *upload)
{
	int fd = openat(upload->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	uint64_t number = 0;

	while (getrandom(&number, sizeof(number), 0) < 0)
		;
	snprintf(upload->temp, sizeof(upload->temp), ".upload-%016" PRIx64, number);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	fd = openat(upload->folder, upload->temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
	upload->linked = fd >= 0;
	return fd;
}

/* As much room as the client says that it needs, so that it learns at once if there is not. */
static int make_room(const struct upload *upload)
{
	if (upload->expected > INT64_MAX)
		return MHD_HTTP_INSUFFICIENT_STORAGE;
	if (upload->expected && fallocate(upload->file.fd, 0, 0, (off_t)upload->expected) < 0 &&
	    errno != EOPNOTSUPP)
		return target_status(errno);
	return 0;
}

static int open_file(struct request *request)
{
	struct upload *upload = request->upload;
	int fd = make(upload), error;

	if (fd < 0)
		return target_status(errno);
	if (upload->replaces)
		fchmod(fd, upload->mode); /* as good as can be */
	error = path_adopt(&upload->file, fd, !request->server->config->buffered);
	upload->file.fd = fd;
	return error ? target_status(-error) : make_room(upload);
}

void target_open_run(struct tern_work *work)
{
	struct request *request = tern_container_of(work, struct request, work);
	struct upload *upload = request->upload;

	request->status = split(request);
	if (request->status)
		return;
	upload->folder = path_open(request->server->root, request->path);
	request->status = upload->folder < 0 ? path_status(errno) : look(request);
	if (!request->status)
		request->status = open_file(request);
}

/* One at a time, so that of two clients whose conditions hold only one gets its way. */
void target_commit_run(struct tern_work *work)
{
	struct request *request = tern_container_of(work, struct request, work);
	struct upload *upload = request->upload;
	int folder = upload->folder;
	char file[40];

	request->status = look(request);
	if (request->status)
		return;
	snprintf(file, sizeof(file), "/proc/self/fd/%d", upload->file.fd);
	if (!upload->linked)
		upload->linked =
			linkat(AT_FDCWD, file, folder, upload->temp, AT_SYMLINK_FOLLOW) == 0;
	if (!upload->linked || renameat(folder, upload->temp, folder, upload->name) < 0) {
		request->status = target_status(errno);
		return;
	}
	upload->linked = false;
	upload->committed = true;
	request->status = upload->replaces ? MHD_HTTP_NO_CONTENT : MHD_HTTP_CREATED;
}

/* [worker] After all that was written is over. */
void target_close(struct upload *upload)
{
	if (upload->linked)
		unlinkat(upload->folder, upload->temp, 0);
	if (upload->file.fd >= 0)
		close(upload->file.fd);
	if (upload->folder >= 0)
		close(upload->folder);
	upload->linked = false;
	upload->file.fd = upload->folder = -1;
}
