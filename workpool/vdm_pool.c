/* SPDX-License-Identifier: MIT */
/*
 * A data mover on a pool. Small operations are moved by the poller, up to so much a turn of its
 * loop; others get a place in the ring, which is an item of the pool, or wait in line for one.
 *
 * The line is linked by the operations themselves, under the lock: next stands in the result, which
 * nobody reads before it is over, and prev in data, marked, for data is else the slot.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/base/fatal.h"
#include "../lib/base/options.h"
#include "vdm_pool.h"

static const uint32_t ring_size_default = 1024;
/* programs make thousands of operations before they poll the first */
static const uint32_t operations_max_default = 16384;

static struct mover *mover_of(struct tern_vdm *vdm)
{
	return tern_container_of(vdm, struct mover, vdm);
}

/* ---- the line; lock ---- */

#define IN_LINE ((uintptr_t)1)

static bool is_in_line(const struct tern_vdm_op *op)
{
	return (uintptr_t)op->data & IN_LINE;
}

static struct tern_vdm_op *next_of(const struct tern_vdm_op *op)
{
	return (struct tern_vdm_op *)(uintptr_t)op->future.result;
}

static struct tern_vdm_op *prev_of(const struct tern_vdm_op *op)
{
	return (struct tern_vdm_op *)((uintptr_t)op->data & ~IN_LINE);
}

static void set_next(struct mover *m, struct tern_vdm_op *op, struct tern_vdm_op *next)
{
	if (op)
		op->future.result = (int64_t)(uintptr_t)next;
	else
		m->first = next;
}

static void set_prev(struct mover *m, struct tern_vdm_op *op, struct tern_vdm_op *prev)
{
	if (op)
		op->data = (void *)((uintptr_t)prev | IN_LINE);
	else
		m->last = prev;
}

static void append(struct mover *m, struct tern_vdm_op *op)
{
	set_next(m, op, NULL);
	set_prev(m, op, m->last);
	set_next(m, m->last, op);
	m->last = op;
}

static void unlink_from_line(struct mover *m, struct tern_vdm_op *op)
{
	struct tern_vdm_op *next = next_of(op), *prev = prev_of(op);

	set_next(m, prev, next);
	set_prev(m, next, prev);
	op->data = NULL;
}

/* ---- places in the ring, and helpers ---- */

/* [lock] True: the caller ends the mover, after unlocking. */
static bool rest(struct mover *m)
{
	return !--m->busy && m->ending;
}

static void submit(struct slot *slot, struct tern_loop *by)
{
	tern__work_submit_along(slot->mover->pool, by, &slot->work, "tern_future_poll");
}

/* [lock] The slot is the operation's, until one takes op out of it. */
static void seat(struct slot *slot, struct tern_vdm_op *op)
{
	op->data = slot;
	tern__store_release(&slot->op, op); /* pairs with run and op_cancel */
}

void tern__vdm_slot_put(struct slot *slot)
{
	struct mover *m = slot->mover;
	struct tern_vdm_op *op;
	bool over = false;

	pthread_mutex_lock(&m->lock);
	op = m->first;
	if (op) {
		unlink_from_line(m, op);
		seat(slot, op);
	} else {
		slot->next = m->free;
		m->free = slot;
		over = rest(m);
	}
	pthread_mutex_unlock(&m->lock);
	if (op)
		submit(slot, NULL);
	if (over)
		tern__park_wake(&m->ended);
}

static void run(struct tern_work *work)
{
	struct slot *slot = tern_container_of(work, struct slot, work);
	struct tern_vdm_op *op = tern__xchg_seq(&slot->op, NULL); /* pairs with op_cancel */

	if (op)
		tern__vdm_job_run(&slot->job, op);
	else
		tern__vdm_slot_put(slot);
}

struct helper *tern__vdm_helper_get(struct mover *m)
{
	struct helper *helper;

	pthread_mutex_lock(&m->lock);
	helper = m->helpers;
	if (helper) {
		m->helpers = helper->next;
		m->busy++;
	}
	pthread_mutex_unlock(&m->lock);
	return helper;
}

void tern__vdm_helper_send(struct helper *helper, struct job *job)
{
	tern__store_release(&helper->job, job); /* pairs with help */
	tern__work_submit_along(helper->mover->pool, NULL, &helper->work, "tern_future_poll");
}

void tern__vdm_helper_put(struct helper *helper)
{
	struct mover *m = helper->mover;
	bool over;

	pthread_mutex_lock(&m->lock);
	helper->next = m->helpers;
	m->helpers = helper;
	over = rest(m);
	pthread_mutex_unlock(&m->lock);
	if (over)
		tern__park_wake(&m->ended);
}

/* ---- the table ---- */

static int op_new(struct tern_vdm *vdm, struct tern_vdm_op *op)
{
	struct mover *m = mover_of(vdm);

	if (tern__pool_is_parents(m->pool))
		return -ECHILD;
	if (tern__add(&m->made, 1) < m->operations_max)
		return 0;
	tern__add(&m->made, -1u);
	return -ENOMEM;
}

static void op_delete(struct tern_vdm *vdm, struct tern_vdm_op *op)
{
	tern__add(&mover_of(vdm)->made, -1u);
}

void tern__vdm_settle(struct mover *m, struct tern_vdm_op *op, int64_t result)
{
	tern__add(&m->made, -1u);
	op->settled = true;
	tern_future_complete(&op->future, result);
}

static bool is_small(const struct tern_vdm_op *op)
{
	return op->n <= TERN__VDM_INLINE_MAX;
}

/* Whether the poller's loop, if it has one, may move so much more in this turn. */
static bool may_move(struct tern_loop *home, size_t n)
{
	if (!home || !tern__loop_is_mine(home))
		return true;
	if (home->moved + n > TERN__VDM_TURN_MAX)
		return false;
	home->moved += n;
	return true;
}

static int op_start(struct tern_vdm *vdm, struct tern_vdm_op *op, struct tern_notifier *n)
{
	struct mover *m = mover_of(vdm);
	struct slot *slot;

	if (tern__pool_is_parents(m->pool))
		return -ECHILD;
	if (is_small(op) && may_move(n->home, op->n)) {
		tern__vdm_carry_here(&m->fns, op);
		return 0;
	}
	pthread_mutex_lock(&m->lock);
	slot = m->free;
	if (slot) {
		m->free = slot->next;
		m->busy++;
		seat(slot, op);
	} else {
		op->stage = TERN__VDM_LINED;
		append(m, op);
	}
	pthread_mutex_unlock(&m->lock);
	if (slot)
		submit(slot, n->home);
	return 0;
}

/* Of one that has not begun: it leaves the line, or its place is empty when that is run. */
static bool op_cancel(struct tern_vdm *vdm, struct tern_vdm_op *op)
{
	struct mover *m = mover_of(vdm);
	struct tern_vdm_op *expected = op;
	bool over = true;

	if (tern__pool_is_parents(m->pool))
		return true;
	pthread_mutex_lock(&m->lock);
	if (is_in_line(op))
		unlink_from_line(m, op);
	else
		over = tern__cas_seq(&((struct slot *)op->data)->op, &expected, NULL);
	pthread_mutex_unlock(&m->lock);
	return over;
}

static bool has_property(struct tern_vdm *vdm, const struct tern_vdm_op *op,
			 enum tern_future_property property)
{
	return property == TERN_FUTURE_ASYNC && !is_small(op);
}

/* ---- its life ---- */

static bool is_count(uint32_t n)
{
	return n < TERN_NONE;
}

static int check(const struct tern_vdm_pool_opts *o, const struct tern_pool *pool)
{
	if (!pool || o->ring_size & (o->ring_size - 1) || !is_count(o->threads) ||
	    o->operations_max == TERN_NONE)
		return -EINVAL;
	return tern__pool_is_parents(pool) ? -ECHILD : 0;
}

static void free_mover(struct mover *m)
{
	free(m->slots);
	free(m->all_helpers);
	free(m);
}

static struct mover *allocate(uint32_t slots, uint32_t helpers)
{
	struct mover *m;

	if (posix_memalign((void **)&m, __alignof__(*m), sizeof(*m)))
		return NULL;
	memset(m, 0, sizeof(*m));
	m->slots = calloc(slots, sizeof(*m->slots));
	m->all_helpers = calloc(helpers ? helpers : 1, sizeof(*m->all_helpers));
	if (!m->slots || !m->all_helpers) {
		free_mover(m);
		return NULL;
	}
	for (uint32_t i = slots; i-- > 0;) {
		m->slots[i].mover = m;
		m->slots[i].next = m->free;
		m->free = &m->slots[i];
	}
	for (uint32_t i = helpers; i-- > 0;) {
		m->all_helpers[i].mover = m;
		m->all_helpers[i].next = m->helpers;
		m->helpers = &m->all_helpers[i];
	}
	return m;
}

/* For as many threads as all operations together may take. */
static int make_lane(struct mover *m, struct tern_pool *pool, uint32_t threads)
{
	const struct tern_lane_opts opts = {.size = sizeof(opts),
					    .running_max = threads,
					    .wait_ms_max = TERN_FOREVER,
					    .name = "vdm"};
	int e = tern_lane_create(&m->lane, pool, &opts);

	if (e)
		return e;
	for (struct slot *slot = m->free; slot; slot = slot->next) {
		tern_work_init(&slot->work, run, NULL);
		tern_work_set_lane(&slot->work, m->lane);
	}
	for (struct helper *helper = m->helpers; helper; helper = helper->next) {
		tern_work_init(&helper->work, tern__vdm_help, NULL);
		tern_work_set_lane(&helper->work, m->lane);
	}
	return 0;
}

static const struct tern_vdm table = {
	.size = sizeof(table),
	.name = "pool",
	.op_new = op_new,
	.op_delete = op_delete,
	.op_start = op_start,
	.op_cancel = op_cancel,
	.has_property = has_property,
};

/* Its items have no home, so nobody would retry to start a thread for them: one is kept. */
static void keep_a_thread(struct tern_pool *p)
{
	tern__pool_lock(p);
	if (!p->threads_min)
		p->threads_min = 1;
	tern__pool_unlock(p);
}

int tern_vdm_pool_create(struct tern_vdm **ret, struct tern_pool *pool,
			 const struct tern_vdm_pool_opts *opts)
{
	struct tern_vdm_pool_opts o;
	struct mover *m;
	uint32_t threads, most;
	int e = tern__options_read(&o, sizeof(o), opts);

	if (!e)
		e = check(&o, pool);
	if (e)
		return e;
	/* copying takes a CPU: more threads than these only wait for each other */
	most = pool->cpus < pool->threads_max ? pool->cpus : pool->threads_max;
	threads = o.threads ? o.threads : most;
	most = threads < TERN__VDM_THREADS_MAX ? threads : TERN__VDM_THREADS_MAX;
	m = allocate(o.ring_size ? o.ring_size : ring_size_default, most - 1);
	if (!m)
		return -ENOMEM;
	e = -pthread_mutex_init(&m->lock, NULL);
	if (!e)
		e = make_lane(m, pool, threads);
	if (e) {
		free_mover(m);
		return e;
	}
	tern__vdm_cpu_read();
	m->vdm = table;
	m->vdm.operations = tern__vdm_operations();
	m->vdm.capabilities = tern__vdm_capabilities();
	m->fns = (struct tern__vdm_fns){o.memcpy_fn, o.memmove_fn, o.memset_fn};
	m->threads = most;
	m->operations_max = o.operations_max ? o.operations_max : operations_max_default;
	m->pool = tern_pool_get(pool);
	keep_a_thread(pool);
	*ret = &m->vdm;
	return 0;
}

/* Some of what is awaited may lie with this thread's loop, to be handed over when its turn ends. */
static void hand_over(struct tern_pool *p)
{
	struct tern__summons summons;

	tern__pool_lock(p);
	tern__queue_collect(p);
	summons = tern__policy_summon(p, TERN__HASTE_NOW);
	tern__pool_unlock(p);
	tern__thread_summon(p, summons);
}

/*
 * A worker that has left its last item gives back what it holds of the lane a moment later; and the
 * lane holds the pool, which the caller may want to destroy next.
 */
static void wait_for_lane(const struct tern_lane *lane)
{
	while (tern__load_acquire(&lane->refs) > 1) /* pairs with tern__lane_drop */
		sched_yield();
}

static void wait_for_all(struct mover *m)
{
	bool busy;

	pthread_mutex_lock(&m->lock);
	m->ending = true;
	busy = m->busy;
	pthread_mutex_unlock(&m->lock);
	if (busy) {
		hand_over(m->pool);
		while (!tern__park_wait(&m->ended, UINT64_MAX))
			;
	}
	wait_for_lane(m->lane);
}

void tern_vdm_pool_destroy(struct tern_vdm *vdm)
{
	struct mover *m = mover_of(vdm);
	struct tern_pool *p = m->pool;
	struct tern_lane *lane = m->lane;

	if (tern__self() && tern__self()->pool == p)
		tern__fatal("tern_vdm_pool_destroy", "mover %p: called by a thread of its pool",
			    (void *)vdm);
	if (!tern__pool_is_parents(p)) {
		wait_for_all(m);
		pthread_mutex_destroy(&m->lock);
	}
	free_mover(m);
	tern_lane_put(lane);
	tern_pool_put(p);
}
