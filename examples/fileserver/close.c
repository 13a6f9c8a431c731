/* SPDX-License-Identifier: MIT */
/*
 * Files are closed on the pool, those of many requests in one item: nobody waits for it any more,
 * so that each would only cost the others a turn.
 */
#include <unistd.h>

#include "fileserver.h"

static void close_run(struct tern_work *work)
{
	struct closer *closer = tern_container_of(work, struct closer, work);
	struct request *request;

	TAILQ_FOREACH(request, &closer->closing, turn)
	{
		if (request->fd >= 0)
			close(request->fd);
		request->fd = -1;
		if (request->upload)
			target_close(request->upload);
	}
}

static void submit(struct closer *closer);

static void home(struct tern_work *work)
{
	struct closer *closer = tern_container_of(work, struct closer, work);
	struct request *request;

	while ((request = TAILQ_FIRST(&closer->closing))) {
		TAILQ_REMOVE(&closer->closing, request, turn);
		request_free(request);
	}
	closer->server->counters.done++;
	closer->out = false;
	if (!TAILQ_EMPTY(&closer->waiting))
		submit(closer);
}

static void submit(struct closer *closer)
{
	struct server *server = closer->server;

	closer->out = true;
	TAILQ_CONCAT(&closer->closing, &closer->waiting, turn);
	server->counters.submitted++;
	tern_work_init(&closer->work, close_run, home);
	tern_pool_submit(server->files, server->loop, &closer->work);
}

void closer_start(struct server *server)
{
	struct closer *closer = &server->closer;

	closer->server = server;
	TAILQ_INIT(&closer->waiting);
	TAILQ_INIT(&closer->closing);
}

/* Closes what the request has open, and frees it. */
void closer_take(struct request *request)
{
	struct closer *closer = &request->server->closer;

	TAILQ_INSERT_TAIL(&closer->waiting, request, turn);
	if (!closer->out)
		submit(closer);
}
