/* SPDX-License-Identifier: MIT */
/*
 * Queues of disk requests: a queue takes requests on its loop's thread, an engine carries them out
 * (io_uring, the threads of a pool, or one of your own), and they come home as completions. A queue
 * can also be used without callbacks, by tern_io_poke and tern_io_wait.
 *
 * A queue belongs to one thread, its loop's. See tern_io(3), tern_io_open(3), tern_io_engine(3).
 */
#ifndef TERN_IO_H
#define TERN_IO_H

#include <sys/types.h>
#include <sys/uio.h>
#include <tern/base.h>
#include <tern/loop.h>
#include <tern/stats.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tern_io;
struct tern_io_queue;
struct tern_io_engine;

/* How a file is to be opened, or taken over. */
enum tern_io_direct {
	TERN_IO_BUFFERED,      /* through the page cache */
	TERN_IO_DIRECT_PREFER, /* O_DIRECT where the file system offers it */
	TERN_IO_DIRECT,	       /* O_DIRECT, else an error */
};

/* An open file, and what direct I/O on it demands. A value: copy it as you like. */
struct tern_io_file {
	int fd;
	bool direct;   /* it has O_DIRECT */
	bool seekable; /* it has positions: no pipe, socket or terminal */
	bool appends;  /* it has O_APPEND: each write goes to the end, whatever its offset */
	uint32_t memory_align; /* of buffers, in bytes; 1: any */
	uint32_t offset_align; /* of offsets and lengths, also of each vector's; 1: any */
	int why;	       /* not direct, though preferred: the errno that says why; else 0 */
	uint32_t registered;   /* private: 0, or as what tern_io_register knows it */
};

/*
 * [any] [blocks, as open(2) does] Opens a file, with O_CLOEXEC, and finds what direct I/O on it
 * demands, from statx(2) where the kernel tells. flags and mode are open(2)'s, without O_DIRECT.
 * Returns 0 and the file in *ret, for you to close; what open(2) says; -EINVAL also where
 * TERN_IO_DIRECT is not to be had or flags hold O_DIRECT. On failure *ret is untouched.
 */
int tern_io_open(struct tern_io_file *ret, const char *path, int flags, mode_t mode,
		 enum tern_io_direct direct);

/*
 * [any] The same for a descriptor that is open, whose O_DIRECT it sets or clears: a property of the
 * open file, so of all descriptors duplicated from it. Returns 0; what fcntl(2) or fstat(2) say;
 * -EINVAL where TERN_IO_DIRECT is not to be had, or direct is none. On failure *ret and the
 * descriptor are untouched.
 */
int tern_io_adopt(struct tern_io_file *ret, int fd, enum tern_io_direct direct);

enum tern_io_op {
	TERN_IO_NONE,
	TERN_IO_READ,
	TERN_IO_WRITE,
	TERN_IO_WRITEBACK, /* a write that comes home to nobody: see tern_io_prep_writeback */
	TERN_IO_FSYNC,
	TERN_IO_FDATASYNC,
	TERN_IO_ALLOCATE, /* fallocate(2): room on disk, so that writes there cannot lack it */
	TERN_IO_DISCARD,  /* a hole: reads as zeros, its room is given back */
	TERN_IO_TRUNCATE, /* ftruncate(2) */
	TERN_IO_BARRIER,  /* starts after all that was submitted before is over, and nothing
			     submitted later starts before it is */
	TERN_IO_OPS
};

/* Flags of a request; both of writes and write-backs. */
#define TERN_IO_DURABLE 1u /* over only when it is on stable storage, as with O_DSYNC */
#define TERN_IO_TAIL	2u /* the file ends here: see tern_io_prep_write; not with DURABLE */

/* An offset: where the file stands, as read(2) has it. In ordered queues only. */
#define TERN_IO_NEXT UINT64_MAX

/*
 * A request. The queue's, which lends it: yours from tern_io_get until tern_io_submit and from its
 * completion until tern_io_release. Its own buffer keeps its contents all the while.
 */
struct tern_io {
	/* what to do: as tern_io_prep_... set it; may be changed until submit */
	uint8_t op;    /* enum tern_io_op */
	uint8_t flags; /* TERN_IO_DURABLE, TERN_IO_TAIL */
	uint32_t iov_count;
	struct tern_io_file file;
	uint64_t offset; /* bytes, or TERN_IO_NEXT */
	uint64_t length; /* bytes */
	void *buffer;	 /* prep sets it to the request's own, of buffer_size; it may be one of
			    yours, which then must live until the completion */
	const struct iovec *iov; /* instead of buffer; must live until the completion, too */

	/* yours; prep leaves them as they are, get makes done NULL and deadline_ns 0 */
	void (*done)(struct tern_io *io); /* [loop] exactly once; may submit it again or release
					     it; NULL: tern_io_wait brings it */
	void *user;			  /* as you left it, also when the request is lent anew */
	uint64_t deadline_ns; /* from submit: if it is not over by then, opts.late is told; 0: no */

	/* when it is over */
	int64_t result; /* bytes moved, at the end of the file fewer than length; 0 where nothing
			   is to be moved; or a negative errno */
	const char *refused; /* after -EINVAL from submit: which rule it breaks; constant text */

	/* private */
	struct tern_io_queue *queue;
	struct tern_node node;
	void *own_buffer;
	uint64_t since_ns, moved;
	int64_t came, position;
	uint8_t state;
	bool prepared, blocking, cutting, taken_back, timed;
	int8_t slot;
	struct tern_timer timer; /* last: few have one */
};

/* A write-back that failed. */
struct tern_io_error {
	int fd;
	uint64_t offset, length; /* as submitted */
	int error;		 /* positive errno */
};

struct tern_io_opts {
	size_t size;		 /* sizeof(struct tern_io_opts) */
	uint32_t depth;		 /* requests that may be outstanding; 0: 32; at most 32768 */
	uint32_t requests_max;	 /* that can be got at once; 0: 2 x depth; at most 2^20 */
	uint32_t buffer_size;	 /* of each request's own buffer, bytes; 0: 65536; TERN_NONE: they
				    have none; at most 2^30. Buffers are aligned to pages, and take
				    memory when first used; but io_uring registers up to 64 MiB
				    of them, which takes it at once */
	uint32_t writebacks_max; /* that may be outstanding; 0: half of depth, at least 1;
				    TERN_NONE */
	bool ordered;		 /* one at a time, strictly in order of submit */
	bool stop_on_error; /* of ordered queues: when one fails, those submitted before its done
			       is entered, or tern_io_wait brings it, complete with -ECANCELED */
	/*
	 * Who carries requests out; both are copied. NULL: tern_io_engine_uring(). If it cannot be
	 * had, fallback; see tern_io_queue_engine. NULL: none, and create() fails: with -ENOTSUP,
	 * or, if an engine is named here, with what that says.
	 */
	const struct tern_io_engine *engine, *fallback;
	/* [loop] A write-back failed. NULL: only tern_io_sync and destroy tell. */
	void (*write_error)(struct tern_io_queue *queue, const struct tern_io_error *error);
	/*
	 * [loop] A request has passed its deadline. Told once, and only told: the request, with its
	 * buffer, is tern's until it is over. Comes from the loop's turn; not inside tern_io_poke,
	 * wait, drain and sync.
	 */
	void (*late)(struct tern_io *io);
	/*
	 * [loop] After submit has returned -EAGAIN, or get NULL: what was refused can be had again.
	 * Once, however many were refused since; before or after the completion that makes room.
	 */
	void (*room)(struct tern_io_queue *queue);
	void *user; /* for tern_io_queue_user */
};

/*
 * [any, before the loop is used; else loop] Makes a queue for requests that come home to that loop.
 * opts may be NULL. Returns 0 and the queue in *ret; -EINVAL for options out of range,
 * stop_on_error without ordered, or an engine's table that lacks what it must have, -E2BIG for
 * options or a table from a newer library, -ENOTSUP where the default engine cannot be had and no
 * other is named, -ENOMEM, or what the engine says. On failure *ret is untouched. The loop must
 * outlive the queue.
 */
int tern_io_queue_create(struct tern_io_queue **ret, struct tern_loop *home,
			 const struct tern_io_opts *opts);

/*
 * [loop] Ends a queue. Returns 0, and the queue is gone; or, and it is as before, -EBUSY while a
 * request is lent, outstanding or not yet fetched with tern_io_wait, and in a done that was entered
 * by tern_io_poke, wait, drain or sync of the queue, which go on afterwards; -EIO, once, if a
 * write-back has failed that tern_io_sync has not reported. For a parent's queue in a child of
 * fork(2), where starting or fetching a request is fatal, always 0: it gives back what the child
 * holds of it.
 */
int tern_io_queue_destroy(struct tern_io_queue *queue);

/* [loop] Borrows a request; NULL when requests_max are lent. Costs no allocation. */
struct tern_io *tern_io_get(struct tern_io_queue *queue);

/* [loop] Gives back a request that was got and is not outstanding. */
void tern_io_release(struct tern_io *io);

/*
 * [loop] Describe a read or write of length bytes at offset, in the request's own buffer; nothing
 * starts. Short transfers are continued: a read is over when length is reached, the file ends or an
 * error comes, a write at length or an error. From a pipe, socket or terminal a read takes what
 * comes first.
 *
 * A write with TERN_IO_TAIL is of any length: up to offset_align the buffer, which must have room
 * for that, is filled with zeros and written too, then the file is cut to offset + length. It needs
 * an offset and one buffer, and is not durable: sync the file behind it.
 */
void tern_io_prep_read(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
		       uint64_t length);
void tern_io_prep_write(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			uint64_t length);

/*
 * [loop] The same for a write that nobody waits for: when it is over the request releases itself,
 * so submit is the last that you see of it, and done must be NULL. If it fails, opts.write_error is
 * told and tern_io_sync reports it.
 */
void tern_io_prep_writeback(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			    uint64_t length);

/*
 * [loop] The same for several buffers of yours. iov and what it points to must live until the
 * completion; length is their sum.
 */
void tern_io_prep_readv(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			const struct iovec *iov, uint32_t iov_count);
void tern_io_prep_writev(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			 const struct iovec *iov, uint32_t iov_count);

/*
 * [loop] Describe what moves no bytes. fsync and fdatasync make durable what was over before they
 * were submitted; to include what was only submitted, put a barrier between, or use an ordered
 * queue. An error of theirs is the only report that data was lost: never repeat one that failed.
 */
void tern_io_prep_fsync(struct tern_io *io, const struct tern_io_file *file);
void tern_io_prep_fdatasync(struct tern_io *io, const struct tern_io_file *file);
void tern_io_prep_allocate(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			   uint64_t length);
void tern_io_prep_discard(struct tern_io *io, const struct tern_io_file *file, uint64_t offset,
			  uint64_t length);
void tern_io_prep_truncate(struct tern_io *io, const struct tern_io_file *file, uint64_t length);
void tern_io_prep_barrier(struct tern_io *io);

/*
 * [loop] Hands a request over; it completes exactly once, never from inside the call. Returns 0;
 * -EAGAIN when depth requests are outstanding, or writebacks_max and it is one; -EINVAL when it
 * breaks a rule, and io->refused says which: alignment, length over buffer_size in the request's
 * own buffer, an offset past what files can have or on a file without positions, an unknown op or
 * flag, TERN_IO_NEXT in an unordered queue, a write-back where none are allowed or with done;
 * -EBADF for a negative descriptor. After an error it is yours, nothing has happened.
 */
int tern_io_submit(struct tern_io *io);

/*
 * [loop] Takes back a request that is outstanding and has not started. True: it completes with
 * -ECANCELED, soon and from the loop. False: too late, all goes its normal way.
 */
bool tern_io_cancel(struct tern_io *io);

/*
 * [loop] Brings what is over home without waiting: at most max requests, 0 for all there are at the
 * call. Their done is entered, or they are left for tern_io_wait. Returns how many. Inside a done
 * of the same queue it returns 0.
 */
uint32_t tern_io_poke(struct tern_io_queue *queue, uint32_t max);

/*
 * [loop] [blocks] The request without done that was over first, waiting for one if it must; NULL
 * when none is outstanding. Enters the done of others of this queue meanwhile, and nothing else:
 * the rest of the loop stands still. Like the next two, not from inside a done or write_error of
 * the same queue.
 */
struct tern_io *tern_io_wait(struct tern_io_queue *queue);

/*
 * [loop] [blocks] Brings home all that is outstanding, and what their done submits. What has no
 * done is left for tern_io_wait. Returns how many came.
 */
uint64_t tern_io_drain(struct tern_io_queue *queue);

/*
 * [loop] [blocks] The same, and returns 0, or the negative errno of the first write-back that
 * failed and was not reported yet. It says nothing of what is durable: see tern_io_prep_fsync.
 */
int tern_io_sync(struct tern_io_queue *queue);

/* [loop] The first write-back error that tern_io_sync has not reported; false: there is none. */
bool tern_io_write_error(const struct tern_io_queue *queue, struct tern_io_error *error);

/* [any] As set by the options. */
uint32_t tern_io_depth(const struct tern_io_queue *queue);
void *tern_io_queue_user(const struct tern_io_queue *queue);

/* [loop] Requests submitted whose done was not entered and that are not left for tern_io_wait. */
uint32_t tern_io_outstanding(const struct tern_io_queue *queue);

/*
 * [any] The engine's name and, if it is the fallback, why: "uring", or "pool: uring refused
 * (Operation not permitted)". Lives as long as the queue.
 */
const char *tern_io_queue_engine(const struct tern_io_queue *queue);

/*
 * [loop] Has the queue's engine keep the open file at hand: each request that names it then costs a
 * little less, with io_uring. For files that stay open for long; at most 64 of a queue's at once.
 * *file is what requests must then be given, or a copy of it; other queues take it for a file like
 * others, and are given a copy if they are to register it, too. The queue has the file open,
 * whatever you close, until unregister or destroy; but what goes by the file's own position or cuts
 * it needs the descriptor. Returns 0, also if it was so already; -ENOTSUP where the engine has no
 * such thing, -ENOSPC for the 65th, -EBADF, or what the engine says: on failure *file is untouched,
 * and good to be used as it is.
 */
int tern_io_register(struct tern_io_queue *queue, struct tern_io_file *file);

/*
 * [loop] The end of it. What is outstanding is not harmed: the queue has the file open until that
 * is over. *file and copies of it may still be used, as long as the descriptor is open. Returns 0;
 * -ENOENT if it is not registered with this queue, or what the engine says, and it still is.
 */
int tern_io_unregister(struct tern_io_queue *queue, struct tern_io_file *file);

/* What a queue has done. */
struct tern_io_stats {
	size_t size;	      /* set it to sizeof(struct tern_io_stats) before the call */
	uint32_t outstanding; /* as tern_io_outstanding says */
	uint32_t writebacks;  /* of these, write-backs */
	uint64_t submitted;   /* so far, as are all below */
	uint64_t failed;      /* came with a negative result, cancelled ones included */
	uint64_t canceled;
	uint64_t late;
	uint64_t bytes_read, bytes_written;
	struct tern_histogram latency[TERN_IO_OPS]; /* of each operation: from submit till it is
						       home, by a clock read once a turn */
};

/* [loop] Fills *stats up to stats->size, and zeroes the rest. 0, or -EINVAL for a size below 8. */
int tern_io_stats(const struct tern_io_queue *queue, struct tern_io_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
