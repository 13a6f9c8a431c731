/* SPDX-License-Identifier: MIT */
/* What log.c offers to whoever has lines to keep; log_main.c has. */
#ifndef LOG_H
#define LOG_H

#include <stdio.h>
#include <tern/io.h>

#define LOG_GROUP_SIZE ((size_t)256 << 10) /* the most that is written at once, with its head */

struct log_head {
	char magic[8];
	uint32_t sum, length;  /* sum is of all that follows it; length counts the head too */
	uint64_t first, count; /* lines: the log's first one has the number 1 */
};

struct log {
	/* yours, set before log_open(); the rest is only to be read */
	struct tern_io_queue *queue; /* whose buffers have LOG_GROUP_SIZE */
	struct tern_io_file file;
	bool circular; /* when it is full it starts over; else that is an error */
	/* [loop] So many lines from that number on are durable: may append. Or, once, an error. */
	void (*durable)(struct log *log, uint64_t first, uint64_t count, int error);

	struct tern_io *group; /* what is gathered; yours to release in the end */
	struct log_head next;  /* and its head */
	uint64_t offset;       /* where it goes */
	uint32_t last_sum;
	bool out; /* a write is, or has failed */
};

/*
 * [loop] [blocks] Finds the end of a log, or makes an empty file one. dump: all lines are written
 * there, and nothing is made. Returns 0 or a negative errno: -EINVAL also for what is no log.
 */
int log_open(struct log *log, FILE *dump);

/* [loop] Takes some lines, with their ends. False: there is no room until the write is home. */
bool log_append(struct log *log, const char *text, size_t length, uint64_t lines);

/* [loop] Writes what was appended; if a write is out, as soon as that is home. */
void log_commit(struct log *log);

#endif
