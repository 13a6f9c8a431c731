/* SPDX-License-Identifier: MIT */
/* A directory as a page of links, sorted by name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fileserver.h"

/* A directory of any size must not take memory of any size. */
#define ENTRIES_MAX 20000

struct entries {
	struct dirent **entry;
	size_t count, room;
	bool cut;
};

static int by_name(const void *a, const void *b)
{
	const struct dirent *const *left = a, *const *right = b;

	return strcmp((*left)->d_name, (*right)->d_name);
}

static bool entries_add(struct entries *entries, const struct dirent *entry)
{
	size_t length = strlen(entry->d_name) + 1;

	if (entries->count == entries->room) {
		size_t room = entries->room ? 2 * entries->room : 64;
		struct dirent **grown = realloc(entries->entry, room * sizeof(*grown));

		if (!grown)
			return false;
		entries->entry = grown;
		entries->room = room;
	}
	struct dirent *copy = malloc(offsetof(struct dirent, d_name) + length);

	if (!copy)
		return false;
	memcpy(copy, entry, offsetof(struct dirent, d_name) + length);
	entries->entry[entries->count++] = copy;
	return true;
}

static bool entries_read(struct entries *entries, DIR *dir)
{
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno == 0;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		entries->cut = entries->count == ENTRIES_MAX;
		if (entries->cut)
			return true;
		if (!entries_add(entries, entry))
			return false;
	}
}

static void escape(FILE *to, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f || strchr("&<>\"'", c))
			fprintf(to, "&#%d;", c);
		else
			fputc(c, to);
	}
}

static void print_entry(FILE *to, int fd, const struct dirent *entry)
{
	struct stat st;
	bool known = fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	const char *slash = known && S_ISDIR(st.st_mode) ? "/" : "";

	fputs("<tr><td><a href=\"", to);
	path_encode(to, entry->d_name);
	fprintf(to, "%s\">", slash);
	escape(to, entry->d_name);
	fprintf(to, "%s</a><td>", slash);
	if (known && S_ISREG(st.st_mode))
		fprintf(to, "%" PRIu64, (uint64_t)st.st_size);
	fputc('\n', to);
}

static void print_page(FILE *to, int fd, const char *path, const struct entries *entries)
{
	bool top = strcmp(path, ".") == 0;

	fputs("<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>/", to);
	escape(to, top ? "" : path);
	fputs("</title>\n<style>td + td { text-align: right; padding-left: 2em }</style>\n<h1>/",
	      to);
	escape(to, top ? "" : path);
	fputs("</h1>\n<table>\n", to);
	if (!top)
		fputs("<tr><td><a href=\"../\">../</a><td>\n", to);
	for (size_t i = 0; i < entries->count; i++)
		print_entry(to, fd, entries->entry[i]);
	fputs("</table>\n", to);
	if (entries->cut)
		fprintf(to, "<p>Only %d entries are shown.\n", ENTRIES_MAX);
}

/* [worker] The page becomes the request's body. The descriptor stays the caller's. */
void listing_make(struct request *request, int fd)
{
	struct entries entries = {0};
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	FILE *to = NULL;

	request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	request->type = "text/html; charset=utf-8";
	if (dir && entries_read(&entries, dir))
		to = open_memstream(&request->body.data, &request->body.length);
	if (to) {
		if (entries.count)
			qsort(entries.entry, entries.count, sizeof(*entries.entry), by_name);
		print_page(to, fd, request->path, &entries);
		if (fclose(to) == 0)
			request->status = MHD_HTTP_OK;
	}
	if (dir)
		closedir(dir);
	else if (copy >= 0)
		close(copy);
	while (entries.count)
		free(entries.entry[--entries.count]);
	free(entries.entry);
}
