/* SPDX-License-Identifier: MIT */
/* On libev: when ev_run returns, how it nests and breaks, and who gets a turn. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <tern/ev.h>
#include <unistd.h>

#include "harness.h"

static struct ev_loop *ev;
static struct tern_loop *loop;
static struct tern_pool *pool;

static void open_with(unsigned backend, const struct tern_loop_opts *opts)
{
	ev = ev_loop_new(backend);
	ck_assert_ptr_nonnull(ev);
	ck_assert_int_eq(tern_loop_create_ev(&loop, ev, opts), 0);
	pool = pool_new(1, 4);
}

static void open_all(void)
{
	open_with(EVFLAG_AUTO, NULL);
}

/* After all is gone, nothing of tern's keeps the libev loop going. */
static void close_all(void)
{
	if (pool)
		tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	ev_run(ev, 0);
	ev_loop_destroy(ev);
}

/* Chains of items, each completion submits the next; they may need each other in pairs. */
struct chain {
	struct tern_work work;
	unsigned left, *done;
};

static void next_in_chain(struct tern_work *work)
{
	struct chain *chain = tern_container_of(work, struct chain, work);

	++*chain->done;
	if (--chain->left)
		tern_pool_submit(pool, loop, work);
}

static void start_chains(struct chain *chains, size_t n, unsigned length, unsigned *done)
{
	*done = 0;
	for (size_t i = 0; i < n; i++) {
		chains[i] = (struct chain){.left = length, .done = done};
		tern_work_init(&chains[i].work, run_nothing, next_in_chain);
		tern_pool_submit(pool, loop, &chains[i].work);
	}
}

static void run_ends_when_nothing_is_out(void)
{
	static const unsigned backends[] = {EVBACKEND_EPOLL, EVBACKEND_POLL, EVBACKEND_SELECT};
	struct chain chains[10];
	unsigned done;

	for (size_t i = 0; i < COUNT(backends); i++) {
		open_with(backends[i], NULL);
		ck_assert(!ev_run(ev, 0));
		start_chains(chains, COUNT(chains), 100, &done);
		ck_assert(!ev_run(ev, 0));
		ck_assert_uint_eq(done, 1000);
		ck_assert(!tern_loop_alive(loop));
		close_all();
	}
}

static void run_in_pieces(int flags)
{
	struct chain chains[10];
	unsigned done, rounds = scaled(20);

	open_all();
	for (unsigned i = 0; i < rounds; i++) {
		start_chains(chains, COUNT(chains), 100, &done);
		while (done < 1000)
			ev_run(ev, flags);
		ck_assert(!ev_run(ev, 0));
	}
	close_all();
}

static void once(void)
{
	run_in_pieces(EVRUN_ONCE);
}

static void nowait(void)
{
	run_in_pieces(EVRUN_NOWAIT);
}

static int backend_fd(void)
{
	for (int fd = 3; fd < 100; fd++) {
		char path[32], target[32] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "eventpoll"))
			return fd;
	}
	ck_abort_msg("no epoll descriptor");
	return -1;
}

/* The caller polls the backend's descriptor itself between runs that do not block. */
static void poll_outside(const unsigned *done, unsigned n)
{
	struct pollfd p = {.fd = backend_fd(), .events = POLLIN};

	for (;;) {
		ev_run(ev, EVRUN_NOWAIT);
		if (*done >= n)
			return;
		ck_assert_int_eq(poll(&p, 1, -1), 1);
	}
}

static void nowait_and_poll_outside(void)
{
	struct chain chains[10];
	unsigned done;

	for (uint32_t batch = 1; batch < 20; batch += 6) {
		const struct tern_loop_opts opts = {.size = sizeof(opts), .batch_max = batch};

		open_with(EVBACKEND_EPOLL, &opts);
		start_chains(chains, COUNT(chains), scaled(400), &done);
		poll_outside(&done, 10 * scaled(400));
		close_all();
	}
}

/* Items that need each other, submitted in the last part of an ev_run: nobody may wait for more. */
struct pair {
	struct job jobs[3];
	struct latch met;
	unsigned rounds, done;
};

static struct pair *pair;

static void pair_done(struct tern_work *work)
{
	pair->done++;
}

static void submit_pair(void)
{
	latch_init(&pair->met, COUNT(pair->jobs));
	for (size_t i = 0; i < COUNT(pair->jobs); i++) {
		job_init(&pair->jobs[i]);
		pair->jobs[i].arrives = pair->jobs[i].waits = &pair->met;
		pair->jobs[i].work.done = pair_done;
		tern_pool_submit(pool, loop, &pair->jobs[i].work);
	}
}

static void submit_pair_in_callback(struct ev_loop *l, ev_timer *w, int revents)
{
	submit_pair();
}

static void submit_pair_in_done(struct tern_work *work)
{
	submit_pair();
}

static void nowait_and_items_that_need_each_other(void)
{
	pair = calloc(1, sizeof(*pair));
	for (unsigned i = 0; i < 100; i++) {
		struct tern_work first;
		ev_timer timer;

		open_with(EVBACKEND_EPOLL, NULL);
		pair->done = 0;
		if (i % 2) {
			tern_work_init(&first, run_nothing, submit_pair_in_done);
			tern_pool_submit(pool, loop, &first);
		} else {
			ev_timer_init(&timer, submit_pair_in_callback, 0., 0.);
			ev_timer_start(ev, &timer);
		}
		poll_outside(&pair->done, COUNT(pair->jobs));
		close_all();
	}
	free(pair);
}

static void prepare_submits_pair(struct ev_loop *l, ev_prepare *w, int revents)
{
	ev_prepare_stop(l, w);
	submit_pair();
}

/* Watchers of the lowest priority run in an order of libev's own: some after tern's. */
static void a_late_prepare_watcher_submits(void)
{
	pair = calloc(1, sizeof(*pair));
	for (unsigned i = 0; i < 100; i++) {
		ev_prepare late;

		ev_prepare_init(&late, prepare_submits_pair);
		ev_set_priority(&late, EV_MINPRI);
		if (i % 2) {
			open_all();
			ev_prepare_start(ev, &late);
		} else {
			ev = ev_loop_new(0);
			ev_prepare_start(ev, &late);
			ck_assert_int_eq(tern_loop_create_ev(&loop, ev, NULL), 0);
			pool = pool_new(1, 4);
		}
		pair->done = 0;
		ev_run(ev, 0);
		ck_assert_uint_eq(pair->done, COUNT(pair->jobs));
		close_all();
	}
	free(pair);
}

/* A completion runs the event loop until another item has come home. */
static unsigned depth_max, depth, finished;

static void done_in_nested(struct tern_work *work)
{
	unsigned before = finished;
	struct job inner;

	if (++depth > depth_max)
		depth_max = depth;
	if (depth < 4) {
		job_init(&inner);
		tern_pool_submit(pool, loop, &inner.work);
		while (!inner.dones)
			ev_run(ev, EVRUN_ONCE);
		ck_assert_uint_ge(finished, before);
	}
	finished++;
	depth--;
}

static void nested_runs(void)
{
	struct tern_work items[40];

	open_all();
	finished = 0;
	for (size_t i = 0; i < COUNT(items); i++) {
		tern_work_init(&items[i], run_nothing, done_in_nested);
		tern_pool_submit(pool, loop, &items[i]);
	}
	ev_run(ev, 0);
	ck_assert_uint_eq(finished, COUNT(items));
	ck_assert_uint_gt(depth_max, 1);
	close_all();
}

/* ev_break in a completion that has filled the outbox. */
static struct chain later[60];
static unsigned later_done;

static void fill_and_break(struct tern_work *work)
{
	start_chains(later, COUNT(later), 1, &later_done);
	ev_break(ev, EVBREAK_ALL);
}

static void break_with_a_full_outbox(void)
{
	for (int i = 0; i < 200; i++) {
		struct tern_work work;

		open_all();
		tern_work_init(&work, run_nothing, fill_and_break);
		tern_pool_submit(pool, loop, &work);
		ev_run(ev, 0);
		if (i % 2) {
			tern_pool_destroy(pool);
			pool = NULL;
		}
		ev_run(ev, 0);
		ck_assert_uint_eq(later_done, COUNT(later));
		close_all();
	}
}

static unsigned idled;

static void count_idle(struct ev_loop *l, ev_idle *w, int revents)
{
	idled++;
}

static void a_busy_idle_watcher(void)
{
	struct chain chains[10];
	unsigned done;
	ev_idle idle;

	for (int priority = EV_MINPRI; priority <= EV_MAXPRI; priority += 2) {
		const struct tern_loop_opts opts = {.size = sizeof(opts), .batch_max = 2};

		open_with(0, &opts);
		idled = 0;
		ev_idle_init(&idle, count_idle);
		ev_set_priority(&idle, priority);
		ev_idle_start(ev, &idle);
		start_chains(chains, COUNT(chains), scaled(1000), &done);
		while (done < 10 * scaled(1000))
			ev_run(ev, EVRUN_ONCE);
		/* one of tern's own priority runs when nothing of tern's is pending */
		ck_assert(idled > 0 || priority == EV_MINPRI);
		ev_idle_stop(ev, &idle);
		close_all();
	}
}

/* Most completions between two turns of another watcher, while there is always one more. */
static unsigned *saturated, at_turn, gap_max, turns;

static void take_turn(struct ev_loop *l, ev_io *w, int revents)
{
	if (*saturated - at_turn > gap_max)
		gap_max = *saturated - at_turn;
	at_turn = *saturated;
	turns++;
}

static void done_forever(struct tern_work *work)
{
	++*saturated;
	if (*saturated < 20000)
		tern_pool_submit(NULL, loop, work);
}

static void others_have_their_turn(void)
{
	for (int priority = EV_MINPRI; priority <= EV_MAXPRI; priority++) {
		const struct tern_loop_opts opts = {.size = sizeof(opts), .batch_max = 32};
		struct tern_work items[100];
		unsigned done = 0;
		int ends[2];
		ev_io io;

		open_with(0, &opts);
		ck_assert_int_eq(pipe(ends), 0);
		ck_assert_int_eq(write(ends[1], "x", 1), 1);
		ev_io_init(&io, take_turn, ends[0], EV_READ);
		ev_set_priority(&io, priority);
		ev_io_start(ev, &io);
		saturated = &done;
		at_turn = gap_max = turns = 0;
		for (size_t i = 0; i < COUNT(items); i++) {
			tern_work_init(&items[i], run_nothing, done_forever);
			tern_pool_submit(NULL, loop, &items[i]);
		}
		while (done < 20000)
			ev_run(ev, EVRUN_ONCE);
		/* a batch in prepare, and one when the descriptor is readable */
		ck_assert_uint_le(gap_max, 2 * opts.batch_max);
		ev_io_stop(ev, &io);
		ev_run(ev, 0);
		close_all();
		close(ends[0]);
		close(ends[1]);
	}
}

static void idle_turn(struct ev_loop *l, ev_idle *w, int revents)
{
	take_turn(l, NULL, revents);
}

/* Leftovers keep tern's idle watcher active all the time: it may keep no other from its turn. */
static void idle_watchers_have_their_turn(void)
{
	for (int priority = EV_MINPRI + 1; priority <= EV_MAXPRI; priority++) {
		const struct tern_loop_opts opts = {.size = sizeof(opts), .batch_max = 32};
		struct tern_work items[100];
		unsigned done = 0;
		ev_idle idle;

		open_with(0, &opts);
		ev_idle_init(&idle, idle_turn);
		ev_set_priority(&idle, priority);
		ev_idle_start(ev, &idle);
		saturated = &done;
		at_turn = gap_max = turns = 0;
		for (size_t i = 0; i < COUNT(items); i++) {
			tern_work_init(&items[i], run_nothing, done_forever);
			tern_pool_submit(NULL, loop, &items[i]);
		}
		while (done < 20000)
			ev_run(ev, EVRUN_ONCE);
		ck_assert_uint_gt(turns, 20000 / (8 * opts.batch_max));
		ev_idle_stop(ev, &idle);
		ev_run(ev, 0);
		close_all();
	}
}

static void count_timer(struct tern_timer *timer)
{
	++*(unsigned *)timer->user;
}

static void timers_on_libev(void)
{
	struct tern_timer timers[50];
	unsigned rang = 0;

	open_all();
	for (size_t i = 0; i < COUNT(timers); i++) {
		tern_timer_init(&timers[i], count_timer);
		timers[i].user = &rang;
		tern_timer_start(loop, &timers[i], (i * 7919) % 50 * 100000);
	}
	for (size_t i = 0; i < COUNT(timers); i += 2)
		ck_assert(tern_timer_stop(&timers[i]));
	ev_run(ev, 0);
	ck_assert_uint_eq(rang, COUNT(timers) / 2);
	/* armed, stopped, held, released, and no turn to notice */
	tern_timer_start(loop, &timers[0], 0);
	ck_assert(tern_timer_stop(&timers[0]));
	tern_loop_hold(loop);
	tern_loop_release(loop);
	close_all();
}

static void arrive_done(struct tern_work *work)
{
	latch_arrive(work->user);
}

static void wait_in_run(struct tern_work *work)
{
	latch_wait(work->user);
}

/* All threads get stuck behind the first item, of which the loop need not be told at once. */
static void a_completion_comes_though_the_next_items_are_long(void)
{
	open_all();
	for (unsigned i = 0; i < scaled(100); i++) {
		struct tern_work items[64];
		struct latch done;

		latch_init(&done, 1);
		tern_work_init(&items[0], run_nothing, arrive_done);
		for (size_t k = 1; k < COUNT(items); k++)
			tern_work_init(&items[k], wait_in_run, ignore_done);
		for (size_t k = 0; k < COUNT(items); k++) {
			items[k].user = &done;
			tern_pool_submit(pool, loop, &items[k]);
		}
		ev_run(ev, 0);
	}
	close_all();
}

static void *submit_late(void *arg)
{
	tern_pool_submit(pool, loop, arg);
	tern_loop_release(loop);
	return NULL;
}

static void a_hold_keeps_ev_run(void)
{
	open_all();
	for (unsigned i = 0; i < scaled(500); i++) {
		struct job job;
		pthread_t thread;

		job_init(&job);
		tern_loop_hold(loop);
		thread = thread_new(submit_late, &job.work);
		ev_run(ev, 0);
		ck_assert_uint_eq(job.dones, 1);
		thread_join(thread);
	}
	close_all();
}

static const struct test tests[] = {
	{"ev_run ends when nothing is out, on any backend", run_ends_when_nothing_is_out},
	{"EVRUN_ONCE", once},
	{"EVRUN_NOWAIT", nowait},
	{"EVRUN_NOWAIT, and the caller polls the backend", nowait_and_poll_outside},
	{"EVRUN_NOWAIT, and items that need each other", nowait_and_items_that_need_each_other},
	{"a prepare watcher after tern's submits", a_late_prepare_watcher_submits},
	{"a completion runs ev_run", nested_runs},
	{"ev_break with a full outbox", break_with_a_full_outbox},
	{"a busy idle watcher", a_busy_idle_watcher},
	{"other watchers have their turn", others_have_their_turn},
	{"idle watchers have their turn", idle_watchers_have_their_turn},
	{"timers, and no reference stays behind", timers_on_libev},
	{"a completion comes though the next items are long",
	 a_completion_comes_though_the_next_items_are_long},
	{"a hold keeps ev_run for a late submit", a_hold_keeps_ev_run},
};

int main(int argc, char **argv)
{
	return run_tests("ev", tests, COUNT(tests), argc, argv);
}
