/* SPDX-License-Identifier: MIT */
/* Programming errors: one line that names the call and the item, then the end. */
#ifndef TERN__FATAL_H
#define TERN__FATAL_H

__attribute__((noreturn, format(printf, 2, 3))) void tern__fatal(const char *call,
								 const char *format, ...);

#endif
