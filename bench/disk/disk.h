/* SPDX-License-Identifier: MIT */
/*
 * The disk question: so many reads or writes of one size kept in flight on one file, past the page
 * cache. A program is one system with disk.c linked in, which chooses the places, looks at each
 * outcome and does the accounts, so that all systems are asked the same by the same code.
 */
#ifndef DISK_H
#define DISK_H

#include "bench.h"

struct disk {
	/* what was asked: "name=value" on the command line */
	const char *file;
	const char *op;	    /* read, write, or fill: write all of a file once */
	const char *order;  /* random, or sequential */
	const char *drive;  /* how the system is driven, where it can be in several ways */
	const char *engine; /* which one of tern's */
	uint64_t block;	    /* bytes */
	uint64_t depth;	    /* in flight */
	uint64_t threads;   /* of systems that have a pool */
	uint64_t seed;
	uint64_t ms, warm_ms;
	uint64_t size;	/* of the file, for fill */
	uint64_t probe; /* 1: the loop answers the probe outside */

	/* what a system needs */
	int fd; /* with O_DIRECT */
	bool write;
	uint64_t flying; /* told by disk_next() to start, and not over */
};
extern struct disk disk;

/* One in flight. */
struct io {
	uint64_t offset;
	char *buffer; /* disk.block bytes, aligned; may be changed before disk_next() */
	uint64_t from_ns;
};
extern struct io *ios; /* disk.depth of them; their buffers lie one behind the other */

/* Says what to do next, in io; false: the time is up. */
bool disk_next(struct io *io);
/* It is over: bytes moved, or a negative errno. */
void disk_over(struct io *io, int64_t result);

/* A system: NAME.c. All calls are on one thread. */
extern const char *disk_how; /* what it found to be possible, for the reader */
void disk_start(void);	     /* all that comes before the first I/O */
void disk_watch(int fd);     /* readable(fd) on its loop; dies where there is none */
void disk_run(void);	     /* keeps depth in flight, then lets it run dry */

#endif
