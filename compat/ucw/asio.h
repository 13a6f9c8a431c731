/* SPDX-License-Identifier: MIT */
/*
 * Drop-in <ucw/asio.h>: a program that is written for the asynchronous I/O of libucw has its
 * requests carried out by tern, on io_uring or, where there is none, on a pool. The compiler finds
 * this file before libucw's own with the flags of pkg-config tern-compat. The old names are macros
 * over tern_compat_*, so that what else in the process uses libucw's own is not disturbed.
 *
 * A queue belongs to one thread at a time: [owner]. Its requests are carried out while the owner
 * does something else, one by one, in the order in which they were submitted; those of other queues
 * at the same time. See tern_compat(7).
 */
#ifndef TERN_COMPAT_UCW_ASIO_H
#define TERN_COMPAT_UCW_ASIO_H

#include <tern/io.h>
#include <ucw/lib.h>

/* What the original brings along comes along where libucw is installed. */
#ifdef __has_include
#if __has_include(<ucw/workqueue.h>) && __has_include(<ucw/clists.h>)
#include <ucw/clists.h>
#include <ucw/workqueue.h>
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define asio_init_queue	   tern_compat_asio_init_queue
#define asio_cleanup_queue tern_compat_asio_cleanup_queue
#define asio_get	   tern_compat_asio_get
#define asio_submit	   tern_compat_asio_submit
#define asio_wait	   tern_compat_asio_wait
#define asio_put	   tern_compat_asio_put
#define asio_sync	   tern_compat_asio_sync
#define asio_write_errors  tern_compat_asio_write_errors

/* Can be named, as with the original; nothing here is one of these. */
struct work;
struct work_queue;
typedef struct clist clist;

struct asio_request;
struct tern_compat_asio_carrier;

/* Private: what stands where libucw has its lists and work nodes. Not to be walked. */
struct tern_compat_asio_list {
	struct asio_request *first, *last;
};

struct tern_compat_asio_work {
	struct tern_post post;
	struct tern_compat_asio_carrier *carrier;
	struct asio_request *next;
	uint64_t position;
	uns buffer_size;
	int refused;
	uint8_t state;
};

struct asio_queue {
	uns buffer_size;    /* of each request's buffer, bytes; set it before init */
	uns max_writebacks; /* that may run; 0: each fails with EINVAL; set it before init */
	/*
	 * As your last call left them: what is over counts as running until submit, wait, sync or
	 * cleanup_queue has taken it in, one by one as they need to.
	 */
	uns allocated_requests; /* got and neither put nor, as write-backs, back by themselves */
	uns running_requests;
	uns running_writebacks;				   /* of these */
	struct tern_compat_asio_list idle_list, done_list; /* private */
	struct tern_compat_asio_carrier *queue;		   /* private */
	uns use_count;					   /* yours: never touched */
	/*
	 * [owner] A write-back failed; comes from inside submit, wait, sync and cleanup_queue.
	 * NULL, as init leaves it: stderr is told of the first since asio_write_errors was called,
	 * and from cleanup_queue how many there were.
	 */
	void (*write_error)(struct asio_queue *q, const struct tern_io_error *error);
	uns write_errors; /* private, like all below */
	struct tern_io_error first_write_error;
};

enum asio_op {
	ASIO_FREE,
	ASIO_READ,
	ASIO_WRITE,
	ASIO_WRITE_BACK, /* a write that returns itself: see asio_write_errors */
};

/*
 * A request: yours from get, or wait, until submit, or put. Where the file has a position, it is
 * read or written there, as by read(2) and write(2), and moves it on.
 */
struct asio_request {
	struct tern_compat_asio_work work; /* private */
	struct asio_queue *queue;
	byte *buffer; /* page-aligned; keeps its contents */
	int fd;
	enum asio_op op;
	uns len; /* bytes */
	/*
	 * Of a finished one: how many bytes were moved, and returned_errno 0; or -1, and it says
	 * why. A read gives fewer than len at the end of the file, and of a pipe or socket what
	 * comes first; a write all, however often it takes, or -1.
	 */
	int status;
	int returned_errno;
	int submitted;	 /* 1 from submit until it comes back */
	void *user_data; /* yours: never touched, also when the request is used anew */
};

/*
 * [owner] Prepares a queue: buffer_size, not 0, and max_writebacks are set. Takes nothing from the
 * system; the first submit does, and what it cannot have is the errno of that request.
 */
void tern_compat_asio_init_queue(struct asio_queue *q);

/*
 * [owner] [blocks] Ends a queue, after all its requests have been returned. If it is the last of
 * the process that submitted anything, thread and pool go with it.
 */
void tern_compat_asio_cleanup_queue(struct asio_queue *q);

/*
 * [owner] A request for you to fill in: the one that has been idle for the longest, else a new one.
 * op is ASIO_FREE, len and submitted are 0, fd, status and returned_errno are -1. NULL, and errno
 * ENOMEM: there is no memory for one more.
 */
struct asio_request *tern_compat_asio_get(struct asio_queue *q);

/*
 * [owner] [blocks, a write-back while max_writebacks of them run] Hands over a request. If len is
 * over buffer_size, op none of the three, or it is a write-back and none may run, it comes back, in
 * its turn, with status -1 and EINVAL.
 */
void tern_compat_asio_submit(struct asio_request *r);

/*
 * [owner] [blocks] The read or write that was finished first, waiting for one if it must; NULL when
 * nothing runs.
 */
struct asio_request *tern_compat_asio_wait(struct asio_queue *q);

/* [owner] Returns a request that is not running. */
void tern_compat_asio_put(struct asio_request *r);

/* [owner] [blocks] Waits until nothing runs. Finished reads and writes stay for wait. */
void tern_compat_asio_sync(struct asio_queue *q);

/*
 * [owner] Not of libucw, where a write-back that fails ends the process. How many have failed since
 * this was last called, 0 if none, and in *first the first of them; after asio_sync, of all that
 * were submitted. offset is where the write began; TERN_IO_NEXT where there are no positions.
 */
uns tern_compat_asio_write_errors(struct asio_queue *q, struct tern_io_error *first);

#ifdef __cplusplus
}
#endif

#endif
