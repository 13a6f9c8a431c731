/* SPDX-License-Identifier: MIT */
/* On libev: what a poll must know of that was run right before it. */
#include <tern/ev.h>
#include <unistd.h>

#include "harness.h"

static struct ev_loop *ev;
static struct tern_loop *loop;
static struct tern_pool *pool;

static void open_all(void)
{
	ck_assert_int_eq(tern_loop_create_ev(&loop, ev, NULL), 0);
	pool = pool_new(1, 4);
}

static void close_all(void)
{
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	ev_loop_destroy(ev);
}

static void never(struct ev_loop *l, ev_io *w, int revents)
{
	ck_abort_msg("nobody writes");
}

/* What is run before the poll may be all that the caller waits for. */
static void once_with_another_watcher(void)
{
	struct job job;
	int fds[2];
	ev_io io;

	ev = ev_loop_new(0);
	open_all();
	ck_assert_int_eq(pipe(fds), 0);
	ev_io_init(&io, never, fds[0], EV_READ);
	ev_io_start(ev, &io);
	for (unsigned i = 0; i < scaled(1000); i++) {
		job_init(&job);
		tern_pool_submit(pool, loop, &job.work);
		while (!job.dones)
			ev_run(ev, EVRUN_ONCE);
	}
	ev_io_stop(ev, &io);
	close(fds[0]);
	close(fds[1]);
	close_all();
}

/* A prepare watcher after tern's runs the event loop; then the outer run polls, unprepared. */
static struct latch nested;
static struct tern_timer in_an_hour;

static void prepare_nests(struct ev_loop *l, ev_prepare *w, int revents)
{
	ev_prepare_stop(l, w);
	ev_run(l, EVRUN_NOWAIT);
	latch_arrive(&nested);
}

static void not_yet(struct tern_timer *timer)
{
	ck_abort_msg("an hour has passed");
}

static void stop_timer(struct tern_work *work)
{
	job_done(work);
	tern_timer_stop(&in_an_hour);
}

static void a_late_prepare_watcher_nests(void)
{
	for (unsigned i = 0; i < 20; i++) {
		ev_prepare late;
		struct job job;

		latch_init(&nested, 1);
		job_init(&job);
		job.waits = &nested;
		job.work.done = stop_timer;
		ev = ev_loop_new(0);
		ev_prepare_init(&late, prepare_nests);
		ev_set_priority(&late, EV_MINPRI);
		ev_prepare_start(ev, &late); /* who came first is called last */
		open_all();
		/* with a timer each dispatch has something to look at */
		tern_timer_init(&in_an_hour, not_yet);
		tern_timer_start(loop, &in_an_hour, 3600 * UINT64_C(1000000000));
		tern_pool_submit(pool, loop, &job.work);
		ev_run(ev, 0);
		ck_assert_uint_eq(job.dones, 1);
		close_all();
	}
}

static const struct test tests[] = {
	{"EVRUN_ONCE, and a watcher that waits for ever", once_with_another_watcher},
	{"a prepare watcher after tern's runs ev_run", a_late_prepare_watcher_nests},
};

int main(int argc, char **argv)
{
	return run_tests("ev_poll", tests, COUNT(tests), argc, argv);
}
