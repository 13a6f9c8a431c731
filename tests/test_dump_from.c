/* SPDX-License-Identifier: MIT */
/* Where a pool may be dumped from: on its own threads, in run, in the hooks and in stuck. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

static struct tern_pool *pool;
static char text[4096];
static unsigned dumps;
static struct latch created, dumped;

/* Only one thread is there at a time that does. */
static void dump(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tern_pool_dump(pool, fd), 0);
	n = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	close(fd);
	dumps++;
}

static void has(const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in\n%s", part, text);
}

/* The first thread may be there before the pool's creator has its name. */
static void dump_in_hook(void *user)
{
	latch_wait(&created);
	dump();
	has("\nown/0 awake\n");
}

static void dump_in_stuck(void *user, tern_work_fn *fn, void *item_user, uint32_t ms)
{
	dump();
	has("\nown/0 runs ");
	latch_arrive(&dumped);
}

static void dump_in_run(struct tern_work *work)
{
	dump();
	has("\nown/0 runs ");
}

static void wait_for_the_dump(struct tern_work *work)
{
	latch_wait(&dumped);
}

/* One item through a pool of one thread. */
static void run_one(const struct tern_pool_opts *with, tern_work_fn *run)
{
	struct tern_pool_opts opts = *with;
	struct tern_work work;

	opts.size = sizeof(opts);
	opts.name = "own";
	opts.threads_max = 1;
	latch_init(&created, 1);
	latch_init(&dumped, 1);
	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	latch_arrive(&created);
	tern_work_init(&work, run, NULL);
	tern_pool_submit(pool, NULL, &work);
	tern_pool_destroy(pool);
}

static void from_run(void)
{
	run_one(&(struct tern_pool_opts){.name = NULL}, dump_in_run);
	ck_assert_uint_eq(dumps, 1);
}

static void nothing(struct tern_work *work)
{
}

static void from_thread_start(void)
{
	run_one(&(struct tern_pool_opts){.thread_start = dump_in_hook}, nothing);
	ck_assert_uint_eq(dumps, 1);
}

static void from_thread_stop(void)
{
	run_one(&(struct tern_pool_opts){.thread_stop = dump_in_hook}, nothing);
	ck_assert_uint_eq(dumps, 1);
	has(", closing: ");
}

static void from_stuck(void)
{
	run_one(&(struct tern_pool_opts){.run_ms_warn = 1, .stuck = dump_in_stuck},
		wait_for_the_dump);
	ck_assert_uint_eq(dumps, 1);
}

static const struct test tests[] = {
	{"run dumps its own pool, and is in it", from_run},
	{"thread_start dumps", from_thread_start},
	{"thread_stop dumps", from_thread_stop},
	{"stuck dumps, and shows who is", from_stuck},
};

int main(int argc, char **argv)
{
	return run_tests("dump from", tests, COUNT(tests), argc, argv);
}
