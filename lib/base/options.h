/* SPDX-License-Identifier: MIT */
/* Structs that start with their own size: options read from callers, statistics given to them. */
#ifndef TERN__OPTIONS_H
#define TERN__OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <tern/base.h>

/*
 * Copies the caller's struct to *to, of known bytes, zeroing what the caller's does not have. from
 * may be NULL: all zero. -EINVAL: its size says less than a size_t. -E2BIG: it sets something
 * beyond what is known here.
 */
int tern__options_read(void *to, size_t known, const void *from);

/* Copies what is known to the caller's struct, as far as its size goes, and zeroes its tail. */
int tern__options_write(void *to, const void *from, size_t known);

/* 0 means the default, TERN_NONE means 0; TERN_FOREVER stays what it is. */
static inline uint32_t tern__option(uint32_t value, uint32_t fallback)
{
	return value == 0 ? fallback : value == TERN_NONE ? 0 : value;
}

#endif
