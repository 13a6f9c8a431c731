/* SPDX-License-Identifier: MIT */
/* Registered files as an engine sees them: which slot, when it is filled, and when it is emptied.
 */
#include "forking.h"
#include "io_hand.h"

#define BLOCK 4096
#define SLOTS 64

/* The hand, with slots. */
struct keeper {
	struct hand hand; /* first: it is the engine's state */
	int fds[SLOTS];	  /* -1: empty */
	unsigned kept, emptied;
	int refusal;
	bool closed;
};

static int keep(void *state, uint32_t slot, int fd)
{
	struct keeper *k = state;

	ck_assert_uint_lt(slot, SLOTS);
	ck_assert(!k->closed);
	ck_assert_int_eq(k->fds[slot] < 0, fd >= 0);
	for (unsigned i = 0; i < k->hand.n; i++)
		ck_assert(hand_piece(&k->hand, i).slot != (int)slot);
	if (k->refusal)
		return k->refusal;
	k->fds[slot] = fd;
	k->kept += fd >= 0;
	k->emptied += fd < 0;
	return 0;
}

static void end(void *state)
{
	struct keeper *k = state;

	k->closed = true;
}

static struct tern_io_queue *keeper_queue(struct bed *bed, struct keeper *k, bool keeps)
{
	*k = (struct keeper){.refusal = 0};
	hand_init(&k->hand);
	memset(k->fds, -1, sizeof(k->fds));
	k->hand.table.keep = keeps ? keep : NULL;
	k->hand.table.close = end;
	k->hand.takes_back = true;
	return bed_queue(bed, (struct tern_io_opts){.engine = &k->hand.table});
}

static void make(struct bed *bed, struct keeper *k)
{
	*bed = (struct bed){.loop = loop_new(), .file.fd = -1};
	bed->queue = keeper_queue(bed, k, true);
}

static struct tern_io_file file_of(int fd)
{
	struct tern_io_file file = no_file(1);

	file.fd = fd;
	return file;
}

/* The slot that a write to it is started with; the write is over afterwards. */
static int slot_of(struct bed *bed, struct keeper *k, const struct tern_io_file *file)
{
	struct tern_io *io = io_get(bed);

	tern_io_prep_write(io, file, 0, BLOCK);
	io->done = tern_io_release;
	ck_assert_int_eq(tern_io_submit(io), 0);
	hand_finish(bed, &k->hand);
	ck_assert_int_eq(k->hand.last.fd, file->fd);
	return k->hand.last.slot;
}

static void pieces_say_where_the_file_is_kept(void)
{
	struct tern_io_file a = file_of(1000), b = file_of(1001), copy;
	struct keeper k;
	struct bed bed;

	make(&bed, &k);
	ck_assert_int_eq(slot_of(&bed, &k, &a), -1);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(tern_io_register(bed.queue, &a), 0);
		ck_assert_int_eq(tern_io_register(bed.queue, &b), 0);
		ck_assert_uint_eq(k.kept, 2);
	}
	copy = a;
	ck_assert_int_eq(k.fds[slot_of(&bed, &k, &copy)], 1000);
	ck_assert_int_eq(k.fds[slot_of(&bed, &k, &b)], 1001);
	ck_assert_int_eq(tern_io_unregister(bed.queue, &a), 0);
	ck_assert_uint_eq(k.emptied, 1);
	ck_assert_int_eq(slot_of(&bed, &k, &a), -1);
	ck_assert_int_eq(slot_of(&bed, &k, &copy), -1);
	ck_assert_int_eq(k.fds[slot_of(&bed, &k, &b)], 1001);
	ck_assert_int_eq(tern_io_register(bed.queue, &a), 0);
	ck_assert_int_eq(k.fds[slot_of(&bed, &k, &a)], 1000);
	ck_assert_int_eq(slot_of(&bed, &k, &copy), -1);
	bed_end(&bed);
}

static void what_is_of_no_file_has_no_slot(void)
{
	struct tern_io_file file = file_of(1000);
	struct keeper k;
	struct bed bed;
	struct tern_io *io;

	make(&bed, &k);
	ck_assert_int_eq(tern_io_register(bed.queue, &file), 0);
	io = io_get(&bed);
	tern_io_prep_barrier(io);
	ck_assert_int_eq(io_once(io), 0);
	io = io_get(&bed);
	tern_io_prep_truncate(io, &file, 0);
	io->done = tern_io_release;
	ck_assert_int_eq(tern_io_submit(io), 0);
	ck_assert_int_eq(k.fds[hand_piece(&k.hand, 0).slot], 1000);
	hand_finish(&bed, &k.hand);
	bed_end(&bed);
}

static void so_many_and_no_more(void)
{
	struct tern_io_file files[SLOTS], more = file_of(2000), before = more;
	struct keeper k;
	struct bed bed;

	make(&bed, &k);
	for (int i = 0; i < SLOTS; i++) {
		files[i] = file_of(1000 + i);
		ck_assert_int_eq(tern_io_register(bed.queue, &files[i]), 0);
	}
	ck_assert_int_eq(tern_io_register(bed.queue, &more), -ENOSPC);
	ck_assert(same_file(&more, &before));
	ck_assert_uint_eq(k.kept, SLOTS);
	ck_assert_int_eq(tern_io_register(bed.queue, &files[40]), 0);
	ck_assert_int_eq(tern_io_unregister(bed.queue, &files[40]), 0);
	ck_assert_int_eq(tern_io_register(bed.queue, &more), 0);
	for (int i = 0; i < SLOTS; i++)
		if (i != 40)
			ck_assert_int_eq(k.fds[slot_of(&bed, &k, &files[i])], 1000 + i);
	ck_assert_int_eq(k.fds[slot_of(&bed, &k, &more)], 2000);
	ck_assert_int_eq(slot_of(&bed, &k, &files[40]), -1);
	bed_end(&bed);
	ck_assert_uint_eq(k.emptied, SLOTS + 1); /* before close */
	ck_assert(k.closed);
}

static void errors_change_nothing(void)
{
	struct tern_io_file file = file_of(1000), none = file_of(-1), before = file, other;
	struct tern_io_queue *plain;
	struct keeper k, l;
	struct bed bed;

	make(&bed, &k);
	plain = keeper_queue(&bed, &l, false);
	ck_assert_int_eq(tern_io_register(plain, &file), -ENOTSUP);
	k.refusal = -EMFILE;
	ck_assert_int_eq(tern_io_register(bed.queue, &file), -EMFILE);
	ck_assert(same_file(&file, &before));
	ck_assert_int_eq(slot_of(&bed, &k, &file), -1);
	k.refusal = 0;
	before = none;
	ck_assert_int_eq(tern_io_register(bed.queue, &none), -EBADF);
	ck_assert(same_file(&none, &before));
	ck_assert_int_eq(tern_io_unregister(bed.queue, &file), -ENOENT);
	ck_assert_int_eq(tern_io_register(bed.queue, &file), 0);
	ck_assert_int_eq(tern_io_unregister(plain, &file), -ENOENT);

	before = file;
	k.refusal = -ENOMEM;
	ck_assert_int_eq(tern_io_unregister(bed.queue, &file), -ENOMEM);
	ck_assert(same_file(&file, &before));
	ck_assert_int_eq(k.fds[slot_of(&bed, &k, &file)], 1000);
	k.refusal = 0;
	ck_assert_int_eq(tern_io_unregister(bed.queue, &file), 0);
	other = file_of(1001);
	ck_assert_int_eq(tern_io_register(bed.queue, &other), 0);
	ck_assert_int_eq(tern_io_unregister(bed.queue, &file), -ENOENT);
	ck_assert_int_eq(tern_io_unregister(bed.queue, &before), -ENOENT); /* as it was then */
	ck_assert_uint_eq(k.emptied, 1);
	ck_assert_int_eq(tern_io_queue_destroy(plain), 0);
	bed_end(&bed);
}

static void a_queue_does_not_know_the_other_ones_files(void)
{
	struct tern_io_file file = file_of(1000), copy;
	struct bed bed, other;
	struct keeper k, l;

	make(&bed, &k);
	other = bed;
	other.queue = keeper_queue(&bed, &l, true);
	ck_assert_int_eq(tern_io_register(bed.queue, &file), 0);
	copy = file;
	ck_assert_int_eq(slot_of(&other, &l, &copy), -1);
	ck_assert_int_eq(tern_io_register(other.queue, &copy), 0);
	ck_assert_int_eq(l.fds[slot_of(&other, &l, &copy)], 1000);
	ck_assert_int_eq(k.fds[slot_of(&bed, &k, &file)], 1000);
	ck_assert_int_eq(slot_of(&bed, &k, &copy), -1);
	ck_assert_int_eq(tern_io_queue_destroy(other.queue), 0);
	ck_assert_uint_eq(l.emptied, 1);
	bed_end(&bed);
}

static struct tern_io *submit(struct bed *bed, const struct tern_io_file *file)
{
	struct tern_io *io = io_get(bed);

	tern_io_prep_write(io, file, 0, BLOCK);
	io->done = tern_io_release;
	ck_assert_int_eq(tern_io_submit(io), 0);
	return io;
}

static void a_slot_in_use_is_emptied_later(void)
{
	struct tern_io_file file = file_of(1000), copy, other = file_of(1001);
	struct keeper k;
	struct bed bed;
	int slot;

	make(&bed, &k);
	ck_assert_int_eq(tern_io_register(bed.queue, &file), 0);
	slot = slot_of(&bed, &k, &file);
	copy = file;
	submit(&bed, &copy);
	submit(&bed, &copy);
	ck_assert_int_eq(tern_io_unregister(bed.queue, &file), 0);
	ck_assert_uint_eq(k.emptied, 0);
	ck_assert_int_eq(tern_io_unregister(bed.queue, &copy), -ENOENT);
	ck_assert_int_eq(tern_io_register(bed.queue, &other), 0); /* elsewhere */
	ck_assert_int_eq(k.fds[slot], 1000);
	submit(&bed, &copy);
	submit(&bed, &other);
	ck_assert_int_eq(hand_piece(&k.hand, 2).slot, -1);
	ck_assert_int_eq(k.fds[hand_piece(&k.hand, 3).slot], 1001);

	hand_complete(&k.hand, 0, BLOCK);
	hand_complete(&k.hand, 0, BLOCK / 2); /* which is not all of it */
	turn(&bed);
	ck_assert_uint_eq(k.emptied, 0);
	ck_assert_int_eq(k.hand.last.slot, slot);
	hand_complete(&k.hand, 2, BLOCK / 2);
	turn(&bed);
	ck_assert_uint_eq(k.emptied, 1);
	ck_assert_int_eq(k.fds[slot], -1);
	hand_finish(&bed, &k.hand);
	bed_end(&bed);
	ck_assert_uint_eq(k.emptied, 2);
}

static void what_is_taken_back_uses_it_no_more(void)
{
	struct tern_io_file file = file_of(1000);
	struct keeper k;
	struct tern_io *io;
	struct bed bed;

	make(&bed, &k);
	for (unsigned waits = 0; waits <= 1; waits++) {
		ck_assert_int_eq(tern_io_register(bed.queue, &file), 0);
		k.hand.refusal = -EAGAIN;
		k.hand.refuses = waits;
		io = submit(&bed, &file);
		ck_assert_uint_eq(k.hand.n, !waits);
		ck_assert_int_eq(tern_io_unregister(bed.queue, &file), 0);
		ck_assert(tern_io_cancel(io));
		ck_assert_uint_eq(k.emptied, waits);
		turn(&bed);
		ck_assert_uint_eq(k.emptied, waits + 1);
		ck_assert_uint_eq(tern_io_outstanding(bed.queue), 0);
	}
	bed_end(&bed);
}

static void what_cannot_be_emptied_later_is_at_the_end(void)
{
	struct tern_io_file file = file_of(1000), other = file_of(1001);
	struct keeper k;
	struct bed bed;
	int slot;

	make(&bed, &k);
	ck_assert_int_eq(tern_io_register(bed.queue, &file), 0);
	slot = slot_of(&bed, &k, &file);
	submit(&bed, &file);
	ck_assert_int_eq(tern_io_unregister(bed.queue, &file), 0);
	k.refusal = -ENOMEM;
	hand_finish(&bed, &k.hand);
	k.refusal = 0;
	ck_assert_uint_eq(k.emptied, 0);
	ck_assert_int_eq(tern_io_register(bed.queue, &other), 0);
	ck_assert(slot_of(&bed, &k, &other) != slot);
	bed_end(&bed);
	ck_assert_uint_eq(k.emptied, 2);
}

struct ended {
	struct bed bed;
	struct keeper k;
};

static void end_in_child(void *arg)
{
	struct ended *e = arg;

	MUST(!tern_io_queue_destroy(e->bed.queue));
	MUST(!e->k.emptied && e->k.closed);
}

static void a_child_leaves_its_parents_files(void)
{
	struct tern_io_file file = file_of(1000);
	struct ended e;

	make(&e.bed, &e.k);
	ck_assert_int_eq(tern_io_register(e.bed.queue, &file), 0);
	in_child(end_in_child, &e);
	ck_assert_int_eq(e.k.fds[slot_of(&e.bed, &e.k, &file)], 1000);
	bed_end(&e.bed);
	ck_assert_uint_eq(e.k.emptied, 1);
}

static const struct test tests[] = {
	{"pieces say where the file is kept, if it is", pieces_say_where_the_file_is_kept},
	{"barriers have no slot, what cuts a file has", what_is_of_no_file_has_no_slot},
	{"64 files and no more, until one goes, and in the end all", so_many_and_no_more},
	{"errors change nothing", errors_change_nothing},
	{"a queue does not know the other one's files", a_queue_does_not_know_the_other_ones_files},
	{"a slot in use is emptied when nothing names it", a_slot_in_use_is_emptied_later},
	{"what is taken back uses its slot no more", what_is_taken_back_uses_it_no_more},
	{"what cannot be emptied is at the queue's end",
	 what_cannot_be_emptied_later_is_at_the_end},
	{"a child that ends the queue leaves its parent's files", a_child_leaves_its_parents_files},
};

int main(int argc, char **argv)
{
	return run_tests("kept files", tests, COUNT(tests), argc, argv);
}
