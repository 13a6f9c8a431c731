/* SPDX-License-Identifier: MIT */
/* A piece of a request by the system calls that block: what engines without a ring do. */
#ifndef TERN__CARRY_OUT_H
#define TERN__CARRY_OUT_H

#include <tern/io_engine.h>

/*
 * [any] [blocks] Bytes moved, perhaps fewer than asked for; 0; or a negative errno. Waits where a
 * descriptor that is non-blocking has nothing yet, if the piece says so.
 */
int64_t tern__carry_out(const struct tern_io_piece *piece);

#endif
