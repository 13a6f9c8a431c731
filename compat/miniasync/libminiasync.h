/* SPDX-License-Identifier: MIT */
/*
 * Drop-in <libminiasync.h>: a program that is written for the futures and data movers of miniasync
 * has its memory moved by tern. The compiler finds this file before miniasync's own with the flags
 * of pkg-config tern-compat. The old names are macros over tern_compat_*, so that what else in the
 * process uses miniasync's own is not disturbed. See tern_compat(7).
 */
#ifndef TERN_COMPAT_MINIASYNC_H
#define TERN_COMPAT_MINIASYNC_H

#include <stddef.h>
#include <stdio.h>

#include "libminiasync/data_mover_sync.h"
#include "libminiasync/data_mover_threads.h"
#include "libminiasync/future.h"
#include "libminiasync/runtime.h"
#include "libminiasync/vdm.h"

#endif
