/* SPDX-License-Identifier: MIT */
/*
 * The trace: each thread has a ring of its own that it fills without a lock, and one writer, which
 * is there only while a trace is, empties them all into the file.
 *
 *	who may touch			what
 *	its thread, inside		busy, ring, head, who it is; state: FREE to TAKEN to ENDED
 *	any thread			busy
 *	the writer			tail, fresh, what lies before head; state: ENDED to FREE
 *	stop, when nobody is inside	all
 *
 * Inside is a thread from where it has raised `busy` (T1) and then found that its session is still
 * the current one (T2), until it lowers `busy`. Stop ends the session (T3) and then waits until
 * each `busy` is zero (T4): who is inside is waited for, and who raises `busy` later finds the
 * session ended and touches nothing else. All four are sequentially consistent.
 *
 * A thread that was held up between its look at the session and T1 may raise the `busy` of a ring
 * that is another's by now, even of the next session; it lowers it again at once, which is why
 * `busy` counts and why the rings' heads are static: there is always such a word, and a thread
 * needs no destructor that would have to outlive the library.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <tern/trace.h>
#include <unistd.h>

#include "clock.h"
#include "fork.h"
#include "park.h"
#include "trace.h"
#include "trace_json.h"

/*
 * Only a worker gives its track back when it ends. So these are for the program's own threads that
 * have taken part, ended or not, and for the workers there are at once. What more threads have to
 * say is lost, and counted.
 */
#define TRACKS	512
#define RING	4096		/* events of a thread that wait for the writer */
#define LOOK_NS (20 * TERN__MS) /* how often the writer looks by itself */

_Static_assert(RING * sizeof(struct tern__trace_event) < 295000,
	       "tern_trace(3) tells a ring's size");

enum {
	FREE,
	FILLING,
	TAKEN,
	ENDED
};

/* One thread's. */
struct track {
	TERN__LINE uint32_t busy;
	uint32_t state;
	uint32_t head; /* events so far */
	uint32_t lost; /* of this ring's threads, in this session */
	int tid;
	char name[16];
	struct tern__trace_event *ring; /* kept from one thread to the next, until stop */
	TERN__LINE uint32_t tail;	/* events the writer has done with */
	bool fresh;			/* it has not named the thread yet */
	bool loop;			/* it has, as a loop's */
};

struct writer {
	pthread_t thread;
	struct tern__park park;
	bool stopping;
	uint64_t lost_told;
	struct tern__json json;
};

enum {
	OFF,
	CHANGING,
	ON
};

uint32_t tern__trace_session;

static uint32_t phase; /* OFF to CHANGING to ON and back: whoever makes it CHANGING owns the rest */
static uint32_t sessions;
static struct writer *writer;  /* of the session; read inside, changed by the owner of phase;
				  whole, or NULL: a child may look at any time */
static uint32_t lost_unplaced; /* events of threads that found no track */
static struct track tracks[TRACKS];

static __thread struct {
	uint32_t session;
	struct track *track; /* of that session; NULL: there was none left */
} mine;

/* T1, T2 */
static bool go_inside(struct track *t, uint32_t session)
{
	tern__add_seq(&t->busy, 1);
	if (tern__load_seq(&tern__trace_session) == session)
		return true;
	tern__sub_acq_rel(&t->busy, 1);
	return false;
}

static void go_outside(struct track *t)
{
	tern__sub_acq_rel(&t->busy, 1); /* release: pairs with stop's look at busy */
}

static bool fill(struct track *t)
{
	if (!t->ring)
		t->ring = malloc(RING * sizeof(*t->ring));
	if (!t->ring)
		return false;
	t->tid = (int)syscall(SYS_gettid);
	if (pthread_getname_np(pthread_self(), t->name, sizeof(t->name)))
		t->name[0] = '\0';
	t->fresh = true;
	t->loop = false;
	return true;
}

/* A track for this thread, at its first event in a session. False: the session has ended. */
static bool claim(uint32_t session)
{
	struct track *found = NULL;

	for (struct track *t = tracks; t < tracks + TRACKS && !found; t++) {
		uint32_t was = FREE;

		if (tern__load(&t->state) != FREE)
			continue;
		if (!go_inside(t, session))
			return false;
		/* pairs with the release of FREE, by the writer or by stop */
		if (tern__cas_seq(&t->state, &was, FILLING)) {
			if (fill(t))
				found = t;
			/* pairs with the writer's look */
			tern__store_release(&t->state, found ? TAKEN : FREE);
		}
		go_outside(t);
		if (was == FREE && !found)
			break; /* no memory */
	}
	mine.session = session;
	mine.track = found;
	return true;
}

void tern__trace_emit(uint32_t session, const struct tern__trace_event *event)
{
	struct track *t;
	uint32_t waiting;

	if (mine.session != session && !claim(session))
		return;
	t = mine.track;
	if (!t) {
		tern__add(&lost_unplaced, 1);
		return;
	}
	if (!go_inside(t, session))
		return;
	waiting = t->head - tern__load_acquire(&t->tail); /* pairs with drain: it has read those */
	if (waiting == RING) {
		tern__bump(&t->lost, 1u);
	} else {
		t->ring[t->head % RING] = *event;
		tern__store_release(&t->head, t->head + 1); /* pairs with drain */
		if (waiting + 1 == RING / 2)
			tern__park_wake(&writer->park);
	}
	go_outside(t);
}

void tern__trace_leave(void)
{
	uint32_t session = tern__trace_on();
	struct track *t = mine.track;

	if (!session || mine.session != session || !t || !go_inside(t, session))
		return;
	tern__store_release(&t->state, ENDED); /* pairs with the writer's look */
	go_outside(t);
	mine.session = 0;
}

static void name_track(struct writer *w, struct track *t)
{
	char name[sizeof(t->name) + 8];

	snprintf(name, sizeof(name), "%s%s", t->name, t->loop ? " (loop)" : "");
	tern__json_name_thread(&w->json, t->tid, name);
	t->fresh = false;
}

static void drain(struct writer *w, struct track *t)
{
	uint32_t head = tern__load_acquire(&t->head); /* pairs with emit */

	if (t->fresh)
		name_track(w, t);
	for (uint32_t at = t->tail; at != head; at++) {
		const struct tern__trace_event *event = &t->ring[at % RING];

		if (event->form->of_loop && !t->loop) {
			t->loop = true;
			name_track(w, t);
		}
		tern__json_event(&w->json, t->tid, event);
		tern__store_release(&t->tail, at + 1); /* pairs with emit */
	}
}

static void drain_all(struct writer *w)
{
	uint64_t lost = tern__load(&lost_unplaced);

	for (struct track *t = tracks; t < tracks + TRACKS; t++) {
		/* before its head: a thread that has ended emits no more. Pairs with claim and
		 * leave */
		uint32_t state = tern__load_acquire(&t->state);

		lost += tern__load(&t->lost);
		if (state != TAKEN && state != ENDED)
			continue;
		drain(w, t);
		if (state == ENDED)
			tern__store_release(&t->state, FREE); /* pairs with claim */
	}
	if (lost != w->lost_told)
		tern__json_lost(&w->json, tern__now_ns(), lost);
	w->lost_told = lost;
	tern__json_flush(&w->json);
}

static void *write_all(void *arg)
{
	struct writer *w = arg;
	bool last;

	pthread_setname_np(pthread_self(), "tern-trace");
	/* until the file is open, or is not to be had */
	tern__park_wait(&w->park, UINT64_MAX);
	if (w->json.fd < 0)
		return NULL;
	tern__json_begin(&w->json);
	do {
		tern__park_clear(&w->park);
		last = tern__load_acquire(&w->stopping);
		drain_all(w);
		if (!last)
			tern__park_wait(&w->park, LOOK_NS);
	} while (!last);
	tern__json_lost(&w->json, tern__now_ns(), w->lost_told);
	tern__json_end(&w->json);
	return NULL;
}

/*
 * Signals are the program's business; and the two that a write may raise, for a pipe that nobody
 * reads or a file that is too long, must not end it.
 */
static int start_writer(struct writer *w)
{
	sigset_t all, before;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&w->thread, NULL, write_all, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -e;
}

/* First what can fail without a trace of it, then the file. */
static int open_writer(struct writer **ret, const char *path)
{
	struct writer *w = calloc(1, sizeof(*w));
	int e;

	if (!w)
		return -ENOMEM;
	w->json.fd = -1;
	e = start_writer(w);
	if (e) {
		free(w);
		return e;
	}
	w->json.pid = (int)getpid();
	w->json.zero_ns = tern__now_ns();
	w->json.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	e = w->json.fd < 0 ? -errno : 0;
	tern__park_wake(&w->park);
	if (!e) {
		*ret = w;
		return 0;
	}
	pthread_join(w->thread, NULL);
	free(w);
	return e;
}

/*
 * Nobody is inside, and the writer is gone. A child may be forked at any point of it: what can be
 * found has not been freed.
 */
static void clear_tracks(void)
{
	for (struct track *t = tracks; t < tracks + TRACKS; t++) {
		free(tern__xchg_seq(&t->ring, NULL));
		t->head = t->tail = t->lost = 0;
		tern__store_release(&t->state, FREE); /* pairs with claim */
	}
	lost_unplaced = 0;
}

/* No longer to be found, then closed: see clear_tracks. */
static void close_writer(void)
{
	struct writer *w = tern__xchg_seq(&writer, NULL);

	close(w->json.fd);
	free(w);
}

/*
 * In the child of a fork: the writer and all other threads are the parent's, and so is the file.
 * They may have been anywhere, inside an event or in the middle of start or stop.
 */
static void forget(void)
{
	tern__store(&tern__trace_session, 0);
	if (writer)
		close_writer();
	if (sessions) { /* else they are untouched, and their pages not yet there */
		for (struct track *t = tracks; t < tracks + TRACKS; t++)
			t->busy = 0;
		clear_tracks();
	}
	phase = OFF;
}

__attribute__((constructor)) static void watch(void)
{
	tern__fork_register(forget);
}

static bool change(uint32_t from)
{
	return tern__cas_seq(&phase, &from, CHANGING);
}

int tern_trace_start(const char *path)
{
	int e;

	if (!change(OFF))
		return -EBUSY;
	e = tern__fork_error();
	if (!e)
		e = open_writer(&writer, path);
	if (!e) {
		sessions += sessions == UINT32_MAX ? 2 : 1; /* 0 is none */
		/* seq: who sees it sees the writer, at T2 */
		tern__xchg_seq(&tern__trace_session, sessions);
	}
	tern__store_release(&phase, e ? OFF : ON);
	return e;
}

void tern_trace_stop(void)
{
	if (!change(ON))
		return;
	tern__xchg_seq(&tern__trace_session, 0); /* T3 */
	for (struct track *t = tracks; t < tracks + TRACKS; t++)
		while (tern__load_seq(&t->busy)) /* T4; acquire: what was emitted is all there */
			sched_yield();
	tern__store_release(&writer->stopping, true);
	tern__park_wake(&writer->park);
	pthread_join(writer->thread, NULL);
	close_writer();
	clear_tracks();
	tern__store_release(&phase, OFF);
}
