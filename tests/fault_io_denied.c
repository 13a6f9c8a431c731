/* SPDX-License-Identifier: MIT */
/* A ring that is denied: what is used instead, what is said of it, and that nothing is left over.
 */
#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io_engines.h"

#define BLOCK	4096
#define BLOCKS	16
#define NOBODY	65534
#define MEMLOCK (64 << 10)

/* From now on this call fails in this process, with this errno. */
static void deny(unsigned call, unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = COUNT(filter), .filter = filter};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static unsigned descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

/* A bed whose queue asks for this and falls back on that. */
static int make(struct bed *bed, const struct tern_io_engine *engine,
		const struct tern_io_engine *fallback)
{
	const struct tern_io_opts opts = {
		.size = sizeof(opts), .engine = engine, .fallback = fallback};
	int e;

	bed->queue = NULL;
	e = tern_io_queue_create(&bed->queue, bed->loop, &opts);
	ck_assert_int_eq(!e, bed->queue != NULL);
	return e;
}

static void works(struct bed *bed)
{
	bed->file = scratch_file(BLOCKS * BLOCK, TERN_IO_DIRECT_PREFER);
	for (unsigned i = 0; i < 2 * BLOCKS; i++) {
		struct tern_io *io = io_get(bed);
		const uint64_t offset = (uint64_t)(i % BLOCKS) * BLOCK;

		tern_io_prep_write(io, &bed->file, offset, BLOCK);
		stamp(io->buffer, offset, BLOCK, 1);
		ck_assert_int_eq(io_do(io), BLOCK);
		tern_io_prep_read(io, &bed->file, offset, BLOCK);
		ck_assert_int_eq(io_once(io), BLOCK);
	}
	ck_assert(file_has_stamp(bed->file.fd, 0, BLOCKS * BLOCK, 1));
}

static void denied(unsigned call, int error, const char *on_pool)
{
	struct bed bed = {.loop = loop_new(), .pool = pool_new(1, 2), .file.fd = -1};
	struct tern_io_engine pool;
	unsigned before;

	tern_io_engine_pool(&pool, bed.pool, 0);
	deny(call, (unsigned)error);
	before = descriptors();
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_int_eq(make(&bed, NULL, NULL), -ENOTSUP);
		ck_assert_int_eq(make(&bed, tern_io_engine_uring(), NULL), -error);
	}
	ck_assert_int_eq(make(&bed, NULL, tern_io_engine_sync()), 0);
	ck_assert_int_eq(tern_io_queue_destroy(bed.queue), 0);
	ck_assert_int_eq(make(&bed, NULL, &pool), 0);
	ck_assert_str_eq(tern_io_queue_engine(bed.queue), on_pool);
	ck_assert_uint_eq(descriptors(), before);
	works(&bed);
	bed_end(&bed);
}

static void without_permission_there_is_the_fallback(void)
{
	denied(SYS_io_uring_setup, EPERM, "pool: uring refused (Operation not permitted)");
}

static void without_the_call_there_is_the_fallback(void)
{
	denied(SYS_io_uring_setup, ENOSYS, "pool: uring refused (Function not implemented)");
}

static void without_memory_there_is_the_fallback(void)
{
	denied(SYS_io_uring_setup, ENOMEM, "pool: uring refused (Cannot allocate memory)");
}

static void half_a_ring_is_no_ring(void)
{
	if (io_engine_refused(IO_URING))
		return;
	denied(SYS_io_uring_register, EACCES, "pool: uring refused (Permission denied)");
}

/* The descriptors at hand are used up. */
static void without_descriptors_there_is_the_fallback(void)
{
	struct bed bed = {.loop = loop_new(), .pool = pool_new(1, 2), .file.fd = -1};
	struct rlimit limit;
	struct tern_io_engine pool;

	if (io_engine_refused(IO_URING))
		return;
	tern_io_engine_pool(&pool, bed.pool, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(make(&bed, tern_io_engine_uring(), NULL), -EMFILE);
	ck_assert_int_eq(make(&bed, NULL, &pool), 0);
	ck_assert_str_eq(tern_io_queue_engine(bed.queue),
			 "pool: uring refused (Too many open files)");
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	works(&bed);
	bed_end(&bed);
}

/* With buffers of far more than may be locked. An older kernel wants its ring locked as well. */
static void little_memory_to_lock_is_enough(void)
{
	const struct rlimit limit = {MEMLOCK, MEMLOCK};

	if (io_engine_refused(IO_URING))
		return;
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	if (!geteuid()) {
		ck_assert_int_eq(setgid(NOBODY), 0);
		ck_assert_int_eq(setuid(NOBODY), 0);
		ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* or its /proc is root's */
	}
	for (unsigned depth = 4; depth <= 4096; depth *= 8) {
		const struct tern_io_opts opts = {.size = sizeof(opts), .depth = depth};
		struct bed bed = {.loop = loop_new(), .file.fd = -1};
		int e = tern_io_queue_create(&bed.queue, bed.loop, &opts);

		ck_assert_msg(!e || e == -ENOTSUP, "depth %u: %d", depth, e);
		if (e) {
			tern_loop_destroy(bed.loop);
			continue;
		}
		ck_assert_str_eq(tern_io_queue_engine(bed.queue), "uring");
		works(&bed);
		bed_end(&bed);
	}
}

/* A program locks itself up when all is set up, and has forgotten the ring. */
static void denied_later_all_come_home(unsigned call)
{
	struct bed bed = {.loop = loop_new(), .file.fd = -1};

	if (io_engine_refused(IO_URING))
		return;
	ck_assert_int_eq(make(&bed, tern_io_engine_uring(), NULL), 0);
	bed.file = scratch_file(BLOCKS * BLOCK, TERN_IO_DIRECT_PREFER);
	if (call == SYS_io_uring_enter) { /* the other is called once, by the first request */
		struct tern_io *io = io_get(&bed);

		tern_io_prep_read(io, &bed.file, 0, BLOCK);
		ck_assert_int_eq(io_once(io), BLOCK);
	}
	deny(call, EPERM);
	for (unsigned round = 0; round < 3; round++) {
		struct tern_io *io;

		for (unsigned i = 0; i < tern_io_depth(bed.queue); i++) {
			io = io_get(&bed);
			tern_io_prep_read(io, &bed.file, 0, BLOCK);
			ck_assert_int_eq(tern_io_submit(io), 0);
		}
		for (unsigned i = 0; i < tern_io_depth(bed.queue); i++) {
			io = tern_io_wait(bed.queue);
			ck_assert_int_eq(io->result, -EPERM);
			tern_io_release(io);
		}
	}
	ck_assert_ptr_null(tern_io_wait(bed.queue));
	bed_end(&bed);
}

static void denied_before_the_first_request_all_come_home(void)
{
	denied_later_all_come_home(SYS_io_uring_register);
}

static void denied_between_requests_all_come_home(void)
{
	denied_later_all_come_home(SYS_io_uring_enter);
}

/* What is in the kernel could not come home any more. */
static void denied_with_requests_out_is_fatal(void)
{
	struct bed bed = {.loop = loop_new(), .file.fd = -1};
	struct tern_io *io;
	int fds[2];

	ck_assert_int_eq(make(&bed, tern_io_engine_uring(), NULL), 0);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(tern_io_adopt(&bed.file, fds[0], TERN_IO_BUFFERED), 0);
	io = io_get(&bed);
	tern_io_prep_read(io, &bed.file, 0, BLOCK);
	ck_assert_int_eq(tern_io_submit(io), 0);
	ck_assert_uint_eq(tern_io_poke(bed.queue, 0), 0);
	deny(SYS_io_uring_enter, EPERM);
	expect_fatal("io_uring_enter", NULL);
	tern_io_wait(bed.queue);
}

static const struct test tests[] = {
	{"without permission there is the fallback, and it says why",
	 without_permission_there_is_the_fallback},
	{"without the call there is the fallback", without_the_call_there_is_the_fallback},
	{"without memory there is the fallback", without_memory_there_is_the_fallback},
	{"half a ring is no ring", half_a_ring_is_no_ring},
	{"without descriptors there is the fallback", without_descriptors_there_is_the_fallback},
	{"little memory to lock is enough, as nobody", little_memory_to_lock_is_enough},
	{"denied before the first request: all come home",
	 denied_before_the_first_request_all_come_home},
	{"denied between requests: all come home", denied_between_requests_all_come_home},
	{"fatal: denied with requests out", denied_with_requests_out_is_fatal},
};

int main(int argc, char **argv)
{
	/* the last one needs a ring */
	return run_tests("a denied ring", tests, COUNT(tests) - !!io_engine_refused(IO_URING), argc,
			 argv);
}
