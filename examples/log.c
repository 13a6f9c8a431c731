/* SPDX-License-Identifier: MIT */
/*
 * An append-only log: what arrives while a write is out goes together into the next one, and is
 * acknowledged when that is durable. Each group starts at a block, and its checksum goes on from
 * that of the group before, so that nothing which a crash left is taken for its successor.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "log.h"

#define MAGIC	   "ternlog"
#define BLOCK_SIZE 4096
#define LOG_SIZE   (64 << 20) /* written beforehand: later writes change data and nothing else */

static uint64_t in_blocks(uint64_t length)
{
	return (length + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
}

static uint32_t sum_of(const struct log *log, const struct log_head *head)
{
	return (uint32_t)crc32_z(log->last_sum, (const Bytef *)&head->length, head->length - 12);
}

static bool is_next(const struct log *log, const struct log_head *head, int64_t have)
{
	return have >= (int64_t)sizeof(*head) && memcmp(head->magic, MAGIC, sizeof(MAGIC)) == 0 &&
	       head->length > sizeof(*head) && head->length <= have &&
	       (!log->offset || head->first == log->next.first) && head->sum == sum_of(log, head);
}

/* One request, and nothing else: only while the log is opened. */
static int64_t carry_out(struct log *log)
{
	int error = tern_io_submit(log->group);

	return error ? error : tern_io_wait(log->queue)->result;
}

/* Finds the last whole group; the log goes on behind it. */
static int64_t recover(struct log *log, FILE *dump)
{
	const char *buffer = log->group->own_buffer;
	uint64_t start;
	int64_t have;

	do {
		start = log->offset;
		tern_io_prep_read(log->group, &log->file, start, LOG_GROUP_SIZE);
		have = carry_out(log);
		if (!start && have > 0 && *buffer && memcmp(buffer, MAGIC, sizeof(MAGIC)) != 0)
			return -EINVAL; /* somebody else's file */
		for (;;) {
			uint64_t at = log->offset - start;
			const struct log_head *head = (const void *)(buffer + at);

			if (!is_next(log, head, have - (int64_t)at))
				break;
			if (dump)
				fwrite(head + 1, head->length - sizeof(*head), 1, dump);
			log->last_sum = head->sum;
			log->next.first = head->first + head->count;
			log->offset += in_blocks(head->length);
		}
	} while (log->offset != start);
	return have < 0 ? have : 0;
}

/* Room on the disk, written once, behind what is there; and that is to last, who ever wrote it. */
static int64_t prepare(struct log *log)
{
	int64_t result = lseek(log->file.fd, 0, SEEK_END);
	uint64_t at = result < LOG_SIZE ? log->offset : LOG_SIZE;

	tern_io_prep_allocate(log->group, &log->file, 0, LOG_SIZE);
	carry_out(log); /* where the file system cannot, the writes have to do */
	memset(log->group->own_buffer, 0, LOG_GROUP_SIZE);
	for (; at < LOG_SIZE && result >= 0; at += LOG_GROUP_SIZE) {
		tern_io_prep_write(log->group, &log->file, at, LOG_GROUP_SIZE);
		result = carry_out(log);
	}
	tern_io_prep_fsync(log->group, &log->file);
	return result < 0 ? result : carry_out(log);
}

int log_open(struct log *log, FILE *dump)
{
	int64_t error;

	log->group = tern_io_get(log->queue);
	log->next = (struct log_head){.magic = MAGIC, .length = sizeof(log->next), .first = 1};
	error = recover(log, dump);
	return (int)(error || dump ? error : prepare(log));
}

bool log_append(struct log *log, const char *text, size_t length, uint64_t lines)
{
	if (length > LOG_GROUP_SIZE - log->next.length)
		return false;
	memcpy((char *)log->group->own_buffer + log->next.length, text, length);
	log->next.length += (uint32_t)length;
	log->next.count += lines;
	return true;
}

static void written(struct tern_io *io)
{
	const struct log_head *head = io->own_buffer;
	struct log *log = io->user;

	log->durable(log, head->first, head->count, io->result < 0 ? (int)io->result : 0);
	log->out = io->result < 0; /* then nobody knows what the disk holds: it stays at that */
	tern_io_release(io);
	log_commit(log);
}

void log_commit(struct log *log)
{
	struct tern_io *io = log->group;
	struct log_head *head = io->own_buffer;
	uint64_t length = in_blocks(log->next.length);
	bool full = log->offset + length > LOG_SIZE;
	int error = full && !log->circular ? -ENOSPC : 0;

	if (log->out || !log->next.count)
		return;
	if (full)
		log->offset = log->last_sum = 0;
	*head = log->next;
	head->sum = log->last_sum = sum_of(log, head);
	memset((char *)head + head->length, 0, length - head->length);
	tern_io_prep_write(io, &log->file, log->offset, length);
	io->flags = TERN_IO_DURABLE;
	io->done = written;
	io->user = log;
	log->out = true;
	error = error ? error : tern_io_submit(io);
	if (error) {
		log->durable(log, head->first, head->count, error);
		return;
	}
	log->offset += length;
	log->next.first += log->next.count;
	log->next.count = 0;
	log->next.length = sizeof(log->next);
	log->group = tern_io_get(log->queue);
}
