/* SPDX-License-Identifier: MIT */
/* Programming errors: one line that names the call and the item, then the end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <tern/base.h>

#include "atomic.h"
#include "fatal.h"

static void print(const char *message)
{
	fprintf(stderr, "%s\n", message);
}

static tern_fatal_fn *hook = print;

tern_fatal_fn *tern_set_fatal(tern_fatal_fn *fn)
{
	return tern__xchg_seq(&hook, fn ? fn : print);
}

void tern__fatal(const char *call, const char *format, ...)
{
	char detail[160], line[224];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	snprintf(line, sizeof(line), "tern: %s: %s", call, detail);
	tern__load_seq (&hook)(line);
	abort();
}

#define TEXT(x)		 #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

const char *tern_version(void)
{
	return VERSION(TERN_VERSION_MAJOR, TERN_VERSION_MINOR, TERN_VERSION_PATCH);
}
