/* SPDX-License-Identifier: MIT */
/*
 * Virtual data movers: who copies, fills, flushes and sums memory. A mover is a table of functions,
 * so that a program can bring one of its own; an operation is a future.
 *
 * See tern_vdm(3), tern_vdm_pool(3), and tern_future(3) for what is done with futures.
 */
#ifndef TERN_VDM_H
#define TERN_VDM_H

#include <tern/base.h>
#include <tern/future.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tern_vdm;
struct tern_vdm_op;

enum tern_vdm_type {
	TERN_VDM_NONE,
	TERN_VDM_MEMCPY,
	TERN_VDM_MEMMOVE,
	TERN_VDM_MEMSET,
	TERN_VDM_FLUSH,	      /* writes what the caches hold of it back to memory */
	TERN_VDM_CRC32C,      /* the Castagnoli polynomial, as iSCSI has it */
	TERN_VDM_COPY_CRC32C, /* memcpy, and the sum of what was copied, in one pass */
	TERN_VDM_TYPES
};

/* Flags of an operation; a mover's capabilities say which of them it keeps. */
#define TERN_VDM_MEM_DURABLE   UINT64_C(1) /* over only when what is written has left the caches */
#define TERN_VDM_NO_CACHE_HINT UINT64_C(2) /* the destination is not read soon: past the caches */

/*
 * An operation. Yours; the mover's from the first poll until it is complete, with the memory that
 * it names. Prepare it again to use it again. One that was prepared and is not polled to its end
 * counts among those the mover has made until it is cancelled, or the mover is gone.
 */
struct tern_vdm_op {
	/*
	 * result: 0; -ENOMEM: the mover has made as many as it can, -EINVAL: NULL with bytes to
	 * move, unknown flags, or memory for memcpy or its like that overlaps, -ENOTSUP: the mover
	 * does not do that, or does not keep such a flag: all these are complete as prepared;
	 * -ECANCELED: cancelled, what is written is not known; other: what the mover says.
	 */
	struct tern_future future;
	struct tern_vdm *vdm;
	uint32_t type;	 /* enum tern_vdm_type */
	uint32_t crc32c; /* the sum of what came before; when complete: with this */
	uint64_t flags;
	void *dest; /* what is written, or flushed */
	const void *src;
	size_t n;		/* bytes */
	int value;		/* what memset fills with */
	void *data;		/* the mover's, from op_new to op_delete */
	uint8_t stage, settled; /* private */
};

/*
 * [any] Describe an operation, which starts at its first poll. With n 0 it is complete at once,
 * with 0; so it is where it cannot be done, with what result says. flags: 0, TERN_VDM_...
 */
void tern_vdm_prep_memcpy(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest, const void *src,
			  size_t n, uint64_t flags);
void tern_vdm_prep_memmove(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest,
			   const void *src, size_t n, uint64_t flags);
void tern_vdm_prep_memset(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest, int value,
			  size_t n, uint64_t flags);
void tern_vdm_prep_flush(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest, size_t n,
			 uint64_t flags);

/* [any] The same. crc32c: of what came before, 0: nothing did. */
void tern_vdm_prep_crc32c(struct tern_vdm_op *op, struct tern_vdm *vdm, const void *src, size_t n,
			  uint32_t crc32c, uint64_t flags);
void tern_vdm_prep_copy_crc32c(struct tern_vdm_op *op, struct tern_vdm *vdm, void *dest,
			       const void *src, size_t n, uint32_t crc32c, uint64_t flags);

/*
 * A mover. Its functions may be called on several threads at once, for different operations; those
 * for one operation come one at a time, on the thread that prepares it or a [poller].
 */
struct tern_vdm {
	size_t size;	       /* sizeof(struct tern_vdm) */
	const char *name;      /* lives as long as the mover */
	uint32_t operations;   /* what it does: 1 << TERN_VDM_MEMCPY and so on, added up */
	uint64_t capabilities; /* flags that it keeps */
	/*
	 * [any] Called by prep, once, for an operation that is sound and has bytes to move: gets
	 * what it needs. Returns 0; -ENOMEM when as many are made and not complete as the mover
	 * can take; or another negative errno. Optional.
	 */
	int (*op_new)(struct tern_vdm *vdm, struct tern_vdm_op *op);
	/*
	 * [poller] After op_new has returned 0 called once, when the operation is over, before it
	 * is found complete: gives back what op_new got, and may set op->crc32c and
	 * op->future.result. Optional.
	 */
	void (*op_delete)(struct tern_vdm *vdm, struct tern_vdm_op *op);
	/*
	 * [poller] Starts it. Returns 0: tern_future_complete(&op->future, ...) is, or was,
	 * called; or op_check will find it over. -EAGAIN: not now, the operation stays
	 * TERN_FUTURE_IDLE, and the mover calls tern_future_wake(&op->future) when it is worth
	 * another try. Other errors: it is over, with them.
	 */
	int (*op_start)(struct tern_vdm *vdm, struct tern_vdm_op *op,
			struct tern_notifier *notifier);
	/*
	 * [poller] Looks after one that was started, for movers that nobody wakes: returns
	 * TERN_FUTURE_COMPLETE, with op->future.result set; or TERN_FUTURE_RUNNING, and the
	 * notifier says when to come again, as from the poll function of a future. Optional:
	 * tern_future_complete is what ends operations.
	 */
	enum tern_future_state (*op_check)(struct tern_vdm *vdm, struct tern_vdm_op *op,
					   struct tern_notifier *notifier);
	/*
	 * [poller] Somebody has cancelled one for which op_start was called. True: it is over,
	 * nothing touches its memory any more, and nobody calls tern_future_complete. False: it
	 * comes to its end, soon if that can be. Optional: false.
	 */
	bool (*op_cancel)(struct tern_vdm *vdm, struct tern_vdm_op *op);
	/* [poller] Of the operation's future. Optional: none, or once started and without op_check
	 * TERN_FUTURE_ASYNC. */
	bool (*has_property)(struct tern_vdm *vdm, const struct tern_vdm_op *op,
			     enum tern_future_property property);
};

/* [any] Whether the mover does that, and keeps all these flags. */
bool tern_vdm_is_supported(const struct tern_vdm *vdm, enum tern_vdm_type type, uint64_t flags);

/*
 * [any] The mover that does all inside the first poll, on the polling thread. Keeps all flags where
 * the CPU has what they take: see its capabilities. Never full, no need to end it.
 */
struct tern_vdm *tern_vdm_sync(void);

struct tern_vdm_pool_opts {
	size_t size;		 /* sizeof(struct tern_vdm_pool_opts) */
	uint32_t ring_size;	 /* operations that are started at once, a power of two; 0: 1024;
				    others wait in line, and are woken */
	uint32_t operations_max; /* made and not complete; 0: 16384; TERN_FOREVER */
	uint32_t threads;	 /* that one operation is split over, and that all take, at most; 0:
				    as many as the pool may have, and the process CPUs */
	/*
	 * [any] In place of the mover's own, which then are not used for that type, flags or not
	 * (what is to be durable is flushed); called for pieces, on several threads at once. NULL:
	 * its own.
	 */
	void *(*memcpy_fn)(void *dest, const void *src, size_t n);
	void *(*memmove_fn)(void *dest, const void *src, size_t n);
	void *(*memset_fn)(void *dest, int value, size_t n);
};

/*
 * [any] Makes a mover whose operations are work items of the pool, small ones excepted. It holds a
 * reference to the pool. opts may be NULL. Returns 0 and the mover in *ret; -EINVAL for options: a
 * ring size that is no power of two, TERN_NONE or TERN_FOREVER where it is not named; -E2BIG,
 * -ENOMEM, -ECHILD in a child for a pool of its parent's. On failure *ret is untouched.
 */
int tern_vdm_pool_create(struct tern_vdm **ret, struct tern_pool *pool,
			 const struct tern_vdm_pool_opts *opts);

/*
 * [any, not a thread of the pool] [blocks] Ends a mover that tern_vdm_pool_create has made: waits
 * until what was started is over, and forgets what was made and never started, which must not be
 * polled any more. What is over can still be polled. Fatal on a thread of the pool.
 */
void tern_vdm_pool_destroy(struct tern_vdm *vdm);

#ifdef __cplusplus
}
#endif

#endif
