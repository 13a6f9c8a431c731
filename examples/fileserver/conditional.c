/* SPDX-License-Identifier: MIT */
/* Entity tags, dates, and the conditions a client may put on a GET (RFC 9110, section 13). */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "fileserver.h"

/* No kernel's clock for files ticks more slowly than this. */
#define STAMP_NS INT64_C(20000000)

/* Always the C locale: this program never sets another. */
void date_format(char *to, size_t size, time_t when)
{
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(to, size, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* The form in use and the two that must still be understood. */
static bool date_parse(const char *text, time_t *when)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %d %H:%M:%S %Y",
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0};
		const char *end = strptime(text, forms[i], &tm);

		if (end && !*end) {
			*when = timegm(&tm);
			return true;
		}
	}
	return false;
}

/*
 * [worker] The change time tells of every change, also where the modification time was set back. A
 * file that changed within one tick of the clock may change again under the same stamp, so its tag
 * is a weak one.
 */
void file_describe(struct file *file, const struct stat *st)
{
	struct timespec now;
	int64_t changed_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec;

	clock_gettime(CLOCK_REALTIME, &now);
	file->size = (uint64_t)st->st_size;
	file->modified = st->st_mtim.tv_sec < now.tv_sec ? st->st_mtim.tv_sec : now.tv_sec;
	snprintf(file->etag, sizeof(file->etag), "%s\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
		 now.tv_sec * INT64_C(1000000000) + now.tv_nsec - changed_ns < STAMP_NS ? "W/" : "",
		 (uint64_t)st->st_ino, (uint64_t)st->st_size, (uint64_t)changed_ns);
}

/* Takes one tag off the list; false at its end, or where it is not a list of tags. */
static bool next_tag(const char **list, const char **tag, size_t *length, bool *weak)
{
	const char *at = *list + strspn(*list, ", \t");
	const char *end;

	*weak = strncmp(at, "W/", 2) == 0;
	if (*weak)
		at += 2;
	if (*at != '"')
		return false;
	end = strchr(at + 1, '"');
	if (!end)
		return false;
	*tag = at;
	*length = (size_t)(end + 1 - at);
	*list = end + 1;
	return true;
}

/* A strong comparison wants two strong tags; a weak one looks at the tags only. */
static bool tags_have(const char *list, const char *etag, bool strong)
{
	bool etag_weak = strncmp(etag, "W/", 2) == 0, weak;
	const char *tag;
	size_t length;

	if (list[strspn(list, " \t")] == '*')
		return true;
	if (etag_weak)
		etag += 2;
	while (next_tag(&list, &tag, &length, &weak)) {
		if (strong && (weak || etag_weak))
			continue;
		if (strlen(etag) == length && memcmp(etag, tag, length) == 0)
			return true;
	}
	return false;
}

/* [worker] Returns the status the conditions lead to: 200, 304 or 412. */
int conditions_check(const struct conditions *c, const struct file *file)
{
	time_t when;

	if (c->if_match) {
		if (!tags_have(c->if_match, file->etag, true))
			return MHD_HTTP_PRECONDITION_FAILED;
	} else if (c->if_unmodified_since && date_parse(c->if_unmodified_since, &when)) {
		if (file->modified > when)
			return MHD_HTTP_PRECONDITION_FAILED;
	}
	if (c->if_none_match) {
		if (tags_have(c->if_none_match, file->etag, false))
			return MHD_HTTP_NOT_MODIFIED;
	} else if (c->if_modified_since && date_parse(c->if_modified_since, &when)) {
		if (file->modified <= when)
			return MHD_HTTP_NOT_MODIFIED;
	}
	return MHD_HTTP_OK;
}

/* [worker] Whether the client's range counts: If-Range names the very file that it has a part of.
 */
bool conditions_range(const struct conditions *c, const struct file *file)
{
	time_t when;

	if (!c->range || !c->if_range)
		return c->range;
	if (c->if_range[0] == '"' || c->if_range[0] == 'W')
		return tags_have(c->if_range, file->etag, true);
	/* A date is exact only when the file did not change within its second. */
	return date_parse(c->if_range, &when) && when == file->modified &&
	       time(NULL) > file->modified + 1;
}
