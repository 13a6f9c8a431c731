/* SPDX-License-Identifier: MIT */
/*
 * When the movers of the drop-in <libminiasync.h> wake, and whom: after the end and never too late,
 * for room in the ring, and what becomes of operations that nobody polls.
 */
#include "miniasync.h"

#include <sched.h>
#include <semaphore.h>

#define RING 2

static struct data_mover_threads *dmt;
static struct vdm *vdm;
static struct latch entered, leave; /* of a copy that is held up */
static unsigned copied;
static char from = 'x', to[16];

static void *held_copy(void *dst, const void *src, size_t n, unsigned flags)
{
	if (flags) {
		latch_arrive(&entered);
		latch_wait(&leave);
	}
	atomic_bump(&copied);
	return memcpy(dst, src, n);
}

static void start(size_t threads, size_t ring, enum future_notifier_type desired)
{
	dmt = data_mover_threads_new(threads, ring, desired);
	ck_assert_ptr_nonnull(dmt);
	data_mover_threads_set_memcpy_fn(dmt, held_copy);
	vdm = data_mover_threads_get_vdm(dmt);
	latch_init(&entered, 1);
	latch_init(&leave, 1);
}

/* A copy of a byte; held: one that waits for leave. */
static struct vdm_operation_future copy(unsigned i, bool held)
{
	return vdm_memcpy(vdm, &to[i], &from, 1, held);
}

/* A waker that counts, may be freed once the operation is found complete, and may do more. */
struct ear {
	struct vdm_operation_future *fut;
	sem_t wakes;
	unsigned count;
	void (*also)(struct ear *ear);
};

static void hear(void *data)
{
	struct ear *ear = data;

	atomic_bump(&ear->count);
	if (ear->also)
		ear->also(ear);
	sem_post(&ear->wakes);
}

static struct ear *ear_new(struct vdm_operation_future *fut)
{
	struct ear *ear = calloc(1, sizeof(*ear));

	ear->fut = fut;
	sem_init(&ear->wakes, 0, 0);
	return ear;
}

static enum future_state poll_with(struct ear *ear, enum future_notifier_type used)
{
	struct future_notifier n = {.waker = {ear, hear}, .notifier_used = 77};
	enum future_state state = future_poll(FUTURE_AS_RUNNABLE(ear->fut), &n);

	if (state != FUTURE_STATE_COMPLETE)
		ck_assert_int_eq(n.notifier_used, used);
	return state;
}

static void await(struct ear *ear)
{
	while (sem_wait(&ear->wakes))
		ck_assert_int_eq(errno, EINTR);
}

/* Polls only when it is woken; then the waker goes. */
static void poll_when_woken(struct ear *ear)
{
	while (poll_with(ear, FUTURE_NOTIFIER_WAKER) != FUTURE_STATE_COMPLETE)
		await(ear);
	ck_assert_int_eq(FUTURE_OUTPUT(ear->fut)->result, VDM_SUCCESS);
	memset(ear, 0x5a, sizeof(*ear));
	free(ear);
}

static pthread_mutex_t held_by_polls = PTHREAD_MUTEX_INITIALIZER;

/* The same with a lock that is held for each poll. */
static void poll_when_held(struct ear *ear)
{
	while (poll_with(ear, FUTURE_NOTIFIER_WAKER) != FUTURE_STATE_COMPLETE) {
		pthread_mutex_unlock(&held_by_polls);
		await(ear);
		pthread_mutex_lock(&held_by_polls);
	}
	free(ear);
}

/* wakes */

static void no_wake_lost(void)
{
	start(2, RING, FUTURE_NOTIFIER_WAKER);
	for (unsigned i = 0; i < scaled(5000); i++) {
		struct vdm_operation_future fut = copy(i % 16, false);

		poll_when_woken(ear_new(&fut));
	}
	data_mover_threads_delete(dmt);
}

/* Many on one mover, each thread with its own waker. */
static void *copy_often(void *arg)
{
	for (unsigned i = 0; i < scaled(1000); i++) {
		struct vdm_operation_future fut = vdm_memcpy(vdm, arg, &from, 1, 0);

		poll_when_woken(ear_new(&fut));
	}
	return NULL;
}

static void copy_from_many(bool small, size_t ring)
{
	pthread_t threads[8];

	start(4, ring, FUTURE_NOTIFIER_WAKER);
	if (small)
		data_mover_threads_set_memcpy_fn(dmt, NULL);
	for (unsigned i = 0; i < COUNT(threads); i++)
		threads[i] = thread_new(copy_often, &to[i]);
	for (unsigned i = 0; i < COUNT(threads); i++)
		thread_join(threads[i]);
	ck_assert_uint_eq(copied, small ? 0 : COUNT(threads) * scaled(1000));
	data_mover_threads_delete(dmt);
}

static void storm(void)
{
	copy_from_many(false, RING);
}

/* These are over in the poll that starts them, and take a place in the ring for a moment. */
static void small_storm(void)
{
	copy_from_many(true, 1);
}

static void want_lock(struct ear *ear)
{
	pthread_mutex_lock(&held_by_polls);
	pthread_mutex_unlock(&held_by_polls);
}

/* Who polls by itself is there first, and the waker, like the operation, may be gone by then. */
static void *copy_impatiently(void *arg)
{
	for (unsigned i = 0; i < scaled(5000); i++) {
		struct vdm_operation_future fut = vdm_memcpy(vdm, arg, &from, 1, 0);
		struct ear *ear = ear_new(&fut);

		while (poll_with(ear, FUTURE_NOTIFIER_WAKER) != FUTURE_STATE_COMPLETE)
			;
		memset(ear, 0x5a, sizeof(*ear));
		free(ear);
	}
	return NULL;
}

static void before_the_wake(void)
{
	pthread_t other;

	start(2, RING, FUTURE_NOTIFIER_WAKER);
	other = thread_new(copy_impatiently, &to[0]);
	copy_impatiently(&to[1]);
	thread_join(other);
	ck_assert_uint_eq(copied, 2 * scaled(5000));
	data_mover_threads_delete(dmt);
}

/* Two in a ring of one: both for the end and for room. */
static void under_a_lock(void)
{
	start(2, 1, FUTURE_NOTIFIER_WAKER);
	for (unsigned i = 0; i < scaled(2000); i++) {
		struct vdm_operation_future futs[2] = {copy(0, false), copy(1, false)};
		struct ear *ears[2] = {ear_new(&futs[0]), ear_new(&futs[1])};

		ears[0]->also = ears[1]->also = want_lock;
		pthread_mutex_lock(&held_by_polls);
		poll_with(ears[0], FUTURE_NOTIFIER_WAKER);
		poll_when_held(ears[1]);
		poll_when_held(ears[0]);
		pthread_mutex_unlock(&held_by_polls);
	}
	data_mover_threads_delete(dmt);
}

static void poll_inside(struct ear *ear)
{
	if (ear->count == 1)
		ck_assert_int_eq(poll_with(ear, FUTURE_NOTIFIER_WAKER), FUTURE_STATE_COMPLETE);
}

/* The wake comes when it is over: a poll from inside finds it so. */
static void after_the_end(void)
{
	struct vdm_operation_future fut;
	struct ear *ear = ear_new(&fut);

	start(1, RING, FUTURE_NOTIFIER_WAKER);
	fut = copy(0, true);
	ear->also = poll_inside;
	ck_assert_int_eq(poll_with(ear, FUTURE_NOTIFIER_WAKER), FUTURE_STATE_RUNNING);
	latch_arrive(&leave);
	await(ear);
	ck_assert_int_eq(FUTURE_STATE(&fut), FUTURE_STATE_COMPLETE);
	ck_assert_int_eq(to[0], 'x');
	data_mover_threads_delete(dmt);
	ck_assert_uint_eq(ear->count, 1);
	free(ear);
}

static struct latch in_waker, out_of_waker;

static void linger(struct ear *ear)
{
	if (ear->count > 1)
		return;
	latch_arrive(&in_waker);
	latch_wait(&out_of_waker);
}

/* A poll in the middle of the call does not wait for it, and is woken once more. */
static void during_the_call(void)
{
	struct vdm_operation_future fut;
	struct ear *ear = ear_new(&fut);

	start(1, RING, FUTURE_NOTIFIER_WAKER);
	latch_init(&in_waker, 1);
	latch_init(&out_of_waker, 1);
	fut = copy(0, true);
	ear->also = linger;
	poll_with(ear, FUTURE_NOTIFIER_WAKER);
	latch_arrive(&leave);
	latch_wait(&in_waker);
	ck_assert_int_eq(poll_with(ear, FUTURE_NOTIFIER_WAKER), FUTURE_STATE_RUNNING);
	latch_arrive(&out_of_waker);
	await(ear);
	await(ear);
	poll_when_woken(ear);
	data_mover_threads_delete(dmt);
}

static void latest_counts(void)
{
	struct vdm_operation_future fut;
	struct ear *first = ear_new(&fut), *second = ear_new(&fut);

	start(1, RING, FUTURE_NOTIFIER_WAKER);
	fut = copy(0, true);
	ck_assert_int_eq(poll_with(first, FUTURE_NOTIFIER_WAKER), FUTURE_STATE_RUNNING);
	latch_wait(&entered);
	ck_assert_int_eq(poll_with(second, FUTURE_NOTIFIER_WAKER), FUTURE_STATE_RUNNING);
	ck_assert_uint_eq(first->count, 0);
	free(first);
	latch_arrive(&leave);
	await(second);
	poll_when_woken(second);
	data_mover_threads_delete(dmt);
}

static void monitored(void)
{
	struct vdm_operation_future fut;
	struct future_notifier n = {.notifier_used = FUTURE_NOTIFIER_NONE};
	uint64_t *word;

	start(1, RING, FUTURE_NOTIFIER_POLLER);
	fut = copy(0, true);
	ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), &n), FUTURE_STATE_RUNNING);
	ck_assert_int_eq(n.notifier_used, FUTURE_NOTIFIER_POLLER);
	word = n.poller.ptr_to_monitor;
	ck_assert_uint_eq(__atomic_load_n(word, __ATOMIC_ACQUIRE), 0);
	latch_arrive(&leave);
	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
		sched_yield();
	ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&fut), &n), FUTURE_STATE_COMPLETE);
	data_mover_threads_delete(dmt);
}

/* the ring */

static void full(void)
{
	struct vdm_operation_future futs[RING + 1];
	struct ear *ears[RING + 1];

	start(1, RING, FUTURE_NOTIFIER_WAKER);
	for (unsigned i = 0; i <= RING; i++) {
		futs[i] = copy(i, !i);
		ears[i] = ear_new(&futs[i]);
		ck_assert_int_eq(poll_with(ears[i], FUTURE_NOTIFIER_WAKER),
				 i < RING ? FUTURE_STATE_RUNNING : FUTURE_STATE_IDLE);
	}
	ck_assert_int_eq(poll_with(ears[RING], FUTURE_NOTIFIER_WAKER), FUTURE_STATE_IDLE);
	ck_assert_uint_eq(ears[RING]->count, 0);
	latch_arrive(&leave);
	for (unsigned i = 0; i <= RING; i++) {
		await(ears[i]);
		poll_when_woken(ears[i]);
		ck_assert_int_eq(to[i], 'x');
	}
	data_mover_threads_delete(dmt);
}

/* Those that nobody polls again, though woken for room, hold up nobody. */
static void full_and_forgotten(void)
{
	struct vdm_operation_future futs[RING + 4];
	struct ear *ears[COUNT(futs)];

	start(1, RING, FUTURE_NOTIFIER_WAKER);
	for (unsigned i = 0; i < COUNT(futs); i++) {
		futs[i] = copy(i, !i);
		ears[i] = ear_new(&futs[i]);
		poll_with(ears[i], FUTURE_NOTIFIER_WAKER);
	}
	latch_arrive(&leave);
	await(ears[COUNT(futs) - 1]);
	poll_when_woken(ears[COUNT(futs) - 1]);
	data_mover_threads_delete(dmt);
	ck_assert_uint_eq(copied, RING + 1);
	for (unsigned i = 0; i < COUNT(futs) - 1; i++)
		free(ears[i]);
}

static void full_without_notifier(void)
{
	struct vdm_operation_future futs[RING + 1];

	start(1, RING, FUTURE_NOTIFIER_NONE);
	for (unsigned i = 0; i <= RING; i++) {
		futs[i] = copy(i, !i);
		ck_assert_int_eq(future_poll(FUTURE_AS_RUNNABLE(&futs[i]), NULL),
				 i < RING ? FUTURE_STATE_RUNNING : FUTURE_STATE_IDLE);
	}
	latch_arrive(&leave);
	for (unsigned i = 0; i <= RING; i++)
		FUTURE_BUSY_POLL(&futs[i]);
	data_mover_threads_delete(dmt);
}

/* deleting */

static void *let_go(void *arg)
{
	latch_wait(&entered);
	latch_arrive(&leave);
	return NULL;
}

static void deleted(void)
{
	struct vdm_operation_future futs[2 * RING];
	pthread_t thread;

	start(1, RING, FUTURE_NOTIFIER_WAKER);
	for (unsigned i = 0; i < COUNT(futs); i++) {
		futs[i] = copy(i, !i);
		future_poll(FUTURE_AS_RUNNABLE(&futs[i]), NULL);
	}
	copy(0, false); /* and never polled */
	thread = thread_new(let_go, NULL);
	data_mover_threads_delete(dmt);
	ck_assert_uint_eq(copied, RING);
	thread_join(thread);
}

static void deleted_on_a_pool(void)
{
	struct tern_pool *pool = pool_new(1, 2);
	struct vdm_operation_future fut;
	pthread_t thread;

	latch_init(&entered, 1);
	latch_init(&leave, 1);
	dmt = tern_compat_miniasync_mover(pool, 1, FUTURE_NOTIFIER_WAKER);
	data_mover_threads_set_memcpy_fn(dmt, held_copy);
	vdm = data_mover_threads_get_vdm(dmt);
	fut = copy(0, true);
	future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
	thread = thread_new(let_go, NULL);
	data_mover_threads_delete(dmt);
	ck_assert_uint_eq(copied, 1);
	thread_join(thread);
	tern_pool_destroy(pool);
}

/* what a mover has said does not stand for what comes next in a chain */

struct then_data {
	FUTURE_CHAIN_ENTRY(struct vdm_operation_future, copy);
	FUTURE_CHAIN_ENTRY(struct count_fut, count);
};

FUTURE(then_fut, struct then_data, struct count_output);

static void says_nothing(void)
{
	struct then_fut fut;
	struct runtime *runtime = runtime_new();

	start(1, RING, FUTURE_NOTIFIER_WAKER);
	data_mover_threads_set_memcpy_fn(dmt, NULL);
	FUTURE_CHAIN_ENTRY_INIT(&fut.data.copy, copy(0, false), NULL, NULL);
	FUTURE_CHAIN_ENTRY_INIT(&fut.data.count, counting(20, 0), NULL, NULL);
	fut.data.count.fut.data.silent = true;
	FUTURE_CHAIN_INIT(&fut);
	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&fut));
	ck_assert_int_eq(to[0], 'x');
	runtime_delete(runtime);
	data_mover_threads_delete(dmt);
}

/* a mover of the program's own */

static unsigned checks, refusals;

static void *plain_new(struct vdm *v, const enum vdm_operation_type type)
{
	return &checks;
}

static int plain_start(void *data, const struct vdm_operation *operation, struct future_notifier *n)
{
	n->notifier_used = FUTURE_NOTIFIER_NONE;
	return refusals++ < 3 ? -1 : 0;
}

static enum future_state plain_check(void *data, const struct vdm_operation *operation)
{
	return ++checks < 5 ? FUTURE_STATE_RUNNING : FUTURE_STATE_COMPLETE;
}

static void plain_delete(void *data, const struct vdm_operation *operation,
			 struct vdm_operation_output *output)
{
	output->result = VDM_SUCCESS;
	memset(operation->data.memset.str, operation->data.memset.c, operation->data.memset.n);
}

static struct vdm plain = {
	.op_new = plain_new,
	.op_delete = plain_delete,
	.op_start = plain_start,
	.op_check = plain_check,
};

static void plugged_in(void)
{
	struct vdm_operation_future fut = vdm_memset(&plain, to, 'y', 1, 0);
	struct runtime *runtime = runtime_new();

	runtime_wait(runtime, FUTURE_AS_RUNNABLE(&fut));
	ck_assert_uint_eq(refusals, 4);
	ck_assert_uint_eq(checks, 5);
	ck_assert_int_eq(to[0], 'y');
	runtime_delete(runtime);
}

static const struct test tests[] = {
	{"an operation that is polled only when woken comes to its end", no_wake_lost},
	{"a storm of them, from many threads through a small ring, does too", storm},
	{"one of them that takes a moment leaves its place in the ring", small_storm},
	{"a poll may find the end before the wake, and the waker is gone then", before_the_wake},
	{"a waker may want a lock that is held during polls", under_a_lock},
	{"the wake comes after the end, and a poll from inside it finds that", after_the_end},
	{"a poll in the middle of a wake waits for nobody, and is woken again", during_the_call},
	{"the latest waker counts, one before may be freed", latest_counts},
	{"a monitored word changes", monitored},
	{"a full ring leaves an operation idle, and wakes it for room", full},
	{"one that is woken for room and never polled holds up nobody", full_and_forgotten},
	{"a full ring takes operations that are polled without notifier", full_without_notifier},
	{"a mover that is deleted ends what was started, and forgets the rest", deleted},
	{"so does one on a pool of the program's", deleted_on_a_pool},
	{"a future that says nothing is polled, whatever the mover before it said", says_nothing},
	{"a mover of the program's own may refuse to start, and need no waker", plugged_in},
};

int main(int argc, char **argv)
{
	return run_tests("<libminiasync.h>: wakes", tests, COUNT(tests), argc, argv);
}
