/* SPDX-License-Identifier: MIT */
/* What the tests of <ucw/asio.h> share: one queue, requests in a line, files, and the engine. */
#include "ucw.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <tern/io_engine.h>

struct asio_queue q;

#ifdef WITHOUT_URING
static int refuse(void **state, const struct tern_io_engine *engine,
		  const struct tern_io_engine_params *params)
{
	return -EPERM;
}

const struct tern_io_engine *__real_tern_io_engine_uring(void);
const struct tern_io_engine *__wrap_tern_io_engine_uring(void);

const struct tern_io_engine *__wrap_tern_io_engine_uring(void)
{
	static struct tern_io_engine engine;

	engine = *__real_tern_io_engine_uring();
	engine.open = refuse;
	return &engine;
}
#endif

void start(uns max_writebacks)
{
	q.buffer_size = BUFFER;
	q.max_writebacks = max_writebacks;
	asio_init_queue(&q);
}

void finish(void)
{
	ck_assert_ptr_null(asio_wait(&q));
	ck_assert_uint_eq(q.allocated_requests, 0);
	ck_assert_uint_eq(q.running_requests, 0);
	ck_assert_uint_eq(q.running_writebacks, 0);
	asio_cleanup_queue(&q);
}

struct asio_request *request(enum asio_op op, int fd, uns len, char letter)
{
	struct asio_request *r = asio_get(&q);

	if (!r)
		abort(); /* an assertion that holds allocates, and some tests count */
	r->op = op;
	r->fd = fd;
	r->len = len;
	memset(r->buffer, letter, BUFFER);
	return r;
}

struct asio_request *submit(enum asio_op op, int fd, uns len, char letter)
{
	struct asio_request *r = request(op, fd, len, letter);

	asio_submit(r);
	return r;
}

void comes(int status, int error)
{
	struct asio_request *r = asio_wait(&q);

	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(r->status, status);
	ck_assert_int_eq(r->returned_errno, error);
	asio_put(r);
}

int file_new(void)
{
	char name[] = "ucw-XXXXXX";
	int fd = mkstemp(name);

	ck_assert_int_ge(fd, 0);
	unlink(name);
	return fd;
}

long long place(int fd)
{
	return lseek(fd, 0, SEEK_CUR);
}

void holds(int fd, const char *letters, uns each)
{
	char *bytes = malloc(each);
	long long at = 0;

	for (; *letters; letters++, at += each) {
		ck_assert_int_eq(pread(fd, bytes, each, at), each);
		for (uns i = 0; i < each; i++)
			ck_assert_msg(bytes[i] == *letters, "%c at %llu, not %c", bytes[i],
				      (unsigned long long)at + i, *letters);
	}
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), at);
	free(bytes);
}

unsigned descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A sanitizer may have threads too, so they go by name. */
unsigned carriers(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *task;
	unsigned n = 0;

	while ((task = readdir(dir))) {
		char name[300], comm[16] = "";
		FILE *file;

		snprintf(name, sizeof(name), "/proc/self/task/%s/comm", task->d_name);
		file = fopen(name, "r");
		if (!file)
			continue; /* gone, or none */
		if (fgets(comm, sizeof(comm), file))
			n += !strncmp(comm, "asio", 4);
		fclose(file);
	}
	closedir(dir);
	return n;
}

void carriers_go(void)
{
	while (carriers()) /* who was joined may still be leaving the kernel */
		sched_yield();
}

int run_on_engine(const char *idea, const struct test *tests, size_t n, int argc, char **argv)
{
#ifndef WITHOUT_URING
	const struct tern_io_opts opts = {.size = sizeof(opts)};
	struct tern_io_queue *queue;
	struct tern_loop *loop;
	int e = tern_loop_create(&loop, NULL); /* check is not to be asked before it runs */

	if (e)
		return 1;
	e = tern_io_queue_create(&queue, loop, &opts);
	if (e) {
		printf("no io_uring here: %s\n", strerror(-e));
		return 77;
	}
	tern_io_queue_destroy(queue);
	tern_loop_destroy(loop);
#endif
	return run_tests(idea, tests, n, argc, argv);
}
