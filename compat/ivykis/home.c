/* SPDX-License-Identifier: MIT */
/*
 * A tern loop on an ivykis thread: one for all pools of the thread, made with the first and
 * destroyed when the last is gone. Built on <tern/loop.h> alone, like the binding to libev.
 *
 * ivykis has no call-out before each poll, but it runs tasks right before one. So a task prepares
 * the loop, registered when there may be something to prepare for: after a dispatch, after a
 * submission of this thread, and after the time limit of the last prepare, which a timer keeps.
 * In other rounds the loop is as the last prepare left it, listening on its descriptor.
 *
 * The registered descriptor is what keeps iv_main() from returning.
 */
#include <errno.h>

#include "private.h"

#define SECOND_NS 1000000000

static __thread struct home {
	struct tern_loop *loop; /* NULL: nobody needs it */
	unsigned users;
	bool turning; /* in dispatch or prepare: who called them looks after what is submitted */
	struct iv_fd readable;
	struct iv_task prepare;
	struct iv_timer limit;
} home;

static void prepare_soon(struct home *h)
{
	if (!iv_task_registered(&h->prepare))
		iv_task_register(&h->prepare);
}

static void set_limit(struct home *h, int64_t ns)
{
	if (iv_timer_registered(&h->limit))
		iv_timer_unregister(&h->limit);
	h->limit.expires = iv_now;
	h->limit.expires.tv_sec += (time_t)(ns / SECOND_NS);
	h->limit.expires.tv_nsec += (long)(ns % SECOND_NS);
	if (h->limit.expires.tv_nsec >= SECOND_NS) {
		h->limit.expires.tv_sec++;
		h->limit.expires.tv_nsec -= SECOND_NS;
	}
	iv_timer_register(&h->limit);
}

static void end(struct home *h)
{
	struct tern_loop *loop = h->loop;

	if (iv_task_registered(&h->prepare))
		iv_task_unregister(&h->prepare);
	if (iv_timer_registered(&h->limit))
		iv_timer_unregister(&h->limit);
	iv_fd_unregister(&h->readable);
	h->loop = NULL;
	tern_loop_destroy(loop);
}

static void on_readable(void *cookie)
{
	struct home *h = cookie;

	h->turning = true;
	tern_loop_dispatch(h->loop, 0);
	h->turning = false;
	if (h->users)
		prepare_soon(h);
	else
		end(h);
}

static void on_prepare(void *cookie)
{
	struct home *h = cookie;
	int64_t ns;

	h->turning = true;
	ns = tern_loop_prepare(h->loop);
	h->turning = false;
	if (!h->users)
		end(h);
	else if (!ns)
		prepare_soon(h);
	else if (ns > 0)
		set_limit(h, ns);
}

static void on_limit(void *cookie)
{
	prepare_soon(cookie);
}

static int begin(struct home *h)
{
	int e = tern_loop_create(&h->loop, NULL);

	if (e)
		return e;
	IV_FD_INIT(&h->readable);
	h->readable.fd = tern_loop_fd(h->loop);
	h->readable.cookie = h;
	h->readable.handler_in = on_readable;
	if (iv_fd_register_try(&h->readable)) {
		tern_loop_destroy(h->loop);
		h->loop = NULL;
		return -ENOMEM; /* it does not tell why */
	}
	IV_TASK_INIT(&h->prepare);
	h->prepare.cookie = h;
	h->prepare.handler = on_prepare;
	IV_TIMER_INIT(&h->limit);
	h->limit.cookie = h;
	h->limit.handler = on_limit;
	return 0;
}

int tern__iv_home_get(struct tern_loop **ret)
{
	struct home *h = &home;
	int e = h->users ? 0 : begin(h);

	if (e)
		return e;
	h->users++;
	*ret = h->loop;
	return 0;
}

void tern__iv_home_put(void)
{
	struct home *h = &home;

	if (!--h->users && !h->turning)
		end(h);
}

void tern__iv_home_submitted(const struct tern_loop *loop)
{
	struct home *h = &home;

	if (h->loop == loop && !h->turning)
		prepare_soon(h);
}
