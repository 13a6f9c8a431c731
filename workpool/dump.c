/* SPDX-License-Identifier: MIT */
/*
 * What a pool is doing, as text: copied under the pool's lock into memory that was had before, put
 * into words and written after it.
 *
 * Workers and lanes may have become more between the two; then there is another round, with more
 * memory. What is copied does not grow with what waits: queues know how many they hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/debug.h>
#include <unistd.h>

#include "../lib/base/symbol.h"
#include "pool.h"

#define LINE 512 /* more than the longest has: a symbol is cut */

enum state {
	ABSENT, /* no thread */
	IDLE,
	AWAKE, /* between items, or it comes or goes */
	RUNS,
};

struct worker_view {
	enum state state;
	tern_work_fn *run;
	void *user;
	uint64_t since_ns;
	bool timed;
	char lane[sizeof(((struct tern_lane *)NULL)->name)];
	bool laned, lent;
};

struct queue_view {
	uint32_t n[TERN__RANKS];
	uint64_t since_ns[TERN__RANKS]; /* of the first */
};

struct lane_view {
	char name[sizeof(((struct tern_lane *)NULL)->name)];
	uint32_t entered, running_max;
	struct queue_view held;
};

struct view {
	size_t workers_room, lanes_room;
	struct worker_view *workers; /* by number */
	struct lane_view *lanes;
	size_t n_workers, n_lanes;
	uint32_t threads, idle, lent, threads_min, loops, filled;
	bool closing;
	struct queue_view queue;
	uint64_t now_ns;
};

static void view_worker(struct worker_view *view, const struct tern__worker *w)
{
	memset(view, 0, sizeof(*view));
	if (w->unused)
		return;
	view->state = w->idle ? IDLE : AWAKE;
	if (w->idle || !tern__doing_runs(&w->doing))
		return;
	view->state = RUNS;
	view->run = w->doing.run;
	view->user = w->doing.user;
	view->since_ns = w->doing.since_ns;
	view->timed = w->doing.timed;
	view->lent = w->lent;
	view->laned = w->lane;
	if (w->lane)
		memcpy(view->lane, w->lane->name, sizeof(view->lane));
}

static void view_queue(struct queue_view *view, const struct tern__queue *queue)
{
	for (size_t i = 0; i < TERN__RANKS; i++) {
		view->n[i] = queue->counts[i];
		view->since_ns[i] = view->n[i] ? queue->lists[i].head->since_ns : 0;
	}
}

/* [lock held] */
static void view_workers(struct view *view, const struct tern_pool *p)
{
	view->n_workers = p->workers ? p->workers->number + 1 : 0;
	if (view->n_workers > view->workers_room)
		return;
	for (const struct tern__worker *w = p->workers; w; w = w->next)
		view_worker(&view->workers[w->number], w);
}

/* [lock held] */
static void view_lanes(struct view *view, const struct tern_pool *p)
{
	view->n_lanes = 0;
	for (const struct tern_lane *lane = p->lanes; lane; lane = lane->next) {
		struct lane_view *to = &view->lanes[view->n_lanes++];

		if (view->n_lanes > view->lanes_room)
			continue;
		memcpy(to->name, lane->name, sizeof(to->name));
		to->entered = lane->entered;
		to->running_max = lane->running_max;
		view_queue(&to->held, &lane->held);
	}
}

/* [lock held] */
static void view_loops(struct view *view, const struct tern_pool *p)
{
	view->loops = view->filled = 0;
	for (const struct tern__port *port = p->ports; port; port = port->next) {
		view->loops += port->loop != NULL;
		view->filled += !tern__mpsc_seems_empty(&port->outbox);
	}
}

/* False: workers or lanes need more room. */
static bool look(struct view *view, struct tern_pool *p)
{
	tern__pool_lock(p);
	view_workers(view, p);
	view_lanes(view, p);
	view_loops(view, p);
	view_queue(&view->queue, &p->queue);
	view->threads = p->threads;
	view->idle = p->idle;
	view->lent = p->lent;
	view->threads_min = p->threads_min;
	view->closing = tern__load(&p->closing);
	tern__pool_unlock(p);
	view->now_ns = tern__now_ns();
	return view->n_workers <= view->workers_room && view->n_lanes <= view->lanes_room;
}

static bool make_room(struct view *view)
{
	free(view->workers);
	free(view->lanes);
	/* a few more than there were: others may be on their way */
	view->workers_room = view->n_workers + 8;
	view->lanes_room = view->n_lanes + 8;
	view->workers = calloc(view->workers_room, sizeof(*view->workers));
	view->lanes = calloc(view->lanes_room, sizeof(*view->lanes));
	return view->workers && view->lanes;
}

struct writer {
	int fd, error;
	size_t n;
	char text[4 * LINE];
};

static void flush(struct writer *to)
{
	size_t written = 0;

	while (written < to->n && !to->error) {
		ssize_t n = write(to->fd, to->text + written, to->n - written);

		if (n > 0)
			written += (size_t)n;
		else if (!n || errno != EINTR)
			to->error = n ? -errno : -EIO;
	}
	to->n = 0;
}

static __attribute__((format(printf, 2, 3))) void print(struct writer *to, const char *format, ...)
{
	va_list args;
	int n;

	if (sizeof(to->text) - to->n < LINE)
		flush(to);
	va_start(args, format);
	n = vsnprintf(to->text + to->n, LINE, format, args);
	va_end(args);
	to->n += n < LINE ? (size_t)n : LINE - 1;
}

static void print_age(struct writer *to, uint64_t now_ns, uint64_t since_ns, bool exact)
{
	uint64_t ms = now_ns > since_ns ? (now_ns - since_ns) / TERN__MS : 0;

	print(to, " for %s%ju.%03u s", exact ? "" : "at most ", (uintmax_t)ms / 1000,
	      (unsigned)(ms % 1000));
}

static void print_limit(struct writer *to, const char *name, bool limited, uint64_t value)
{
	if (limited)
		print(to, ", %s %ju", name, (uintmax_t)value);
	else
		print(to, ", %s none", name);
}

static void print_pool(struct writer *to, const struct tern_pool *p, const struct view *view)
{
	uint32_t running = 0, waiting = 0;

	for (size_t i = 0; i < view->n_workers; i++)
		running += view->workers[i].state == RUNS;
	for (size_t i = 0; i < TERN__RANKS; i++)
		waiting += view->queue.n[i];
	print(to, "pool %s%s: %u threads of %u to %u, %u idle, %u lent, %u running, %u waiting",
	      p->name, view->closing ? ", closing" : "", view->threads, view->threads_min,
	      p->threads_max, view->idle, view->lent, running, waiting);
	print_limit(to, "queue_max", p->queue_max != TERN_FOREVER, p->queue_max);
	print_limit(to, "wait_ms_max", p->wait_ns != UINT64_MAX, p->wait_ns / TERN__MS);
	print_limit(to, "run_ms_warn", p->watch.on, p->watch.run_ns / TERN__MS);
	print(to, "\nloops: %u, %u with items not handed over\n", view->loops, view->filled);
}

static void print_worker(struct writer *to, const struct tern_pool *p, const struct view *view,
			 size_t number)
{
	const struct worker_view *w = &view->workers[number];
	static const char *const states[] = {"", "idle", "awake", "runs"};
	char name[TERN__NAME_SIZE], symbol[LINE / 2];

	tern__worker_name(p, (uint32_t)number, name);
	print(to, "%s %s", name, states[w->state]);
	if (w->state == RUNS) {
		tern__symbol_name((const void *)(uintptr_t)w->run, symbol, sizeof(symbol));
		print(to, " %s", symbol);
		print_age(to, view->now_ns, w->since_ns, w->timed);
		print(to, ", user %p", w->user);
		if (w->laned)
			print(to, ", lane %s", *w->lane ? w->lane : "without a name");
		if (w->lent)
			print(to, ", lent");
	}
	print(to, "\n");
}

static void print_queue(struct writer *to, const struct view *view, const struct queue_view *queue,
			const char *what)
{
	static const char *const names[TERN__RANKS] = {"normal", "high", "low"};

	for (size_t i = 0; i < TERN__RANKS; i++) {
		if (!queue->n[i])
			continue;
		print(to, "%s %s: %u, the first", what, names[i], queue->n[i]);
		print_age(to, view->now_ns, queue->since_ns[i], true);
		print(to, "\n");
	}
}

static void print_lane(struct writer *to, const struct view *view, const struct lane_view *lane)
{
	print(to, "lane %s: %u of %u entered\n", *lane->name ? lane->name : "without a name",
	      lane->entered, lane->running_max);
	print_queue(to, view, &lane->held, "  held");
}

static int print_all(int fd, const struct tern_pool *p, const struct view *view)
{
	struct writer to = {.fd = fd};

	print_pool(&to, p, view);
	for (size_t i = 0; i < view->n_workers; i++)
		if (view->workers[i].state)
			print_worker(&to, p, view, i);
	print_queue(&to, view, &view->queue, "waiting");
	for (size_t i = 0; i < view->n_lanes; i++)
		print_lane(&to, view, &view->lanes[i]);
	flush(&to);
	return to.error;
}

int tern_pool_dump(struct tern_pool *p, int fd)
{
	struct view view = {.n_workers = 0};
	int e = -ENOMEM;

	if (fcntl(fd, F_GETFL) < 0)
		return -errno;
	if (tern__pool_is_parents(p))
		return -ECHILD;
	while (make_room(&view)) {
		if (!look(&view, p))
			continue;
		e = print_all(fd, p, &view);
		break;
	}
	free(view.workers);
	free(view.lanes);
	return e;
}
