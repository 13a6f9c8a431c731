/* SPDX-License-Identifier: MIT */
/*
 * The engine of I/O queues on a pool: requests are work items, on a lane, so that a slow disk never
 * takes all threads; and syncs, which are slow, on another, so that they never hold up reads.
 */
#include <errno.h>
#include <stdlib.h>
#include <tern/io_engine.h>

#include "../lib/io/carry_out.h"
#include "../lib/io/io.h"
#include "pool.h"

struct engine {
	struct tern_pool *pool;
	struct tern_loop *home;
	struct tern_lane *lane, *sync_lane;
};

/* Of each request. */
struct job {
	struct tern_work work;
	struct tern_io *io;
	int64_t result;
};

static int make_lane(struct tern_lane **ret, struct tern_pool *pool, uint32_t running_max,
		     const char *name)
{
	const struct tern_lane_opts opts = {
		.size = sizeof(opts),
		.running_max = running_max,
		.wait_ms_max = TERN_FOREVER,
		.name = name,
	};

	return tern_lane_create(ret, pool, &opts);
}

static int open_on_pool(void **state, const struct tern_io_engine *engine,
			const struct tern_io_engine_params *params)
{
	struct tern_pool *pool = engine->user;
	uint32_t running_max = engine->running_max ? engine->running_max : pool->threads_max - 1;
	struct engine *e = calloc(1, sizeof(*e));
	int error;

	if (!e)
		return -ENOMEM;
	e->home = params->home;
	error = make_lane(&e->lane, pool, running_max ? running_max : 1, "io");
	if (error) {
		free(e);
		return error;
	}
	error = make_lane(&e->sync_lane, pool, 1, "io sync");
	if (error) {
		tern_lane_put(e->lane);
		free(e);
		return error;
	}
	e->pool = tern_pool_get(pool);
	*state = e;
	return 0;
}

static void close_on_pool(void *state)
{
	struct engine *e = state;

	tern_lane_put(e->lane);
	tern_lane_put(e->sync_lane);
	tern_pool_put(e->pool);
	free(e);
}

static void run(struct tern_work *work)
{
	struct job *job = tern_container_of(work, struct job, work);
	struct tern_io_piece piece = tern_io_piece(job->io);

	do
		job->result = tern__carry_out(&piece);
	while (job->result == -EINTR);
}

/* On the loop already, so the request need not go through its mailbox once more. */
static void done(struct tern_work *work)
{
	struct job *job = tern_container_of(work, struct job, work);

	tern__io_arrive(job->io, work->status ? work->status : job->result);
}

static int start(void *state, struct tern_io *io)
{
	struct engine *e = state;
	struct job *job = tern_io_engine_data(io);
	bool syncs = io->op == TERN_IO_FSYNC || io->op == TERN_IO_FDATASYNC;

	tern_work_init(&job->work, run, done);
	tern_work_set_lane(&job->work, syncs ? e->sync_lane : e->lane);
	job->io = io;
	tern_pool_submit(e->pool, e->home, &job->work);
	return 0;
}

static bool cancel(void *state, struct tern_io *io)
{
	struct job *job = tern_io_engine_data(io);

	return tern_work_cancel(&job->work);
}

void tern_io_engine_pool(struct tern_io_engine *engine, struct tern_pool *pool,
			 uint32_t running_max)
{
	*engine = (struct tern_io_engine){
		.size = sizeof(*engine),
		.name = "pool",
		.request_size = sizeof(struct job),
		.user = pool,
		.running_max = running_max,
		.open = open_on_pool,
		.close = close_on_pool,
		.start = start,
		.cancel = cancel,
	};
}
