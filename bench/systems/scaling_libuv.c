/* SPDX-License-Identifier: MIT */
/* libuv: a loop for each thread, and the one pool that there is. */
#include "../scaling.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

const char scaling_name[] = "libuv";

void scaling_start(unsigned threads, bool spin)
{
	char text[24];

	snprintf(text, sizeof(text), "%u", threads);
	setenv("UV_THREADPOOL_SIZE", text, 1);
}

static void work(uv_work_t *request)
{
}

static void after_work(uv_work_t *request, int status)
{
	if (scaling_completed(request->data))
		uv_queue_work(request->loop, request, work, after_work);
}

void scaling_run(struct side *side)
{
	uv_work_t *requests = calloc(side->window, sizeof(*requests));
	uv_loop_t loop;

	if (!requests || uv_loop_init(&loop))
		exit(2);
	for (uint64_t i = 0; i < side->window; i++) {
		requests[i].data = side;
		uv_queue_work(&loop, &requests[i], work, after_work);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	free(requests);
}
