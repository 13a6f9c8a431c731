/* SPDX-License-Identifier: MIT */
/* Futures, wakers and threads that tests of futures move by hand. */
#ifndef TERN_TESTS_FUTURES_H
#define TERN_TESTS_FUTURES_H

#include <limits.h>

#include "harness.h"

#define MS    UINT64_C(1000000)
#define NEVER UINT_MAX

/* A future that does as it is told, and keeps account. */
struct puppet {
	struct tern_future future;
	unsigned polls, cancels;
	unsigned idle;	/* so many polls leave it idle, ... */
	unsigned after; /* ... so many do not find it complete; NEVER */
	int64_t ends_with;
	bool obeys;    /* after a cancel the next poll finds it complete with -ECANCELED */
	bool attaches; /* tern_future_complete ends it too */
	bool async;
	enum tern_notify says;
	uint64_t *word; /* with TERN_NOTIFY_POLLER */
	uint64_t deadline_ns;
	unsigned *order; /* bumped by each poll of all that share it */
	unsigned place;	 /* what it was at the last */
	struct tern_notifier given;
};

/* It is complete at the first poll, with result. */
void puppet_init(struct puppet *puppet, int64_t result);

/* A waker that counts; hooks may be NULL. */
struct bell {
	struct tern_waker waker;
	unsigned holds, wakes;
	struct tern_waker *leads_to; /* what hold returns; NULL: nobody */
	void (*on_hold)(void *arg);
	void (*on_wake)(void *arg);
	void *arg;
};

void bell_init(struct bell *bell);

/* Polls it with this bell, which may be NULL; out, too, if said is not NULL. */
enum tern_future_state poll_with(struct tern_future *future, struct bell *bell,
				 struct tern_notifier *said);

/* Threads that do the same thing at once, round by round. */
struct crowd {
	pthread_t threads[16];
	unsigned n;
	pthread_barrier_t start, end;
	void (*fn)(void *arg, unsigned who); /* NULL: leave */
	void *arg;
	unsigned next;
};

void crowd_init(struct crowd *crowd, unsigned n);
void crowd_start(struct crowd *crowd, void (*fn)(void *arg, unsigned who), void *arg);
void crowd_end(struct crowd *crowd); /* waits until all are back */
void crowd_destroy(struct crowd *crowd);

/* What a done of tern_future_run leaves behind. */
struct came {
	unsigned dones;
	int64_t result;
	struct tern_future *future;
	pthread_t on;
};

void note_came(struct tern_future *future, void *came);

/* Fills it with what nobody can use, and frees it. */
void spoil(void *p, size_t size);

#endif
