/* SPDX-License-Identifier: MIT */
/*
 * The page at /-/ that draws /-/stats. It is part of the program, so the loop can answer for it
 * alone, and nothing in the served tree can stand in its place.
 */
#include <stdlib.h>
#include <string.h>

#include "fileserver.h"

static const struct embedded *find(const char *path)
{
	const char *name;

	if (strncmp(path, "-/", 2) != 0)
		return NULL;
	name = path[2] ? path + 2 : "page.html";
	for (size_t i = 0; embedded[i].name; i++)
		if (strcmp(name, embedded[i].name) == 0)
			return &embedded[i];
	return NULL;
}

/* Whether the server answers for this path itself. */
bool page_owns(const char *path)
{
	return find(path) || strcmp(path, "-/ping") == 0 || strcmp(path, "-/stats") == 0;
}

/* As open_run() would find a file. False: there is no such page. */
bool page_find(struct request *request)
{
	const struct embedded *page = find(request->path);
	struct body *body = &request->body;

	if (!page)
		return false;
	request->page = true;
	request->type = type_of(page->name);
	request->file.size = page->length;
	request->file.modified =
		(time_t)(request->server->counters.started_unix_us / UINT64_C(1000000));
	strcpy(request->file.etag, page->etag);
	request->status = file_choose(request);
	if (request->head ||
	    (request->status != MHD_HTTP_OK && request->status != MHD_HTTP_PARTIAL_CONTENT))
		return true;
	body->length = request->range.length;
	body->data = malloc(body->length);
	if (body->data)
		memcpy(body->data, page->data + request->range.first, body->length);
	else
		request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	return true;
}
