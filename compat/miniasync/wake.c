/* SPDX-License-Identifier: MIT */
/*
 * Who calls a program's waker, and when. tern wakes an operation's ear when it is complete; what is
 * called then is the waker of the latest poll. A program may free its waker when a poll has found
 * the operation complete, so:
 *
 * A call begins only while the operation is not found complete, and while one is under way no poll
 * finds it so, but has the caller call once more, since whoever polled may have been woken by this
 * call and wait for another. No poll waits for a call: the waker may want a lock that the poller
 * holds. For that reason a poll calls no waker either, but leaves that to the pool. A poll from
 * inside the call finds the operation complete, for nothing would come after it.
 *
 * Operations that found the ring full wait in line: for each that is over one is woken; and when
 * none is started any more all are, so that one that is never polled again holds up nobody.
 */
#include "../../lib/base/atomic.h"
#include "private.h"

/* The lock is held: it has one reason less to stay. */
static void leave(struct op *op)
{
	struct mover *m = op->mover;

	op->coming--;
	tern__miniasync_op_drop(op);
	if (!--m->coming && !m->started)
		pthread_cond_broadcast(&m->calm);
}

/* The lock is held: another wake is coming. */
static void expect(struct op *op)
{
	op->coming++;
	op->mover->coming++;
}

/* The lock is held, and let go of meanwhile. */
static void call(struct op *op)
{
	pthread_mutex_t *lock = &op->mover->lock;

	if (op->over)
		return;
	if (op->calling) {
		op->asked = true;
		return;
	}
	op->calling = true;
	op->caller = pthread_self();
	do {
		struct future_waker waker = op->waker;

		op->asked = false;
		if (!waker.wake)
			break;
		pthread_mutex_unlock(lock);
		FUTURE_WAKER_WAKE(&waker);
		pthread_mutex_lock(lock);
	} while (op->asked && !op->over);
	op->calling = false;
}

void tern__miniasync_line_join(struct op *op)
{
	struct mover *m = op->mover;

	op->next = NULL;
	op->before = m->line_end;
	*m->line_end = op;
	m->line_end = &op->next;
}

void tern__miniasync_line_leave(struct op *op)
{
	if (!op->before)
		return;
	*op->before = op->next;
	if (op->next)
		op->next->before = op->before;
	else
		op->mover->line_end = op->before;
	op->before = NULL;
}

/* The lock is held. Takes those out of the line that are to be woken now. */
static struct op *take_next(struct mover *m)
{
	struct op *list = NULL, **end = &list;
	bool enough = false;

	while (m->line && !enough) {
		struct op *op = m->line;

		tern__miniasync_line_leave(op);
		if (!op->waker.wake) /* polled without being asked to */
			continue;
		enough = m->started;
		if (op->chosen) /* another is about to wake it */
			continue;
		op->chosen = true;
		expect(op);
		op->also = NULL;
		*end = op;
		end = &op->also;
	}
	return list;
}

static void wake_those(struct op *op)
{
	while (op) {
		struct op *also = op->also;
		pthread_mutex_t *lock = &op->mover->lock;

		pthread_mutex_lock(lock);
		op->chosen = false;
		call(op);
		leave(op);
		pthread_mutex_unlock(lock);
		op = also;
	}
}

/* The lock is held: it is complete, and takes no room in the ring any more. */
static struct op *make_room(struct op *op)
{
	if (!op->started)
		return NULL;
	op->started = false;
	op->mover->started--;
	return take_next(op->mover);
}

static void run_others(struct tern_work *work)
{
	struct op *op = tern_container_of(work, struct op, work);
	pthread_mutex_t *lock = &op->mover->lock;

	wake_those(op->others);
	pthread_mutex_lock(lock);
	leave(op);
	pthread_mutex_unlock(lock);
}

void tern__miniasync_wake_others(struct op *op)
{
	struct mover *m = op->mover;

	pthread_mutex_lock(&m->lock);
	op->others = make_room(op);
	if (op->others)
		expect(op);
	pthread_mutex_unlock(&m->lock);
	if (!op->others)
		return;
	tern_work_init(&op->work, run_others, NULL);
	tern_pool_submit(m->pool, NULL, &op->work);
}

static struct op *op_of(struct tern_waker *ear)
{
	return tern_container_of(ear, struct op, ear);
}

static struct tern_waker *hold(struct tern_waker *ear)
{
	struct op *op = op_of(ear);

	pthread_mutex_lock(&op->mover->lock);
	expect(op);
	pthread_mutex_unlock(&op->mover->lock);
	return ear;
}

static void wake(struct tern_waker *ear)
{
	struct op *op = op_of(ear), *others;
	pthread_mutex_t *lock = &op->mover->lock;

	pthread_mutex_lock(lock);
	others = make_room(op);
	tern__store_release(&op->changed, 1); /* a program watches it, by whatever means */
	call(op);
	pthread_mutex_unlock(lock);
	wake_those(others);
	pthread_mutex_lock(lock);
	leave(op);
	pthread_mutex_unlock(lock);
}

void tern__miniasync_wake_init(struct op *op)
{
	op->ear = (struct tern_waker){.hold = hold, .wake = wake};
}

bool tern__miniasync_wake_end(struct op *op)
{
	pthread_mutex_t *lock = &op->mover->lock;
	bool ends;

	pthread_mutex_lock(lock);
	ends = !op->calling || pthread_equal(op->caller, pthread_self());
	op->over = ends;
	op->asked = !ends;
	pthread_mutex_unlock(lock);
	return ends;
}
