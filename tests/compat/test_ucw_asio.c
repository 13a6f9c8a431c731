/* SPDX-License-Identifier: MIT */
/*
 * What the drop-in <ucw/asio.h> promises of requests that succeed: their order, the file's
 * position, who comes back and when, and the counts. test_ucw_asio_fault.c is about those that do
 * not.
 */
#include "ucw.h"

#include <stdio.h>
#include <sys/socket.h>

/* requests */

static void reset(void)
{
	struct asio_request *r;
	int fd = file_new();

	start(0);
	r = submit(ASIO_WRITE, fd, 5, 'x');
	r->user_data = &q;
	ck_assert_ptr_eq(asio_wait(&q), r);
	asio_put(r);
	ck_assert_ptr_eq(asio_get(&q), r);
	ck_assert_int_eq(r->op, ASIO_FREE);
	ck_assert_int_eq(r->fd, -1);
	ck_assert_uint_eq(r->len, 0);
	ck_assert_int_eq(r->status, -1);
	ck_assert_int_eq(r->returned_errno, -1);
	ck_assert_int_eq(r->submitted, 0);
	ck_assert_ptr_eq(r->user_data, &q);
	ck_assert_ptr_eq(r->queue, &q);
	for (uns i = 0; i < BUFFER; i++)
		ck_assert_int_eq(r->buffer[i], 'x');
	asio_put(r);
	finish();
}

static void oldest_idle(void)
{
	struct asio_request *r[3];

	start(0);
	for (unsigned i = 0; i < 3; i++)
		r[i] = asio_get(&q);
	asio_put(r[1]);
	asio_put(r[2]);
	asio_put(r[0]);
	ck_assert_ptr_eq(asio_get(&q), r[1]);
	ck_assert_ptr_eq(asio_get(&q), r[2]);
	ck_assert_ptr_eq(asio_get(&q), r[0]);
	for (unsigned i = 0; i < 3; i++)
		asio_put(r[i]);
	finish();
}

static void buffers(void)
{
	struct asio_request *r[100];

	start(0);
	for (unsigned i = 0; i < COUNT(r); i++) {
		r[i] = request(ASIO_FREE, -1, 0, (char)i);
		ck_assert_uint_eq((uintptr_t)r[i]->buffer % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
	}
	for (unsigned i = 0; i < COUNT(r); i++) {
		ck_assert_int_eq(r[i]->buffer[0], (int)i);
		ck_assert_int_eq(r[i]->buffer[BUFFER - 1], (int)i);
		asio_put(r[i]);
	}
	finish();
}

/* order and positions */

static void positions(void)
{
	struct asio_request *r;
	int fd = file_new();

	start(0);
	submit(ASIO_WRITE, fd, 3000, 'a');
	submit(ASIO_WRITE, fd, 3000, 'b');
	comes(3000, 0);
	comes(3000, 0);
	ck_assert_int_eq(place(fd), 6000);
	lseek(fd, 2999, SEEK_SET);
	submit(ASIO_READ, fd, 2, '-');
	r = asio_wait(&q);
	ck_assert_int_eq(r->status, 2);
	ck_assert_int_eq(r->returned_errno, 0);
	ck_assert_int_eq(memcmp(r->buffer, "ab-", 3), 0);
	asio_put(r);
	ck_assert_int_eq(place(fd), 3001);
	finish();
}

static void end_of_file(void)
{
	int fd = file_new();

	start(0);
	ck_assert_int_eq(pwrite(fd, "abcde", 5, 0), 5);
	submit(ASIO_READ, fd, BUFFER, '-');
	submit(ASIO_READ, fd, BUFFER, '-');
	submit(ASIO_READ, fd, 0, '-');
	comes(5, 0);
	comes(0, 0);
	comes(0, 0);
	ck_assert_int_eq(place(fd), 5);
	finish();
}

static void append(void)
{
	int fd = file_new();

	start(1);
	ck_assert_int_eq(pwrite(fd, "aaa", 3, 0), 3);
	fcntl(fd, F_SETFL, O_APPEND);
	submit(ASIO_WRITE_BACK, fd, 3, 'b');
	submit(ASIO_WRITE, fd, 3, 'c');
	comes(3, 0);
	ck_assert_int_eq(place(fd), 9);
	holds(fd, "abc", 3);
	finish();
}

static void order(void)
{
	const unsigned n = scaled(400);
	int fd = file_new();

	start(3);
	for (unsigned i = 0; i < n; i++)
		submit(i % 3 ? ASIO_WRITE_BACK : ASIO_WRITE, fd, 1000, (char)('a' + i % 26));
	for (unsigned i = 0; i < n; i += 3)
		comes(1000, 0);
	asio_sync(&q);
	for (unsigned i = 0; i < n; i++) {
		char bytes[1000];

		ck_assert_int_eq(pread(fd, bytes, 1000, i * 1000), 1000);
		ck_assert_int_eq(bytes[0], 'a' + (int)i % 26);
		ck_assert_int_eq(bytes[999], 'a' + (int)i % 26);
	}
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), (int)n * 1000);
	finish();
}

static void reads_see_writes(void)
{
	struct asio_request *r;
	int fd = file_new(), behind;
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	behind = open(name, O_RDONLY);
	ck_assert_int_ge(behind, 0);
	start(2);
	for (unsigned i = 0; i < 20; i++) {
		submit(ASIO_WRITE_BACK, fd, 100, (char)('a' + i));
		submit(ASIO_READ, behind, 100, '-');
	}
	for (unsigned i = 0; i < 20; i++) {
		r = asio_wait(&q);
		ck_assert_int_eq(r->status, 100);
		ck_assert_int_eq(r->buffer[99], 'a' + (int)i);
		asio_put(r);
	}
	finish();
	close(behind);
}

/* An end that is aligned to nothing is where direct I/O is not like other I/O. */
static void direct(void)
{
	struct tern_io_file file;
	struct asio_request *r;
	int fd = file_new();

	ck_assert_int_eq(pwrite(fd, "tail", 4, 2 * BUFFER), 4);
	if (fcntl(fd, F_SETFL, O_DIRECT))
		return; /* not on this file system */
	start(2);
	submit(ASIO_WRITE_BACK, fd, BUFFER, 'a');
	submit(ASIO_WRITE, fd, BUFFER, 'b');
	submit(ASIO_READ, fd, BUFFER, '-');
	comes((int)BUFFER, 0);
	r = asio_wait(&q);
	ck_assert_int_eq(r->status, 4);
	ck_assert_int_eq(memcmp(r->buffer, "tail", 4), 0);
	asio_put(r);
	ck_assert_int_eq(place(fd), 2 * BUFFER + 4);
	ck_assert(fcntl(fd, F_GETFL) & O_DIRECT);
	ck_assert_int_eq(tern_io_adopt(&file, fd, TERN_IO_DIRECT), 0);
	lseek(fd, 0, SEEK_SET);
	submit(ASIO_READ, fd, 100, '-');
	if (file.offset_align > 100)
		comes(-1, EINVAL);
	else
		comes(100, 0);
	ck_assert_int_eq(ftruncate(fd, 2 * BUFFER), 0);
	fcntl(fd, F_SETFL, 0);
	holds(fd, "ab", BUFFER);
	finish();
}

/* who comes back, and when */

static void oldest_first(void)
{
	struct asio_request *r[5];
	int fd = file_new();

	start(1);
	ck_assert_ptr_null(asio_wait(&q));
	for (unsigned i = 0; i < COUNT(r); i++) {
		r[i] = submit(i % 2 ? ASIO_READ : ASIO_WRITE, fd, 10, 'a');
		submit(ASIO_WRITE_BACK, fd, 10, 'b');
	}
	for (unsigned i = 0; i < COUNT(r); i++) {
		ck_assert_int_eq(r[i]->submitted, 1);
		ck_assert_ptr_eq(asio_wait(&q), r[i]);
		ck_assert_int_eq(r[i]->submitted, 0);
	}
	for (unsigned i = 0; i < COUNT(r); i++)
		asio_put(r[i]);
	finish();
}

static void again(void)
{
	struct asio_request *r;
	int fd = file_new();

	start(0);
	r = submit(ASIO_WRITE, fd, 10, 'a');
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_ptr_eq(asio_wait(&q), r);
		asio_submit(r);
	}
	comes(10, 0);
	holds(fd, "aaaa", 10);
	finish();
}

static void sync_all(void)
{
	int fd = file_new();

	start(8);
	for (unsigned i = 0; i < 8; i++)
		submit(i % 2 ? ASIO_WRITE : ASIO_WRITE_BACK, fd, 10, 'a');
	asio_sync(&q);
	holds(fd, "aaaaaaaa", 10);
	ck_assert_uint_eq(q.running_requests, 0);
	ck_assert_uint_eq(q.running_writebacks, 0);
	ck_assert_uint_eq(q.allocated_requests, 4);
	asio_sync(&q);
	for (unsigned i = 0; i < 4; i++)
		comes(10, 0);
	finish();
}

static void counts(void)
{
	struct asio_request *idle;
	int fd = file_new();

	q.use_count = 7;
	start(2);
	idle = request(ASIO_FREE, -1, 0, '-');
	ck_assert_uint_eq(q.allocated_requests, 1);
	submit(ASIO_READ, fd, 10, '-');
	submit(ASIO_WRITE, fd, 10, 'a');
	submit(ASIO_WRITE_BACK, fd, 10, 'a');
	ck_assert_uint_eq(q.allocated_requests, 4);
	ck_assert_uint_eq(q.running_requests, 3);
	ck_assert_uint_eq(q.running_writebacks, 1);
	comes(0, 0);
	ck_assert_uint_eq(q.allocated_requests, 3);
	ck_assert_uint_eq(q.running_requests, 2);
	comes(10, 0);
	ck_assert_uint_eq(q.running_requests, 1);
	ck_assert_uint_eq(q.running_writebacks, 1);
	ck_assert_ptr_null(asio_wait(&q));
	ck_assert_uint_eq(q.allocated_requests, 1);
	ck_assert_uint_eq(q.running_requests, 0);
	ck_assert_uint_eq(q.running_writebacks, 0);
	asio_put(idle);
	finish();
	ck_assert_uint_eq(q.use_count, 7);
}

static void written_back(void)
{
	struct asio_request *r;
	int fd = file_new();

	start(1);
	r = submit(ASIO_WRITE_BACK, fd, 10, 'a');
	asio_sync(&q);
	ck_assert_int_eq(r->submitted, 0);
	ck_assert_ptr_eq(asio_get(&q), r);
	asio_put(r);
	finish();
}

/* pipes and sockets */

static int ends[2];

static void pipe_new(void)
{
	ck_assert_int_eq(pipe(ends), 0);
}

static void read_directly(unsigned n)
{
	char bytes[4096];

	while (n) {
		ssize_t got = read(ends[0], bytes, n < sizeof(bytes) ? n : sizeof(bytes));

		ck_assert_int_gt(got, 0);
		n -= (unsigned)got;
	}
}

/* Would hang if it took a call of the owner's to begin with the next. */
static void meanwhile(void)
{
	start(8);
	pipe_new();
	for (unsigned i = 0; i < 4; i++)
		submit(ASIO_WRITE_BACK, ends[1], BUFFER, 'a');
	submit(ASIO_WRITE, ends[1], 10, 'a');
	read_directly(4 * BUFFER + 10);
	comes(10, 0);
	finish();
}

static void *read_all(void *all)
{
	latch_wait(all);
	read_directly(5 * BUFFER);
	return NULL;
}

static void limit(void)
{
	struct latch latch;
	pthread_t reader;

	latch_init(&latch, 1);
	start(2);
	pipe_new();
	fcntl(ends[1], F_SETPIPE_SZ, 4096);
	reader = thread_new(read_all, &latch);
	submit(ASIO_WRITE_BACK, ends[1], BUFFER, 'a');
	submit(ASIO_WRITE_BACK, ends[1], BUFFER, 'b');
	latch_arrive(&latch);
	for (int c = 'c'; c < 'f'; c++) {
		submit(ASIO_WRITE_BACK, ends[1], BUFFER, (char)c);
		ck_assert_uint_eq(q.running_writebacks, 2);
	}
	asio_sync(&q);
	thread_join(reader);
	finish();
}

/* The submit of the second is over only when the first is, and so can be read to its end. */
static void waits_for_room(void)
{
	static char bytes[BUFFER];

	start(1);
	pipe_new();
	submit(ASIO_WRITE_BACK, ends[1], BUFFER / 2, 'a');
	submit(ASIO_WRITE_BACK, ends[1], BUFFER / 2, 'b');
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	ck_assert_int_eq(read(ends[0], bytes, BUFFER / 2), BUFFER / 2);
	ck_assert_int_eq(bytes[BUFFER / 2 - 1], 'a');
	asio_sync(&q);
	finish();
}

static void what_comes_first(void)
{
	start(0);
	pipe_new();
	submit(ASIO_READ, ends[0], BUFFER, '-');
	submit(ASIO_READ, ends[0], BUFFER, '-');
	ck_assert_int_eq(write(ends[1], "abc", 3), 3);
	comes(3, 0);
	close(ends[1]);
	comes(0, 0);
	finish();
}

static void sockets(void)
{
	struct asio_request *r;

	start(4);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	submit(ASIO_WRITE_BACK, ends[0], 10, 'a');
	submit(ASIO_WRITE, ends[0], 10, 'b');
	comes(10, 0);
	submit(ASIO_READ, ends[1], BUFFER, '-');
	r = asio_wait(&q);
	ck_assert_int_eq(r->status, 20);
	ck_assert_int_eq(r->buffer[19], 'b');
	asio_put(r);
	finish();
}

/* Each write takes many, and on a descriptor that does not block most of them are EAGAIN. */
static void continued(int flags)
{
	start(2);
	pipe_new();
	fcntl(ends[1], F_SETPIPE_SZ, 4096);
	fcntl(ends[1], F_SETFL, flags);
	submit(ASIO_WRITE_BACK, ends[1], BUFFER, 'a');
	submit(ASIO_WRITE, ends[1], BUFFER, 'b');
	read_directly(2 * BUFFER);
	comes((int)BUFFER, 0);
	finish();
}

static void short_writes(void)
{
	continued(0);
}

static void short_writes_without_blocking(void)
{
	continued(O_NONBLOCK);
}

static void read_without_blocking(void)
{
	start(0);
	pipe_new();
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	submit(ASIO_READ, ends[0], BUFFER, '-');
	ck_assert_int_eq(write(ends[1], "abc", 3), 3);
	comes(3, 0);
	finish();
}

/* several queues */

static void others(void)
{
	struct asio_queue stuck[6];
	struct asio_request *r;
	int fd = file_new();

	pipe_new();
	for (unsigned i = 0; i < COUNT(stuck); i++) {
		stuck[i].buffer_size = 10;
		stuck[i].max_writebacks = 0;
		asio_init_queue(&stuck[i]);
		r = asio_get(&stuck[i]);
		r->op = ASIO_READ;
		r->fd = ends[0];
		r->len = 1;
		asio_submit(r);
	}
	start(2);
	submit(ASIO_WRITE, fd, 10, 'a');
	comes(10, 0);
	finish();
	ck_assert_int_eq(write(ends[1], "abcdef", 6), 6);
	for (unsigned i = 0; i < COUNT(stuck); i++) {
		r = asio_wait(&stuck[i]);
		ck_assert_int_eq(r->status, 1);
		asio_put(r);
		asio_cleanup_queue(&stuck[i]);
	}
}

static void *go_on(void *r)
{
	ck_assert_ptr_eq(asio_wait(&q), r);
	asio_submit(r);
	return NULL;
}

static void handed_on(void)
{
	int fd = file_new();

	start(0);
	thread_join(thread_new(go_on, submit(ASIO_WRITE, fd, 10, 'a')));
	comes(10, 0);
	finish();
}

static const struct test tests[] = {
	{"get resets a request, and keeps user_data and what is in the buffer", reset},
	{"get takes what has been idle for the longest", oldest_idle},
	{"get makes as many as are asked for, each with a buffer aligned to pages", buffers},
	{"reads and writes are at the file's own position, and move it on", positions},
	{"a read is short at the end of the file, and then 0", end_of_file},
	{"a file that appends does", append},
	{"requests are carried out in order, write-backs among writes", order},
	{"a read sees what was submitted to be written before it", reads_see_writes},
	{"files with O_DIRECT are read and written with it, to the last byte", direct},
	{"wait brings the oldest first, no write-back, and NULL when nothing runs", oldest_first},
	{"what wait has brought can be submitted again", again},
	{"sync waits for all, and leaves reads and writes for wait", sync_all},
	{"the counts tell what is lent and what runs", counts},
	{"a write-back returns itself", written_back},
	{"requests are carried out while their owner does something else", meanwhile},
	{"no more than max_writebacks run", limit},
	{"a write-back over max_writebacks waits for one to finish", waits_for_room},
	{"a read of a pipe takes what comes first, and 0 at its end", what_comes_first},
	{"sockets are read and written", sockets},
	{"a short write is continued", short_writes},
	{"so it is where the descriptor does not block", short_writes_without_blocking},
	{"a read waits where the descriptor does not block", read_without_blocking},
	{"a queue that must wait keeps no other one waiting", others},
	{"a queue may be handed to another thread", handed_on},
};

int main(int argc, char **argv)
{
	return run_on_engine("ucw/asio", tests, COUNT(tests), argc, argv);
}
