/* SPDX-License-Identifier: MIT */
/* Structs that start with their own size: options read from callers, statistics given to them. */
#include <errno.h>
#include <string.h>

#include "options.h"

static size_t size_of(const void *s)
{
	size_t size;

	memcpy(&size, s, sizeof(size));
	return size;
}

int tern__options_read(void *to, size_t known, const void *from)
{
	memset(to, 0, known);
	if (!from)
		return 0;
	size_t size = size_of(from);
	if (size < sizeof(size_t))
		return -EINVAL;
	for (size_t i = known; i < size; i++)
		if (((const unsigned char *)from)[i])
			return -E2BIG;
	memcpy(to, from, size < known ? size : known);
	return 0;
}

int tern__options_write(void *to, const void *from, size_t known)
{
	size_t size = size_of(to);

	if (size < sizeof(size_t))
		return -EINVAL;
	size_t n = size < known ? size : known;
	memcpy((char *)to + sizeof(size_t), (const char *)from + sizeof(size_t),
	       n - sizeof(size_t));
	memset((char *)to + n, 0, size - n);
	return 0;
}
