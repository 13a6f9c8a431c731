/* SPDX-License-Identifier: MIT */
/*
 * Drop-in <ucw/lib.h>: the two types that <ucw/asio.h> is written in. Where libucw itself is
 * installed its own header comes first, with all that it has.
 */
#ifndef TERN_COMPAT_UCW_LIB_H
#define TERN_COMPAT_UCW_LIB_H

#pragma GCC system_header /* or -Wpedantic would refuse the next lines */
#ifdef __has_include_next
#if __has_include_next(<ucw/lib.h>)
#include_next <ucw/lib.h>
#endif
#endif

#ifndef byte
typedef unsigned char byte;
#endif
#ifndef uns
typedef unsigned int uns;
#endif

#endif
