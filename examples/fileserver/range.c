/* SPDX-License-Identifier: MIT */
/* The Range field: one range of bytes. Several at once are answered with the whole. */
#include <string.h>
#include <strings.h>

#include "fileserver.h"

/* Reads digits; false when there are none. A number too large is as good as the largest. */
static bool number(const char **text, uint64_t *value)
{
	const char *at = *text;

	for (*value = 0; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
			*value = UINT64_MAX / 10; /* stays beyond every file */
	if (at == *text)
		return false;
	*text = at;
	return true;
}

static enum range_kind last_bytes(struct range *range, const char *text, uint64_t size)
{
	uint64_t count;

	if (!number(&text, &count) || *text)
		return RANGE_NONE;
	if (!count || !size)
		return RANGE_OUTSIDE;
	range->length = count < size ? count : size;
	range->first = size - range->length;
	return RANGE_ONE;
}

/* RANGE_NONE: there is none, or one that is not understood and must be ignored; range is garbage.
 */
enum range_kind range_parse(struct range *range, const char *text, uint64_t size)
{
	uint64_t last = UINT64_MAX;

	if (!text || strncasecmp(text, "bytes=", 6) != 0)
		return RANGE_NONE;
	text += 6;
	text += strspn(text, " \t");
	if (*text == '-')
		return last_bytes(range, text + 1, size);
	if (!number(&text, &range->first) || *text++ != '-')
		return RANGE_NONE;
	if (*text && (!number(&text, &last) || *text || last < range->first))
		return RANGE_NONE;
	if (range->first >= size)
		return RANGE_OUTSIDE;
	if (last >= size)
		last = size - 1;
	range->length = last - range->first + 1;
	return RANGE_ONE;
}
