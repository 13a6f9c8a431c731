/* SPDX-License-Identifier: MIT */
/*
 * Engines: who carries out the requests of a tern_io_queue. A table of functions, so that a program
 * can bring one of its own; the queue sees to order, depth, short transfers and accounts.
 *
 * See tern_io_engine(3).
 */
#ifndef TERN_IO_ENGINE_H
#define TERN_IO_ENGINE_H

#include <tern/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What an engine is to do now for a request: all of it, or what a short transfer has left. For
 * TERN_IO_READ to TERN_IO_TRUNCATE; write-backs come as TERN_IO_WRITE, barriers never.
 */
struct tern_io_piece {
	uint8_t op;    /* enum tern_io_op */
	bool durable;  /* a write that is to be over only when it is on stable storage */
	bool blocking; /* an attempt returned -EAGAIN: wait for it, where waiting harms nobody */
	int fd;
	int32_t slot;	 /* where the engine keeps the file; -1: it does not */
	int64_t offset;	 /* bytes; -1: a file without positions */
	uint64_t length; /* bytes, of reads and writes at most 2^30; TRUNCATE: the new size */
	void *buffer;	 /* or, where iov_count is not 0 ... */
	const struct iovec *iov; /* ... several */
	uint32_t iov_count;	 /* at most 1024 */
};

/* What an engine is told of the queue that it works for. */
struct tern_io_engine_params {
	size_t size;
	struct tern_loop *home; /* where requests come home */
	uint32_t depth;		/* pieces that it is given at once, at most */
	void *buffers;		/* where the requests' own buffers lie, in one piece; NULL: none */
	size_t buffers_size;	/* bytes */
	/*
	 * An eventfd(2) that wakes the loop: write 8 bytes, the number 1, after something has come
	 * that reap would find. Only if the table has reap.
	 */
	int wake_fd;
};

struct tern_io_engine {
	size_t size;	     /* sizeof(struct tern_io_engine) */
	const char *name;    /* lives as long as the program */
	size_t request_size; /* bytes of its own that an engine has in each request */
	void *user;	     /* these two are for open, and mean what the engine says */
	uint32_t running_max;
	/*
	 * [any] Returns 0 and what the other calls are to be given in *state; or a negative errno.
	 * Called once for each queue, before all else; what must be done on the loop's thread waits
	 * for the first start.
	 */
	int (*open)(void **state, const struct tern_io_engine *engine,
		    const struct tern_io_engine_params *params);
	/*
	 * [any] The end of it: nothing is outstanding. Or a child of fork(2) ends a queue of its
	 * parent's: there the parent's requests may be, and threads of the engine are missing.
	 */
	void (*close)(void *state);
	/*
	 * [loop] Carry out tern_io_piece(io), or see to it that it is. 0: tern_io_complete will be,
	 * or was, called once. -EAGAIN: not now; the queue tries again when something is over, or a
	 * little later. -EINTR: again at once. Other errors: the request completes with them.
	 */
	int (*start)(void *state, struct tern_io *io);
	/* [loop] Optional: hand over what was started; called before the loop may sleep. */
	void (*flush)(void *state);
	/*
	 * For engines whose completions are fetched on the loop's thread, both or none:
	 * reap [loop] completes what is over, without waiting;
	 * ready [loop] tells, cheaply, whether reap would find something.
	 */
	void (*reap)(void *state);
	bool (*ready)(void *state);
	/* [loop] [blocks] Optional: flush, and sleep until ready or a signal comes. */
	void (*wait)(void *state);
	/*
	 * [loop] Optional: true, if the request has not begun; the engine then calls
	 * tern_io_complete with -ECANCELED, now or soon.
	 */
	bool (*cancel)(void *state, struct tern_io *io);
	/*
	 * [loop] Optional: keep the open file at hand in that slot, which is below 64 and empty; fd
	 * -1: empty it, now that no piece names it. 0, or a negative errno and nothing is changed.
	 */
	int (*keep)(void *state, uint32_t slot, int fd);
};

/* [any, between start and complete] */
struct tern_io_piece tern_io_piece(const struct tern_io *io);

/* [any] The engine's own bytes in a request, aligned for any type; they keep what is in them. */
void *tern_io_engine_data(struct tern_io *io);

/*
 * [any] What start began is over: bytes moved, 0 for operations that move none, or a negative
 * errno; -EINTR and -EAGAIN have it started again. May be called from inside start. The request is
 * the queue's again: on another thread than the loop's this is the engine's last touch of it.
 */
void tern_io_complete(struct tern_io *io, int64_t result);

/*
 * [any] io_uring, by liburing: constant. Its open returns -ENOSYS where the library is built
 * without, or what the kernel says to io_uring_setup(2).
 */
const struct tern_io_engine *tern_io_engine_uring(void);

/*
 * [any] Carries requests out inside submit, on the loop's thread, which stands still meanwhile: for
 * tests, and programs that have nothing else to do. Constant.
 */
const struct tern_io_engine *tern_io_engine_sync(void);

/*
 * [any] Makes *engine one whose requests are work items of the pool: reads, writes and the like on
 * a lane of at most running_max threads (0: one less than the pool may have, at least 1), fsync and
 * fdatasync on a lane of one thread. The pool must have a reference for as long as the table is
 * used to create queues; each queue keeps one of its own.
 */
void tern_io_engine_pool(struct tern_io_engine *engine, struct tern_pool *pool,
			 uint32_t running_max);

#ifdef __cplusplus
}
#endif

#endif
