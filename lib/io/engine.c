/* SPDX-License-Identifier: MIT */
/* What engines ask of a request. */
#include "io.h"

#define LINE 64

void *tern_io_engine_data(struct tern_io *io)
{
	return (char *)io + (sizeof(*io) + LINE - 1) / LINE * LINE;
}
