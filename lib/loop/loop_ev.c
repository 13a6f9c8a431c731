/* SPDX-License-Identifier: MIT */
/*
 * libev: all that tern knows of it. Built on <tern/loop.h> alone, like a binding to any other event
 * loop would be.
 *
 * Five watchers, none of which keeps ev_run going by itself, all of the lowest priority: the user's
 * come first, and libev runs an idle watcher only where nothing of its priority is pending. The
 * descriptor and a timer for the next of tern's end a poll. A check watcher dispatches after it,
 * and a prepare watcher prepares before the next, so that what the user's watchers submit is seen
 * even if this iteration is the last. An empty idle watcher is active while the poll must not
 * block. While something is outstanding the binding holds one reference of the ev_loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <tern/ev.h>
#include <time.h>

struct binding {
	struct ev_loop *ev;
	struct tern_loop *loop;
	ev_io readable;
	ev_check check;
	ev_prepare prepare;
	ev_idle idle;
	ev_timer timer;
	double timer_at; /* CLOCK_MONOTONIC seconds the timer is set to, while it is active */
};

/* ev_unref after each start, ev_ref before each stop: the watchers do not count. */
#define START(kind, b, watcher)                                                                    \
	do {                                                                                       \
		if (!ev_is_active(&(b)->watcher)) {                                                \
			kind##_start((b)->ev, &(b)->watcher);                                      \
			ev_unref((b)->ev);                                                         \
		}                                                                                  \
	} while (0)
#define STOP(kind, b, watcher)                                                                     \
	do {                                                                                       \
		if (ev_is_active(&(b)->watcher)) {                                                 \
			ev_ref((b)->ev);                                                           \
			kind##_stop((b)->ev, &(b)->watcher);                                       \
		}                                                                                  \
	} while (0)

static void on_readable(struct ev_loop *ev, ev_io *w, int revents)
{
	/* it ended the poll: the check watcher does the work */
}

static void on_check(struct ev_loop *ev, ev_check *w, int revents)
{
	struct binding *b = w->data;

	tern_loop_dispatch(b->loop, 0);
}

/* Sets the timer unless it fires in time anyway; one that fires too early only comes here again. */
static void set_timer(struct binding *b, int64_t ns)
{
	struct timespec t;
	double at;

	clock_gettime(CLOCK_MONOTONIC, &t);
	at = (double)t.tv_sec + (double)t.tv_nsec * 1e-9 + (double)ns * 1e-9;
	if (ev_is_active(&b->timer) && b->timer_at <= at)
		return;
	STOP(ev_timer, b, timer);
	ev_now_update(b->ev);
	/* repeating, so that libev leaves stopping it, and the reference, to us */
	ev_timer_set(&b->timer, (double)ns * 1e-9, 1.);
	START(ev_timer, b, timer);
	b->timer_at = at;
}

static void on_prepare(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct binding *b = w->data;
	int64_t ns = tern_loop_prepare(b->loop);

	if (ns)
		STOP(ev_idle, b, idle);
	else
		START(ev_idle, b, idle);
	if (ns > 0)
		set_timer(b, ns);
}

static void on_idle(struct ev_loop *ev, ev_idle *w, int revents)
{
	/* that it is active is all: the next prepare does the work */
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct binding *b = w->data;

	STOP(ev_timer, b, timer);
}

static void alive(void *user, bool on)
{
	struct binding *b = user;

	if (on)
		ev_ref(b->ev);
	else
		ev_unref(b->ev);
}

static void destroy(void *user)
{
	struct binding *b = user;

	STOP(ev_io, b, readable);
	STOP(ev_check, b, check);
	STOP(ev_prepare, b, prepare);
	STOP(ev_idle, b, idle);
	STOP(ev_timer, b, timer);
	free(b);
}

int tern_loop_create_ev(struct tern_loop **ret, struct ev_loop *ev,
			const struct tern_loop_opts *opts)
{
	const struct tern_loop_binding binding = {sizeof(binding), alive, destroy};
	struct tern_loop *loop;
	struct binding *b;
	int e = tern_loop_create(&loop, opts);

	if (e)
		return e;
	b = malloc(sizeof(*b));
	e = b ? tern_loop_bind(loop, &binding, b) : -ENOMEM;
	if (e) {
		free(b);
		tern_loop_destroy(loop);
		return e;
	}
	b->ev = ev;
	b->loop = loop;
	ev_io_init(&b->readable, on_readable, tern_loop_fd(loop), EV_READ);
	ev_set_priority(&b->readable, EV_MINPRI);
	ev_check_init(&b->check, on_check);
	ev_set_priority(&b->check, EV_MINPRI);
	ev_prepare_init(&b->prepare, on_prepare);
	ev_set_priority(&b->prepare, EV_MINPRI);
	ev_idle_init(&b->idle, on_idle);
	ev_set_priority(&b->idle, EV_MINPRI);
	ev_timer_init(&b->timer, on_timer, 0., 0.);
	ev_set_priority(&b->timer, EV_MINPRI);
	b->check.data = b->prepare.data = b->timer.data = b;
	START(ev_io, b, readable);
	START(ev_check, b, check);
	START(ev_prepare, b, prepare);
	*ret = loop;
	return 0;
}
