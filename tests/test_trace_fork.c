/* SPDX-License-Identifier: MIT */
/*
 * Forked while another thread stops a trace: the child has none, can make one, and in it stands
 * what the child has done.
 */
#include "../lib/base/trace.h"
#include "forking.h"

#define PATH_SIZE 64

static char folder[] = "/tmp/tern-trace-fork-XXXXXX";

struct paths {
	char parents[PATH_SIZE], childs[PATH_SIZE];
};

static void paths_open(struct paths *paths)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(paths->parents, PATH_SIZE, "%s/parents", folder);
	snprintf(paths->childs, PATH_SIZE, "%s/childs", folder);
}

static void paths_close(struct paths *paths)
{
	unlink(paths->parents);
	ck_assert_int_eq(unlink(paths->childs), 0);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void *stop(void *arg)
{
	tern_trace_stop();
	return NULL;
}

/* It has begun to stop, and cannot go on. */
static pthread_t stop_begun(void)
{
	pthread_t thread = thread_new(stop, NULL);

	while (tern__trace_on())
		sched_yield();
	return thread;
}

static void trace_one_item(const struct paths *paths)
{
	struct tern_loop *loop = NULL;
	struct job job;

	MUST(!tern_trace_start(paths->childs));
	MUST(!tern_loop_create(&loop, NULL));
	quiet_init(&job);
	tern_pool_submit(NULL, loop, &job.work);
	MUST(!tern_loop_run(loop) && job.dones == 1);
	tern_loop_destroy(loop);
	tern_trace_stop();
}

static void a_child_traces_one_item(const struct paths *paths)
{
	pid_t child = fork_child();
	int status;

	if (!child) {
		trace_one_item(paths);
		/* what the other threads had allocated would look lost to valgrind */
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void check_that_one_item_is_traced(const struct paths *paths)
{
	FILE *f = fopen(paths->childs, "r");
	unsigned runs = 0;
	char line[8192];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		runs += strstr(line, "\"wait_us\":") != NULL;
	fclose(f);
	ck_assert_uint_eq(runs, 1);
}

static void run_items(struct tern_pool *pool)
{
	struct tern_loop *loop = loop_new();

	work_through(pool, loop);
	tern_loop_destroy(loop);
}

/* ---- a thread of the parent's is held up in a call ---- */

enum {
	NOWHERE,
	IN_NAME,  /* of a thread that has its first event */
	IN_WRITE, /* of the trace's writer */
};

static unsigned holds_up;
static struct latch held_up, go;

static void hold_up_in(unsigned where)
{
	latch_init(&held_up, 1);
	latch_init(&go, 1);
	__atomic_store_n(&holds_up, where, __ATOMIC_SEQ_CST);
}

/* The first one that comes there. */
static void is_in(unsigned where)
{
	if (!__atomic_compare_exchange_n(&holds_up, &where, NOWHERE, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	latch_arrive(&held_up);
	latch_wait(&go);
}

int __real_pthread_getname_np(pthread_t thread, char *name, size_t size);
int __wrap_pthread_getname_np(pthread_t thread, char *name, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);

int __wrap_pthread_getname_np(pthread_t thread, char *name, size_t size)
{
	is_in(IN_NAME);
	return __real_pthread_getname_np(thread, name, size);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	if (size > sizeof(uint64_t)) /* else it wakes a loop */
		is_in(IN_WRITE);
	return __real_write(fd, data, size);
}

/* Stop waits for the thread that is inside. */
static void while_a_thread_is_inside(void)
{
	struct tern_pool *pool;
	struct paths paths;
	pthread_t thread;

	paths_open(&paths);
	hold_up_in(IN_NAME);
	ck_assert_int_eq(tern_trace_start(paths.parents), 0);
	pool = pool_new(1, 1);
	latch_wait(&held_up);
	thread = stop_begun();
	a_child_traces_one_item(&paths);
	latch_arrive(&go);
	thread_join(thread);
	check_that_one_item_is_traced(&paths);
	run_items(pool);
	tern_pool_destroy(pool);
	paths_close(&paths);
}

/* Stop waits for the writer, for which events lie in the rings. */
static void while_rings_are_full(void)
{
	struct tern_pool *pool = pool_new(1, 1);
	struct paths paths;
	pthread_t thread;

	paths_open(&paths);
	ck_assert_int_eq(tern_trace_start(paths.parents), 0);
	run_items(pool);
	/* the writer has no lock of the dynamic linker's there: a child would wait for it */
	hold_up_in(IN_WRITE);
	run_items(pool);
	latch_wait(&held_up);
	run_items(pool);
	thread = stop_begun();
	a_child_traces_one_item(&paths);
	latch_arrive(&go);
	thread_join(thread);
	check_that_one_item_is_traced(&paths);
	tern_pool_destroy(pool);
	paths_close(&paths);
}

static const struct test tests[] = {
	{"while a thread is inside an event", while_a_thread_is_inside},
	{"while rings are full", while_rings_are_full},
};

int main(int argc, char **argv)
{
	return run_fork_tests("trace and fork", tests, COUNT(tests), COUNT(tests), argc, argv);
}
