/* SPDX-License-Identifier: MIT */
/* The engine that carries requests out inside submit, by the system calls that block. */
#include <errno.h>

#include "carry_out.h"
#include "io.h"

static int open_sync(void **state, const struct tern_io_engine *engine,
		     const struct tern_io_engine_params *params)
{
	*state = NULL;
	return 0;
}

static void close_sync(void *state)
{
}

static int start(void *state, struct tern_io *io)
{
	struct tern_io_piece piece = tern_io_piece(io);

	tern_io_complete(io, tern__carry_out(&piece));
	return 0;
}

const struct tern_io_engine *tern_io_engine_sync(void)
{
	static const struct tern_io_engine engine = {
		.size = sizeof(engine),
		.name = "sync",
		.open = open_sync,
		.close = close_sync,
		.start = start,
	};

	return &engine;
}
