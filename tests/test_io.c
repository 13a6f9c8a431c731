/* SPDX-License-Identifier: MIT */
/* I/O queues: what each operation does, how requests are lent, and how completions come home. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_engines.h"

#define BLOCK  4096
#define BLOCKS 64

static void make(struct bed *bed, struct tern_io_opts opts)
{
	bed_make(bed, opts);
	bed->file = scratch_file(BLOCKS * BLOCK, TERN_IO_DIRECT_PREFER);
}

static void a_read_brings_what_is_in_the_file(void)
{
	struct bed bed;
	struct tern_io *io;

	make(&bed, (struct tern_io_opts){0});
	io = io_get(&bed);
	for (unsigned i = 0; i < 8; i++) {
		const uint64_t offset = (uint64_t)(i * 11 % BLOCKS) * BLOCK;

		tern_io_prep_read(io, &bed.file, offset, BLOCK);
		ck_assert_int_eq(io_do(io), BLOCK);
		ck_assert(has_stamp(io->buffer, offset, BLOCK, 0));
	}
	tern_io_release(io);
	bed_end(&bed);
}

static void a_write_is_in_the_file(void)
{
	struct bed bed;
	struct tern_io *io;

	make(&bed, (struct tern_io_opts){0});
	io = io_get(&bed);
	tern_io_prep_write(io, &bed.file, 5 * BLOCK, 2 * BLOCK);
	stamp(io->buffer, 5 * BLOCK, 2 * BLOCK, 1);
	ck_assert_int_eq(io_once(io), 2 * BLOCK);
	ck_assert(file_has_stamp(bed.file.fd, 0, 5 * BLOCK, 0));
	ck_assert(file_has_stamp(bed.file.fd, 5 * BLOCK, 2 * BLOCK, 1));
	ck_assert(file_has_stamp(bed.file.fd, 7 * BLOCK, (BLOCKS - 7) * BLOCK, 0));
	bed_end(&bed);
}

/* What a done has seen. */
struct seen {
	unsigned dones, left; /* left: to submit again */
	bool inside;	      /* a submit is */
	pthread_t thread;
};

static void see(struct tern_io *io)
{
	struct seen *seen = io->user;

	ck_assert(!seen->inside);
	ck_assert(pthread_equal(pthread_self(), seen->thread));
	ck_assert_int_eq(io->result, BLOCK);
	ck_assert(has_stamp(io->buffer, io->offset, BLOCK, 0));
	seen->dones++;
	if (!seen->left) {
		tern_io_release(io);
		return;
	}
	seen->left--;
	tern_io_prep_read(io, &io->file, (io->offset + BLOCK) % (BLOCKS * BLOCK), BLOCK);
	seen->inside = true;
	ck_assert_int_eq(tern_io_submit(io), 0);
	seen->inside = false;
}

static void read_seen(struct bed *bed, struct seen *seen, unsigned n)
{
	seen->thread = pthread_self();
	for (unsigned i = 0; i < n; i++) {
		struct tern_io *io = io_get(bed);

		tern_io_prep_read(io, &bed->file, (uint64_t)i * BLOCK, BLOCK);
		io->done = see;
		io->user = seen;
		seen->inside = true;
		ck_assert_int_eq(tern_io_submit(io), 0);
		seen->inside = false;
	}
	ck_assert_uint_eq(seen->dones, 0);
	ck_assert_uint_eq(tern_io_outstanding(bed->queue), n);
	ck_assert(tern_loop_alive(bed->loop));
}

static void the_loop_brings_each_home_once(void)
{
	struct bed bed;
	struct seen seen = {.left = 500};

	make(&bed, (struct tern_io_opts){0});
	read_seen(&bed, &seen, 32);
	ck_assert_int_eq(tern_loop_run(bed.loop), 0);
	ck_assert_uint_eq(seen.dones, 532);
	bed_end(&bed);
}

static void poke_brings_each_home_once(void)
{
	struct bed bed;
	struct seen seen = {.left = 500};
	unsigned brought = 0;

	make(&bed, (struct tern_io_opts){0});
	read_seen(&bed, &seen, 32);
	while (seen.dones < 532) {
		unsigned before = seen.dones, n = tern_io_poke(bed.queue, 3);

		ck_assert_uint_le(n, 3);
		ck_assert_uint_eq(seen.dones, before + n);
		brought += n;
	}
	ck_assert_uint_eq(brought, 532);
	bed_end(&bed);
}

static void drain_brings_each_home_once(void)
{
	struct bed bed;
	struct seen seen = {.left = 500};

	make(&bed, (struct tern_io_opts){0});
	read_seen(&bed, &seen, 32);
	ck_assert_uint_eq(tern_io_drain(bed.queue), 532);
	ck_assert_uint_eq(seen.dones, 532);
	ck_assert_uint_eq(tern_io_drain(bed.queue), 0);
	bed_end(&bed);
}

static bool descriptor_brings(void *arg)
{
	return ((const struct seen *)arg)->dones == 132;
}

static void any_event_loop_brings_them_home(void)
{
	struct bed bed;
	struct seen seen = {.left = 100};

	make(&bed, (struct tern_io_opts){0});
	read_seen(&bed, &seen, 32);
	while (!descriptor_brings(&seen)) {
		if (tern_loop_prepare(bed.loop) && !descriptor_brings(&seen))
			ck_assert(is_readable(bed.loop, -1));
		tern_loop_dispatch(bed.loop, 1);
	}
	bed_end(&bed);
}

static void two_queues_of_one_loop_do_not_mix(void)
{
	struct bed bed;
	struct seen seen = {.left = 200}, other_seen = {.left = 100};
	struct bed other;

	make(&bed, (struct tern_io_opts){0});
	other = bed;
	other.queue = bed_queue(&bed, (struct tern_io_opts){.depth = 4});
	read_seen(&bed, &seen, 20);
	read_seen(&other, &other_seen, 4);
	ck_assert_uint_eq(tern_io_drain(bed.queue), 220);
	ck_assert_uint_eq(other_seen.dones, 0);
	ck_assert_int_eq(tern_loop_run(bed.loop), 0);
	ck_assert_uint_eq(other_seen.dones, 104);
	ck_assert_int_eq(tern_io_queue_destroy(other.queue), 0);
	bed_end(&bed);
}

static void requests_are_lent_and_keep_what_is_yours(void)
{
	struct bed bed;
	struct tern_io *io[8], *again;
	int marks[COUNT(io)];

	make(&bed, (struct tern_io_opts){.requests_max = COUNT(io), .depth = 4});
	for (unsigned i = 0; i < COUNT(io); i++) {
		io[i] = io_get(&bed);
		ck_assert(!io[i]->done);
		ck_assert_uint_eq(io[i]->deadline_ns, 0);
		tern_io_prep_write(io[i], &bed.file, 0, 1);
		ck_assert_ptr_nonnull(io[i]->buffer);
		ck_assert_uint_eq((uintptr_t)io[i]->buffer % 4096, 0);
		stamp(io[i]->buffer, 0, 65536, i);
		io[i]->done = see;
		io[i]->deadline_ns = 1;
		io[i]->user = &marks[i];
	}
	ck_assert_ptr_null(tern_io_get(bed.queue));
	for (unsigned i = 0; i < COUNT(io); i++)
		ck_assert(has_stamp(io[i]->buffer, 0, 65536, i));
	tern_io_release(io[3]);
	again = io_get(&bed);
	ck_assert_ptr_eq(again, io[3]);
	ck_assert_ptr_eq(again->user, &marks[3]);
	ck_assert(!again->done);
	ck_assert_uint_eq(again->deadline_ns, 0);
	tern_io_prep_read(again, &bed.file, 0, BLOCK);
	ck_assert_ptr_eq(again->user, &marks[3]);
	ck_assert(has_stamp(again->buffer, 0, 65536, 3));
	for (unsigned i = 0; i < COUNT(io); i++)
		tern_io_release(io[i]);
	bed_end(&bed);
}

static off_t size_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_size;
}

static void what_moves_nothing_does_its_thing(void)
{
	struct bed bed;
	struct tern_io *io;
	char zeros[BLOCK] = {0};

	make(&bed, (struct tern_io_opts){0});
	io = io_get(&bed);
	tern_io_prep_fsync(io, &bed.file);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_fdatasync(io, &bed.file);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_truncate(io, &bed.file, 10 * BLOCK);
	ck_assert_int_eq(io_do(io), 0);
	ck_assert_int_eq(size_of(bed.file.fd), 10 * BLOCK);
	tern_io_prep_allocate(io, &bed.file, 20 * BLOCK, BLOCK);
	ck_assert_int_eq(io_do(io), 0);
	ck_assert_int_eq(size_of(bed.file.fd), 21 * BLOCK);
	tern_io_prep_discard(io, &bed.file, 3 * BLOCK, BLOCK);
	ck_assert_int_eq(io_do(io), 0);
	ck_assert_int_eq(size_of(bed.file.fd), 21 * BLOCK);
	tern_io_prep_barrier(io);
	ck_assert_int_eq(io_do(io), 0);
	tern_io_prep_read(io, &bed.file, 3 * BLOCK, BLOCK);
	ck_assert_int_eq(io_do(io), BLOCK);
	ck_assert_int_eq(memcmp(io->buffer, zeros, BLOCK), 0);
	tern_io_release(io);
	ck_assert(file_has_stamp(bed.file.fd, 0, 3 * BLOCK, 0));
	ck_assert(file_has_stamp(bed.file.fd, 4 * BLOCK, 6 * BLOCK, 0));
	bed_end(&bed);
}

static void errors_of_the_system_are_results(void)
{
	struct bed bed;
	struct tern_io *io;
	struct tern_io_file file, closed;

	make(&bed, (struct tern_io_opts){0});
	io = io_get(&bed);
	closed = scratch_file(BLOCK, TERN_IO_BUFFERED);
	close(closed.fd);
	tern_io_prep_read(io, &closed, 0, BLOCK);
	ck_assert_int_eq(io_do(io), -EBADF);
	tern_io_prep_write(io, &closed, 0, BLOCK);
	ck_assert_int_eq(io_do(io), -EBADF);
	tern_io_prep_fsync(io, &closed);
	ck_assert_int_eq(io_do(io), -EBADF);
	tern_io_prep_truncate(io, &closed, 0);
	ck_assert_int_eq(io_do(io), -EBADF);

	ck_assert_int_eq(tern_io_open(&file, "/tmp", O_RDONLY, 0, TERN_IO_BUFFERED), 0);
	tern_io_prep_read(io, &file, 0, BLOCK);
	ck_assert_int_eq(io_do(io), -EISDIR);
	tern_io_prep_write(io, &file, 0, BLOCK);
	ck_assert_int_eq(io_do(io), -EBADF);
	close(file.fd);

	ck_assert_int_eq(tern_io_open(&file, "/dev/full", O_RDWR, 0, TERN_IO_BUFFERED), 0);
	tern_io_prep_write(io, &file, 0, BLOCK);
	ck_assert_int_eq(io_do(io), -ENOSPC);
	close(file.fd);

	tern_io_prep_read(io, &bed.file, 0, BLOCK); /* and the request is as good as new */
	ck_assert_int_eq(io_once(io), BLOCK);
	bed_end(&bed);
}

static void the_queue_says_what_it_is(void)
{
	struct bed bed;
	int mark;

	make(&bed, (struct tern_io_opts){.user = &mark, .depth = 7});
	ck_assert_str_eq(tern_io_queue_engine(bed.queue), io_engine_names[io_engine]);
	ck_assert_uint_eq(tern_io_depth(bed.queue), 7);
	ck_assert_ptr_eq(tern_io_queue_user(bed.queue), &mark);
	bed_end(&bed);
	make(&bed, (struct tern_io_opts){0});
	ck_assert_uint_eq(tern_io_depth(bed.queue), 32);
	bed_end(&bed);
}

static void great_depths_are_reached(void)
{
	struct bed bed;
	struct seen seen = {.left = scaled(20000)};
	unsigned left = seen.left;

	make(&bed, (struct tern_io_opts){.depth = 1024, .buffer_size = BLOCK});
	for (unsigned i = 0; i < 1024; i++) {
		struct tern_io *io = io_get(&bed);

		tern_io_prep_read(io, &bed.file, (uint64_t)(i % BLOCKS) * BLOCK, BLOCK);
		io->done = see;
		io->user = &seen;
		ck_assert_int_eq(tern_io_submit(io), 0);
	}
	seen.thread = pthread_self();
	ck_assert_int_eq(tern_loop_run(bed.loop), 0);
	ck_assert_uint_eq(seen.dones, 1024 + left);
	bed_end(&bed);
}

static int ended; /* what destroy said inside done */

static void end_queue(struct tern_io *io)
{
	struct tern_io_queue *queue = io->queue;

	tern_io_release(io);
	ended = tern_io_queue_destroy(queue);
}

static void submit_end(struct bed *bed)
{
	struct tern_io *io = io_get(bed);

	ended = 1;
	tern_io_prep_read(io, &bed->file, 0, BLOCK);
	io->done = end_queue;
	ck_assert_int_eq(tern_io_submit(io), 0);
}

static void done_may_end_the_queue(void)
{
	struct bed bed;

	make(&bed, (struct tern_io_opts){0});
	submit_end(&bed);
	ck_assert_int_eq(tern_loop_run(bed.loop), 0);
	ck_assert_int_eq(ended, 0);
	bed.queue = bed_queue(&bed, (struct tern_io_opts){0});
	bed_end(&bed);
}

static void who_waits_keeps_the_queue(void)
{
	struct bed bed;

	make(&bed, (struct tern_io_opts){0});
	for (unsigned way = 0; way < 4; way++) {
		submit_end(&bed);
		while (way == 0 && ended == 1)
			tern_io_poke(bed.queue, 0);
		if (way == 1)
			ck_assert_ptr_null(tern_io_wait(bed.queue));
		if (way == 2)
			ck_assert_uint_eq(tern_io_drain(bed.queue), 1);
		if (way == 3)
			ck_assert_int_eq(tern_io_sync(bed.queue), 0);
		ck_assert_int_eq(ended, -EBUSY);
	}
	bed_end(&bed);
}

static const struct test tests[] = {
	{"a read brings what is in the file", a_read_brings_what_is_in_the_file},
	{"a write is in the file", a_write_is_in_the_file},
	{"the loop brings each home once", the_loop_brings_each_home_once},
	{"poke brings each home once", poke_brings_each_home_once},
	{"drain brings each home once", drain_brings_each_home_once},
	{"any event loop brings them home, by the descriptor", any_event_loop_brings_them_home},
	{"two queues of one loop do not mix", two_queues_of_one_loop_do_not_mix},
	{"requests are lent and keep what is yours", requests_are_lent_and_keep_what_is_yours},
	{"what moves nothing does its thing", what_moves_nothing_does_its_thing},
	{"errors of the system are results", errors_of_the_system_are_results},
	{"the queue says what it is", the_queue_says_what_it_is},
	{"done may end the queue", done_may_end_the_queue},
	{"who waits, pokes, drains or syncs keeps the queue", who_waits_keeps_the_queue},
	{"great depths are reached", great_depths_are_reached},
};

int main(int argc, char **argv)
{
	return run_io_tests("I/O queues", tests, COUNT(tests), argc, argv);
}
