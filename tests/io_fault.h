/* SPDX-License-Identifier: MIT */
/*
 * An engine that goes wrong by a seed: errors, short transfers, -EAGAIN, -EINTR, delay, any order.
 * What it does not refuse it carries out, by system calls of its own.
 */
#ifndef TERN_TESTS_IO_FAULT_H
#define TERN_TESTS_IO_FAULT_H

#include "io_engines.h"

#define FAULTS_HELD 64

/* When requests are over. */
enum fault_pace {
	FAULT_INSIDE, /* inside start, as with the sync engine */
	FAULT_TURNS,  /* fetched by the loop, as with a ring */
	FAULT_THREAD, /* on a thread of its own, as with a pool */
};

/* How often, of 256 pieces. */
struct fault_odds {
	uint8_t error, brief, again, interrupted; /* as results; brief: a short transfer */
	uint8_t refusal, refusal_error;		  /* from start: -EAGAIN, or what ends it */
};

struct fault_engine {
	struct tern_io_engine table;
	enum fault_pace pace;
	struct fault_odds odds;
	uint32_t grain; /* short transfers are of multiples of it */
	/* from here on private */
	uint64_t seed;	/* of what start draws */
	uint64_t fates; /* of what is drawn at the end, maybe on the thread */
	unsigned opened, closed, overwritten;
	struct tern_io *held[FAULTS_HELD];
	unsigned n;
	int wake_fd;
	bool ends;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t some;
};

/* Sets it up for one queue after another; it must outlive them. */
void fault_engine_init(struct fault_engine *f, enum fault_pace pace, uint64_t seed,
		       struct fault_odds odds);

/* After the last queue's end: fails the test if a buffer changed while it was being written. */
void fault_engine_check(const struct fault_engine *f);

#endif
