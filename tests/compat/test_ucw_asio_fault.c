/* SPDX-License-Identifier: MIT */
/*
 * What the drop-in <ucw/asio.h> promises where libucw's own ends the process or says nothing:
 * requests that fail, write-backs that fail, what the system refuses, and misuse. Also what a queue
 * takes from the system, and when it gives it back.
 */
#include "ucw.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "../fault.h"
#include "../forking.h"

#define CLOSED 500 /* a descriptor that nobody has open */

/* requests that fail */

static void bad_requests(void)
{
	int fd = file_new();

	start(1);
	submit(ASIO_WRITE, fd, 10, 'a');
	submit(ASIO_WRITE, fd, BUFFER + 1, 'x');
	submit(ASIO_READ, fd, UINT32_MAX, 'x');
	submit(ASIO_FREE, fd, 10, 'x');
	submit((enum asio_op)77, fd, 10, 'x');
	submit(ASIO_WRITE, fd, 10, 'b');
	comes(10, 0);
	for (unsigned i = 0; i < 4; i++)
		comes(-1, EINVAL);
	comes(10, 0);
	holds(fd, "ab", 10);
	finish();
}

static void bad_descriptors(void)
{
	int fd = file_new(), reads = open("/dev/null", O_RDONLY);

	start(0);
	submit(ASIO_WRITE, CLOSED, 10, 'x');
	submit(ASIO_READ, -1, 10, 'x');
	submit(ASIO_WRITE, reads, 10, 'x');
	submit(ASIO_WRITE, fd, 10, 'a');
	comes(-1, EBADF);
	comes(-1, EBADF);
	comes(-1, EBADF);
	comes(10, 0);
	finish();
}

static void broken_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	close(ends[0]);
	start(0);
	submit(ASIO_WRITE, ends[1], 10, 'x');
	comes(-1, EPIPE);
	finish();
}

/* write-backs that fail */

static void lost(uns n, int fd, uint64_t offset, uint64_t length, int error)
{
	struct tern_io_error e = {-1, 1, 1, -1};

	ck_assert_uint_eq(asio_write_errors(&q, &e), n);
	if (!n)
		return;
	ck_assert_int_eq(e.fd, fd);
	ck_assert_uint_eq(e.offset, offset);
	ck_assert_uint_eq(e.length, length);
	ck_assert_int_eq(e.error, error);
	ck_assert_uint_eq(asio_write_errors(&q, &e), 0);
}

static void kept(void)
{
	int fd = file_new(), full = open("/dev/full", O_WRONLY);

	start(2);
	lost(0, 0, 0, 0, 0);
	submit(ASIO_WRITE_BACK, fd, 10, 'a');
	submit(ASIO_WRITE_BACK, full, 20, 'x');
	submit(ASIO_WRITE_BACK, CLOSED, 30, 'x');
	submit(ASIO_WRITE_BACK, fd, 10, 'b');
	submit(ASIO_WRITE, fd, 10, 'c');
	asio_sync(&q);
	lost(2, full, 0, 20, ENOSPC);
	submit(ASIO_WRITE_BACK, CLOSED, 30, 'x');
	asio_sync(&q);
	lost(1, CLOSED, TERN_IO_NEXT, 30, EBADF);
	comes(10, 0);
	holds(fd, "abc", 10);
	finish();
}

static void none_allowed(void)
{
	int fd = file_new();

	start(0);
	submit(ASIO_WRITE_BACK, fd, 10, 'x');
	ck_assert_uint_eq(q.running_writebacks, 1);
	ck_assert_ptr_null(asio_wait(&q));
	lost(1, fd, 0, 10, EINVAL);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
	finish();
}

static void too_long(void)
{
	int fd = file_new();

	start(1);
	submit(ASIO_WRITE_BACK, fd, BUFFER + 1, 'x');
	asio_sync(&q);
	lost(1, fd, 0, BUFFER + 1, EINVAL);
	finish();
}

/* Of what is written first 48 KiB go, then 16, then none; the signal must not end the process. */
static void cut_short(void)
{
	struct rlimit limit, before;
	int fd = file_new();

	start(2);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 64 << 10;
	setrlimit(RLIMIT_FSIZE, &limit);
	for (unsigned i = 0; i < 3; i++)
		submit(ASIO_WRITE_BACK, fd, 48 << 10, 'a');
	submit(ASIO_WRITE, fd, 1, 'a');
	asio_sync(&q);
	setrlimit(RLIMIT_FSIZE, &before);
	lost(2, fd, 48 << 10, 48 << 10, EFBIG);
	comes(-1, EFBIG);
	ck_assert_int_eq(place(fd), 64 << 10);
	holds(fd, "aaaa", 16 << 10);
	finish();
}

static void no_space(void)
{
	char folder[] = "ucw-XXXXXX", name[32];
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	if (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", folder, "tmpfs", 0, "size=64k")) {
		printf("no file system of its own for a test: %s\n", strerror(errno));
		rmdir(folder);
		return;
	}
	snprintf(name, sizeof(name), "%s/file", folder);
	fd = open(name, O_CREAT | O_RDWR, 0600);
	start(1);
	submit(ASIO_WRITE_BACK, fd, 48 << 10, 'a');
	submit(ASIO_WRITE_BACK, fd, 48 << 10, 'a');
	asio_sync(&q);
	lost(1, fd, 48 << 10, 48 << 10, ENOSPC);
	ck_assert_int_eq(place(fd), 64 << 10);
	holds(fd, "aaaa", 16 << 10);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	lseek(fd, 0, SEEK_SET);
	submit(ASIO_WRITE_BACK, fd, 48 << 10, 'b');
	asio_sync(&q);
	lost(0, 0, 0, 0, 0);
	holds(fd, "b", 48 << 10);
	finish();
	close(fd);
	umount(folder);
	rmdir(folder);
}

static unsigned told;
static struct tern_io_error tellings[8];

static void tell(struct asio_queue *queue, const struct tern_io_error *error)
{
	ck_assert_ptr_eq(queue, &q);
	tellings[told++] = *error;
	if (told > 1)
		return;
	ck_assert_uint_eq(q.allocated_requests, 2); /* it is back already */
	submit(ASIO_WRITE_BACK, -1, 9, 'x');	    /* a callback may use the queue */
}

static void called_back(void)
{
	start(2);
	ck_assert(!q.write_error);
	q.write_error = tell;
	for (uns i = 1; i <= 3; i++)
		submit(ASIO_WRITE_BACK, -1, i, 'x');
	asio_sync(&q);
	ck_assert_uint_eq(told, 4);
	ck_assert_uint_eq(tellings[0].length, 1);
	ck_assert_uint_eq(tellings[1].length + tellings[2].length + tellings[3].length, 14);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(tellings[i].error, EBADF);
	lost(4, -1, TERN_IO_NEXT, 1, EBADF);
	finish();
}

static void ignore(struct asio_queue *queue, const struct tern_io_error *error)
{
}

/* What is written to stderr from here on goes to a file. */
static int divert(int *saved)
{
	int fd = file_new();

	*saved = dup(2);
	dup2(fd, 2);
	return fd;
}

static void said(int fd, int saved, const char *expected)
{
	char text[512];
	ssize_t n;

	fflush(stderr);
	dup2(saved, 2);
	n = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, expected);
}

static void written_to_stderr(void)
{
	int full = open("/dev/full", O_WRONLY), saved, fd = divert(&saved);
	char expected[512];

	start(2);
	for (unsigned i = 0; i < 3; i++)
		submit(ASIO_WRITE_BACK, i ? -1 : full, 10, 'x');
	asio_sync(&q);
	asio_cleanup_queue(&q);
	snprintf(expected, sizeof(expected),
		 "tern: asio: write-backs that failed: 1; the first: fd %d, 10 bytes at 0: %s\n"
		 "tern: asio: write-backs that failed: 3; the first: fd %d, 10 bytes at 0: %s\n",
		 full, strerror(ENOSPC), full, strerror(ENOSPC));
	said(fd, saved, expected);
	lost(3, full, 0, 10, ENOSPC); /* it can still be asked */
}

static void found_at_the_end(void)
{
	int saved, fd = divert(&saved);

	start(1);
	submit(ASIO_WRITE_BACK, -1, 10, 'x');
	asio_cleanup_queue(&q);
	said(fd, saved,
	     "tern: asio: write-backs that failed: 1; the first: fd -1, 10 bytes: "
	     "Bad file descriptor\n");
}

static void quiet_when_asked(void)
{
	struct tern_io_error e;
	int saved, fd = divert(&saved);

	start(1);
	q.write_error = ignore;
	submit(ASIO_WRITE_BACK, -1, 10, 'x');
	submit(ASIO_WRITE_BACK, -1, 10, 'x');
	asio_sync(&q);
	asio_write_errors(&q, &e);
	asio_cleanup_queue(&q);
	said(fd, saved, "");
}

/* what a queue takes */

static void nothing_yet(void)
{
	unsigned d = descriptors();

	start(1);
	asio_put(request(ASIO_READ, -1, 0, '-'));
	ck_assert_uint_eq(carriers(), 0);
	ck_assert_uint_eq(descriptors(), d);
	finish();
}

static void given_back(void)
{
	unsigned d;
	struct asio_queue other = {.buffer_size = 10};
	struct asio_request *r;
	int fd = file_new();

	d = descriptors();
	for (unsigned i = 0; i < 10; i++) {
		start(1);
		submit(ASIO_WRITE_BACK, fd, 10, 'a');
		asio_init_queue(&other);
		r = asio_get(&other);
		r->op = ASIO_READ;
		r->fd = fd;
		asio_submit(r);
		ck_assert_ptr_eq(asio_wait(&other), r);
		asio_put(r);
		asio_cleanup_queue(&other);
		ck_assert_uint_gt(carriers(), 0);
		finish();
		carriers_go();
		ck_assert_uint_eq(descriptors(), d);
	}
}

static pthread_barrier_t round_begins;

static void *come_and_go(void *unused)
{
	struct asio_queue own = {.buffer_size = 4096, .max_writebacks = 3};
	int fd = file_new();

	for (unsigned i = 0, at = 0; i < scaled(40); i++) {
		asio_init_queue(&own);
		pthread_barrier_wait(&round_begins);
		for (unsigned j = 0; j < i % 7; j++, at++) {
			struct asio_request *r = asio_get(&own);

			memset(r->buffer, (int)at % 100, 4096);
			r->op = ASIO_WRITE_BACK;
			r->fd = fd;
			r->len = 4096;
			asio_submit(r);
		}
		asio_cleanup_queue(&own);
		for (unsigned j = 0; j < at; j++) {
			char byte;

			if (pread(fd, &byte, 1, j * 4096) != 1 || byte != (char)(j % 100))
				abort();
		}
	}
	close(fd);
	return NULL;
}

static void storm(void)
{
	unsigned d = descriptors();
	pthread_t thread[4];

	pthread_barrier_init(&round_begins, NULL, COUNT(thread));
	for (size_t i = 0; i < COUNT(thread); i++)
		thread[i] = thread_new(come_and_go, NULL);
	for (size_t i = 0; i < COUNT(thread); i++)
		thread_join(thread[i]);
	carriers_go();
	ck_assert_uint_eq(descriptors(), d);
}

static void write_in_child(void *fd)
{
	memset(&q, 0, sizeof(q)); /* the parent's is left as it is */
	start(1);
	asio_submit(request(ASIO_WRITE_BACK, *(int *)fd, 10, 'b'));
	asio_cleanup_queue(&q);
	MUST(!q.write_errors);
	carriers_go();
}

static void child(void)
{
	int fd = file_new();

	if (!THREADS_IN_CHILD || !MEMORY_IN_CHILD)
		return;
	start(1);
	submit(ASIO_WRITE, fd, 10, 'a');
	comes(10, 0);
	in_child(write_in_child, &fd);
	submit(ASIO_WRITE, fd, 10, 'c');
	comes(10, 0);
	holds(fd, "abc", 10);
	finish();
}

/* what the system refuses */

static void no_memory(void)
{
	struct asio_request *first, *second;
	int error;

	start(0);
	fault_arm(FAULT_MALLOC, 1, 1);
	first = asio_get(&q);
	error = errno;
	fault_arm(FAULT_MEMALIGN, 1, 1);
	second = asio_get(&q);
	fault_disarm();
	ck_assert_ptr_null(first);
	ck_assert_int_eq(error, ENOMEM);
	ck_assert_ptr_null(second);
	ck_assert_int_eq(errno, ENOMEM);
	asio_put(request(ASIO_READ, -1, 0, '-'));
	finish();
}

/* A write, a write-back and again, while the first-th call of a kind is refused. Returns whether
 * one was; without assertions, which allocate too. */
static bool script(enum fault_kind kind, unsigned first, int fd)
{
	struct tern_io_error lost_one;
	long memory = fault_memory();
	unsigned hits, lost_n;
	bool right = true;

	start(1);
	q.write_error = ignore;
	for (int round = 0; round < 2; round++) {
		struct asio_request *r = request(ASIO_WRITE, fd, 10, 'a');
		struct asio_request *back = request(ASIO_WRITE_BACK, fd, 10, 'b');

		lseek(fd, 0, SEEK_SET);
		if (!round)
			fault_arm(kind, first, 1);
		asio_submit(r);
		asio_submit(back);
		right &= asio_wait(&q) == r;
		asio_sync(&q);
		hits = round ? hits : fault_disarm();
		lost_n = asio_write_errors(&q, &lost_one);
		right &= r->status == 10 || (hits && r->returned_errno == fault_errno(kind));
		right &= !lost_n || (hits && lost_one.error == fault_errno(kind));
		right &= !round || (r->status == 10 && !lost_n);
		asio_put(r);
	}
	asio_cleanup_queue(&q);
	right &= fault_memory() == memory;
	ck_assert_msg(right, "kind %d, call %u", (int)kind, first);
	return hits;
}

static void refused(void)
{
	int fd = file_new();

	for (enum fault_kind kind = FAULT_MALLOC; kind < FAULT_KINDS; kind++)
		for (unsigned first = 1; script(kind, first, fd); first++)
			;
}

static void no_descriptor(void)
{
	int fd = file_new();
	struct rlimit limit, before;

	start(1);
	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	limit.rlim_cur = (rlim_t)fd + 1;
	setrlimit(RLIMIT_NOFILE, &limit);
	submit(ASIO_WRITE, fd, 10, 'x');
	submit(ASIO_WRITE_BACK, fd, 10, 'x');
	setrlimit(RLIMIT_NOFILE, &before);
	comes(-1, EMFILE);
	lost(1, fd, 0, 10, EMFILE);
	submit(ASIO_WRITE, fd, 10, 'a');
	comes(10, 0);
	finish();
}

/* misuse */

static void no_buffer_size(void)
{
	expect_fatal("asio_init_queue", &q);
	asio_init_queue(&q);
}

static void submit_twice(void)
{
	struct asio_request *r;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	start(0);
	r = submit(ASIO_READ, ends[0], 1, '-');
	expect_fatal("asio_submit", r);
	asio_submit(r);
}

static void put_running(void)
{
	struct asio_request *r;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	start(0);
	r = submit(ASIO_READ, ends[0], 1, '-');
	expect_fatal("asio_put", r);
	asio_put(r);
}

static void put_twice(void)
{
	struct asio_request *r;

	start(0);
	r = asio_get(&q);
	asio_put(r);
	expect_fatal("asio_put", r);
	asio_put(r);
}

static void put_before_wait(void)
{
	struct asio_request *r;

	start(0);
	r = submit(ASIO_READ, file_new(), 1, '-');
	asio_sync(&q);
	expect_fatal("asio_put", r);
	asio_put(r);
}

static void not_returned(void)
{
	start(0);
	submit(ASIO_READ, file_new(), 1, '-');
	expect_fatal("asio_cleanup_queue", &q);
	asio_cleanup_queue(&q);
}

static const struct test tests[] = {
	{"a request that is no good fails with EINVAL in its turn, and others go on", bad_requests},
	{"so does one of a closed or wrong descriptor, with EBADF", bad_descriptors},
	{"a write to a broken pipe fails, and no signal comes", broken_pipe},
	{"of write-backs that fail the first is kept until asked for, and how many", kept},
	{"a write-back where none may run fails with EINVAL and returns itself", none_allowed},
	{"so does one over buffer_size", too_long},
	{"a write-back cut short is continued, then fails as a whole", cut_short},
	{"so does one for which there is no space; when there is, they go on", no_space},
	{"the callback is told of each write-back that fails, and may submit", called_back},
	{"without it stderr is told of the first and at the end of all", written_to_stderr},
	{"cleanup waits for write-backs and tells of those that fail", found_at_the_end},
	{"with it, or when all were asked for, cleanup says nothing", quiet_when_asked},
	{"a queue takes nothing from the system before its first submit", nothing_yet},
	{"all of it is given back with the last cleanup", given_back},
	{"queues may come and go in many threads", storm},
	{"a child may have queues of its own while its parent has some", child},
	{"get tells when there is no memory", no_memory},
	{"whatever the system refuses, each request comes back and nothing leaks", refused},
	{"without descriptors requests fail with EMFILE, and with some they go on", no_descriptor},
	{"fatal: a queue without buffer_size", no_buffer_size},
	{"fatal: a submit of what runs", submit_twice},
	{"fatal: a put of what runs", put_running},
	{"fatal: a put of what was put", put_twice},
	{"fatal: a put of what wait has not brought", put_before_wait},
	{"fatal: a cleanup while a request is out", not_returned},
};

int main(int argc, char **argv)
{
	return run_on_engine("ucw/asio, faults", tests, COUNT(tests), argc, argv);
}
