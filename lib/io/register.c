/* SPDX-License-Identifier: MIT */
/*
 * Files that an engine keeps at hand. A file's value says which registration it is of: a number
 * that no other has had, with the slot in its low bits. So a value that is out of date, or another
 * queue's, only is not found, and never another file.
 *
 * A slot is emptied when nobody uses it: a ring looks it up when it begins with a request, which
 * may be on a thread of the kernel's, at any time.
 */
#include <errno.h>

#include "io.h"

#define LEAVING 1 /* no file's number: these begin at TERN__IO_SLOTS */

static int32_t slot_of(const struct tern_io_queue *q, const struct tern_io_file *file)
{
	uint32_t slot = file->registered % TERN__IO_SLOTS;

	return file->registered && q->kept[slot].as == file->registered ? (int32_t)slot : -1;
}

void tern__io_use_slot(struct tern_io *io)
{
	io->slot = (int8_t)slot_of(io->queue, &io->file);
	if (io->slot >= 0)
		io->queue->kept[io->slot].users++;
}

static int empty(struct tern_io_queue *q, uint32_t slot)
{
	int e = q->engine.keep(q->state, slot, -1);

	if (!e)
		q->kept[slot].as = 0;
	return e;
}

void tern__io_leave_slot(struct tern_io *io)
{
	struct tern__io_kept *kept = &io->queue->kept[io->slot];

	/* if it cannot be emptied now it is at the queue's end */
	if (!--kept->users && kept->as == LEAVING)
		empty(io->queue, (uint32_t)io->slot);
}

void tern__io_empty_slots(struct tern_io_queue *q)
{
	for (uint32_t slot = 0; slot < TERN__IO_SLOTS; slot++)
		if (q->kept[slot].as)
			empty(q, slot);
}

static uint32_t new_registration(uint32_t slot)
{
	static uint32_t so_far; /* all loops' threads add to it; nothing follows from its order */
	uint32_t n;

	do
		n = tern__add(&so_far, TERN__IO_SLOTS);
	while (!n); /* after 2^26 of them: their first */
	return n + slot;
}

int tern_io_register(struct tern_io_queue *q, struct tern_io_file *file)
{
	uint32_t slot = 0;
	int e;

	tern__io_enter(q, "tern_io_register");
	if (file->fd < 0)
		return -EBADF;
	if (slot_of(q, file) >= 0)
		return 0;
	if (!q->engine.keep)
		return -ENOTSUP;
	while (slot < TERN__IO_SLOTS && q->kept[slot].as)
		slot++;
	if (slot == TERN__IO_SLOTS)
		return -ENOSPC;
	e = q->engine.keep(q->state, slot, file->fd);
	if (!e)
		file->registered = q->kept[slot].as = new_registration(slot);
	return e;
}

int tern_io_unregister(struct tern_io_queue *q, struct tern_io_file *file)
{
	int32_t slot;
	int e = 0;

	tern__io_enter(q, "tern_io_unregister");
	slot = slot_of(q, file);
	if (slot < 0)
		return -ENOENT;
	if (q->kept[slot].users)
		q->kept[slot].as = LEAVING;
	else
		e = empty(q, (uint32_t)slot);
	if (!e)
		file->registered = 0;
	return e;
}
