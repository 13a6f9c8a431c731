/* SPDX-License-Identifier: MIT */
/* A disk request as a future: its done completes it. */
#include <errno.h>
#include <tern/io.h>

#include "future.h"

static struct tern_io_future *io_future_of(struct tern_future *f)
{
	return tern_container_of(f, struct tern_io_future, future);
}

static void came(struct tern_io *io)
{
	struct tern_future *f = io->user;

	tern_future_complete(f, io->result);
}

static enum tern_future_state submit(struct tern_future *f, struct tern_notifier *n)
{
	struct tern_io *io = io_future_of(f)->io;
	int e = -ECANCELED;

	if (!tern_future_canceled(f)) {
		io->done = came;
		io->user = f;
		e = tern_io_submit(io);
	}
	if (!e)
		return tern_future_attach(f, n);
	if (e == -EAGAIN)
		return TERN_FUTURE_IDLE;
	f->result = e;
	return TERN_FUTURE_COMPLETE;
}

static enum tern_future_state poll(struct tern_future *f, struct tern_notifier *n)
{
	return f->state == TERN_FUTURE_IDLE ? submit(f, n) : tern_future_attach(f, n);
}

static void cancel(struct tern_future *f)
{
	if (f->state == TERN_FUTURE_RUNNING)
		tern_io_cancel(io_future_of(f)->io);
}

static bool has_property(const struct tern_future *f, enum tern_future_property property)
{
	return property == TERN_FUTURE_ASYNC;
}

static const struct tern_future_ops ops = {sizeof(ops), poll, cancel, has_property};

void tern_io_future_init(struct tern_io_future *f, struct tern_io *io)
{
	*f = (struct tern_io_future){.io = io};
	tern_future_init(&f->future, &ops);
}
