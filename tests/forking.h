/* SPDX-License-Identifier: MIT */
/* What tests of fork share: children that end by themselves or by an alarm, and tell how. */
#ifndef TERN_TESTS_FORKING_H
#define TERN_TESTS_FORKING_H

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define CHILD_S 100 /* only a hang takes that long */

/*
 * ThreadSanitizer takes a thread of a child for one that the parent lost, and ends the child. An
 * emulator may not have thought of such threads either.
 */
#if defined(__SANITIZE_THREAD__) || defined(NO_THREADS_IN_CHILD)
#define THREADS_IN_CHILD false
#else
#define THREADS_IN_CHILD true
#endif

/* AddressSanitizer's allocator has locks that a thread may hold at a fork, and lets no child of
 * such a fork allocate or free: glibc's own does. */
#ifdef __SANITIZE_ADDRESS__
#define MEMORY_IN_CHILD false
#else
#define MEMORY_IN_CHILD true
#endif

/* Where libcheck is not to be asked, as in a child: ends the process with a line if it is not so.
 */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			_exit(EXIT_FAILURE);                                                       \
		}                                                                                  \
	} while (0)

static inline pid_t fork_child(void)
{
	pid_t child = fork();

	MUST(child >= 0);
	if (!child)
		alarm(CHILD_S);
	return child;
}

/* Waits for a child, -1: the only one; it must have gone well. */
static inline void reap(pid_t child)
{
	int status = 0;

	MUST(waitpid(child, &status, 0) > 0);
	MUST(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* fn in a child, to its end. */
static inline void in_child(void (*fn)(void *arg), void *arg)
{
	pid_t child = fork_child();

	if (!child) {
		fn(arg);
		_exit(EXIT_SUCCESS);
	}
	reap(child);
}

static inline void quiet_done(struct tern_work *work)
{
	struct job *job = tern_container_of(work, struct job, work);

	job->status = work->status;
	job->dones++;
}

/* A job without libcheck, where memory is counted: that allocates in each assertion. */
static inline void quiet_init(struct job *job)
{
	job_init(job);
	job->work.done = quiet_done;
}

/* A pool in a child; NULL, for work without one, where it can have no threads. */
static inline struct tern_pool *child_pool(void)
{
	struct tern_pool *pool = NULL;

	MUST(!THREADS_IN_CHILD || !tern_pool_create(&pool, NULL));
	return pool;
}

static inline void child_pool_destroy(struct tern_pool *pool)
{
	if (pool)
		tern_pool_destroy(pool);
}

/* run_tests, without the last n of the table where a child can have no threads. */
static inline int run_fork_tests(const char *idea, const struct test *tests, size_t all, size_t n,
				 int argc, char **argv)
{
	for (size_t i = all - n; i < all && !THREADS_IN_CHILD; i++)
		printf("not without threads in a child: %s\n", tests[i].name);
	return run_tests(idea, tests, THREADS_IN_CHILD ? all : all - n, argc, argv);
}

/* Some items through a loop and a pool that this process may use. */
static inline void work_through(struct tern_pool *pool, struct tern_loop *loop)
{
	struct job jobs[300];

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT(jobs); i++) {
			quiet_init(&jobs[i]);
			tern_pool_submit(pool, loop, &jobs[i].work);
		}
		MUST(!tern_loop_run(loop));
		for (size_t i = 0; i < COUNT(jobs); i++)
			MUST(jobs[i].runs == 1 && jobs[i].dones == 1);
	}
}

#endif
