/* SPDX-License-Identifier: MIT */
/*
 * What the drop-in <libminiasync.h> promises of those that poll: the runtime, on a thread without a
 * loop, and tern_compat_miniasync_run, on one.
 */
#include "miniasync.h"

#include <sched.h>

static struct runtime *runtime;

static void begin(void)
{
	runtime = runtime_new();
	ck_assert_ptr_nonnull(runtime);
}

static void end(void)
{
	runtime_delete(runtime);
}

/* the order of polls */

static void passes(void)
{
	struct count_fut a = counting(2, 'a'), b = counting(4, 'b'), c = counting(2, 'c'),
			 d = counting(3, 'd');
	struct future *futs[] = {&a.base, &b.base, &c.base, &d.base};

	begin();
	b.base.has_property = d.base.has_property = is_async;
	runtime_wait_multiple(runtime, futs, COUNT(futs));
	ck_assert_str_eq(order, "bdacbdacbdb");
	ck_assert_ptr_eq(futs[0], &a.base);
	ck_assert_ptr_eq(futs[1], &b.base);
	ck_assert_ptr_eq(futs[2], &c.base);
	ck_assert_ptr_eq(futs[3], &d.base);
	end();
}

static struct count_fut turning;

/* From its second poll on. */
static int becomes_async(void *future, enum future_property property)
{
	return turning.data.polls >= 2;
}

static void property_anew(void)
{
	struct count_fut a = counting(4, 'a');
	struct future *futs[] = {&a.base, &turning.base};

	begin();
	turning = counting(4, 't');
	turning.base.has_property = becomes_async;
	runtime_wait_multiple(runtime, futs, COUNT(futs));
	ck_assert_str_eq(order, "atattata");
	end();
}

static struct count_fut other;

/* While one is polled, the other turns async, or no longer is. */
static enum future_state turn_other(struct future_context *context, struct future_notifier *n)
{
	other.base.has_property =
		other.base.has_property == is_async ? future_has_property_default : is_async;
	return count_task(context, n);
}

static void once_a_pass(void)
{
	struct count_fut a = counting(6, 'a');
	struct future *futs[] = {&other.base, &a.base};

	begin();
	other = counting(6, 'o');
	a.base.task = turn_other;
	a.base.has_property = is_async;
	runtime_wait_multiple(runtime, futs, COUNT(futs));
	for (unsigned i = 0; i < 12; i += 2)
		ck_assert(order[i] != order[i + 1]);
	ck_assert_uint_eq(strlen(order), 12);
	end();
}

static void already_complete(void)
{
	struct count_fut a = counting(1, 'a'), b = counting(3, 'b');
	struct future *futs[] = {&a.base, &b.base};

	begin();
	FUTURE_BUSY_POLL(&a);
	runtime_wait_multiple(runtime, futs, COUNT(futs));
	ck_assert_str_eq(order, "abbb");
	runtime_wait_multiple(runtime, futs, COUNT(futs));
	runtime_wait_multiple(runtime, futs, 0);
	runtime_wait(runtime, &b.base);
	ck_assert_str_eq(order, "abbb");
	end();
}

/* A future that nobody wakes is polled on, though another would sleep. */
static void nobody_wakes(void)
{
	struct count_fut a = counting(2000, 0), b = counting(2000, 0);
	struct future *futs[] = {&a.base, &b.base};

	begin();
	b.data.says = FUTURE_NOTIFIER_WAKER;
	runtime_wait_multiple(runtime, futs, COUNT(futs));
	a = counting(50, 0);
	a.data.says = FUTURE_NOTIFIER_POLLER;
	runtime_wait(runtime, &a.base);
	end();
}

/* sleeping */

static struct count_fut sleeping;
static struct latch polled;
static struct future_waker late;

static void sleeps(unsigned until)
{
	begin();
	latch_init(&polled, 1);
	sleeping = counting(until, 0);
	sleeping.data.says = FUTURE_NOTIFIER_WAKER;
	sleeping.data.polled = &polled;
}

/* Not before a good while has passed, in which nobody polls. */
static void *wake_late(void *arg)
{
	struct tern_loop *loop = loop_new();
	uint64_t then;

	latch_wait(&polled);
	late = sleeping.data.waker;
	then = now_ns() + 50 * 1000 * 1000;
	loop_until(loop, is_past, &then);
	ck_assert_uint_eq(atomic_get(&sleeping.data.polls), 1);
	tern_loop_destroy(loop);
	FUTURE_WAKER_WAKE(&late);
	return NULL;
}

static void no_timed_polls(void)
{
	pthread_t thread;

	sleeps(2);
	thread = thread_new(wake_late, NULL);
	runtime_wait(runtime, &sleeping.base);
	ck_assert_uint_eq(sleeping.data.polls, 2);
	thread_join(thread);
	end();
	FUTURE_WAKER_WAKE(&late); /* all that it led to is gone */
	begin();
	FUTURE_WAKER_WAKE(&late);
	end();
}

/* Each wakes until it sees a poll that came after. */
static void *wake_often(void *arg)
{
	latch_wait(&polled);
	for (unsigned i = 0; i < scaled(2000); i++) {
		unsigned before = atomic_get(&sleeping.data.polls);

		FUTURE_WAKER_WAKE(&late);
		while (atomic_get(&sleeping.data.polls) == before)
			sched_yield();
	}
	return NULL;
}

static void *wake_last(void *arg)
{
	latch_wait(&polled);
	__atomic_store_n(&sleeping.data.until, 1, __ATOMIC_SEQ_CST);
	FUTURE_WAKER_WAKE(&late);
	return NULL;
}

/* Gives its waker to the storm before the latch opens. */
static enum future_state storm_task(struct future_context *context, struct future_notifier *n)
{
	struct count_data *data = future_context_get_data(context);

	if (!data->polls)
		late = n->waker;
	return count_task(context, n);
}

static void *storm(void *arg)
{
	pthread_t threads[4];

	for (unsigned i = 0; i < COUNT(threads); i++)
		threads[i] = thread_new(wake_often, NULL);
	for (unsigned i = 0; i < COUNT(threads); i++)
		thread_join(threads[i]);
	return wake_last(NULL);
}

static void wake_storm(void)
{
	pthread_t thread;

	sleeps(UINT32_MAX);
	sleeping.base.task = storm_task;
	thread = thread_new(storm, NULL);
	runtime_wait(runtime, &sleeping.base);
	thread_join(thread);
	end();
}

/* on a loop */

static struct tern_loop *loop;
static unsigned dones;

static void on_done(struct future *future, void *user)
{
	ck_assert_int_eq(future->context.state, FUTURE_STATE_COMPLETE);
	ck_assert_ptr_eq(user, &dones);
	dones++;
}

static void run_on_loop(struct tern_compat_miniasync_run *run, struct future *future)
{
	ck_assert_int_eq(tern_compat_miniasync_run(run, loop, future, on_done, &dones), 0);
	ck_assert_uint_eq(dones, 0);
}

static void loop_runs(void)
{
	struct count_fut a = counting(1, 0), b = counting(20, 0);
	struct tern_compat_miniasync_run runs[2];

	loop = loop_new();
	run_on_loop(&runs[0], &a.base);
	run_on_loop(&runs[1], &b.base);
	ck_assert_int_eq(tern_compat_miniasync_run(&runs[1], loop, &b.base, on_done, NULL),
			 -EINVAL);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(dones, 2);
	ck_assert_uint_eq(b.data.polls, 20);
	ck_assert_int_eq(tern_compat_miniasync_run(&runs[1], loop, &b.base, on_done, NULL),
			 -EINVAL);
	a = counting(1, 0);
	ck_assert_int_eq(tern_compat_miniasync_run(&runs[1], loop, &a.base, NULL, NULL), -EINVAL);
	ck_assert_uint_eq(a.data.polls, 0);
	dones = 0;
	FUTURE_INIT_COMPLETE(&b);
	run_on_loop(&runs[0], &a.base);
	run_on_loop(&runs[1], &b.base);
	tern_loop_run(loop);
	ck_assert_uint_eq(dones, 2);
	tern_loop_destroy(loop);
}

static void loop_woken(void)
{
	struct tern_compat_miniasync_run *run = malloc(sizeof(*run));
	pthread_t thread;

	loop = loop_new();
	sleeps(2);
	thread = thread_new(wake_late, NULL);
	run_on_loop(run, &sleeping.base);
	tern_loop_run(loop);
	ck_assert_uint_eq(dones, 1);
	ck_assert_uint_eq(sleeping.data.polls, 2);
	thread_join(thread);
	tern_loop_destroy(loop);
	free(run);
	FUTURE_WAKER_WAKE(&late);
	end();
}

static void loop_storm(void)
{
	struct tern_compat_miniasync_run run;
	pthread_t thread;

	loop = loop_new();
	sleeps(UINT32_MAX);
	sleeping.base.task = storm_task;
	thread = thread_new(storm, NULL);
	run_on_loop(&run, &sleeping.base);
	tern_loop_run(loop);
	ck_assert_uint_eq(dones, 1);
	thread_join(thread);
	tern_loop_destroy(loop);
	end();
}

/* Small operations are done in the poll, but no more in a turn than a loop can bear. */

enum {
	SMALLS = 200,
	SMALL = 16 << 10
};

static struct {
	struct data_mover_threads *dmt;
	struct vdm_operation_future futs[SMALLS];
	struct tern_compat_miniasync_run runs[SMALLS];
	char from[SMALL], to[SMALLS][SMALL];
} smalls;

static void start_smalls(struct tern_post *post)
{
	struct vdm *vdm = data_mover_threads_get_vdm(smalls.dmt);
	unsigned over = 0;

	for (unsigned i = 0; i < SMALLS; i++) {
		smalls.futs[i] = vdm_memcpy(vdm, smalls.to[i], smalls.from, SMALL, 0);
		run_on_loop(&smalls.runs[i], &smalls.futs[i].base);
		over += FUTURE_STATE(&smalls.futs[i]) == FUTURE_STATE_COMPLETE;
	}
	ck_assert_uint_gt(over, 0);
	ck_assert_uint_lt(over, SMALLS);
	tern_loop_release(loop);
}

static void loop_budget(void)
{
	struct tern_post post;

	smalls.dmt = data_mover_threads_default();
	memset(smalls.from, 'x', SMALL);
	loop = loop_new();
	tern_post_init(&post, start_smalls);
	tern_loop_hold(loop);
	tern_loop_post(loop, &post);
	tern_loop_run(loop);
	ck_assert_uint_eq(dones, SMALLS);
	for (unsigned i = 0; i < SMALLS; i++)
		ck_assert(!memcmp(smalls.to[i], smalls.from, SMALL));
	tern_loop_destroy(loop);
	data_mover_threads_delete(smalls.dmt);
}

static const struct test tests[] = {
	{"each is polled once a pass, async ones first, the array stays as it is", passes},
	{"the property is asked anew each pass", property_anew},
	{"one that turns async within a pass is polled once all the same", once_a_pass},
	{"futures that are complete already count as done", already_complete},
	{"one that nobody wakes is polled on", nobody_wakes},
	{"one that calls its waker is not polled before, and may call it late", no_timed_polls},
	{"each wake of a storm is followed by a poll", wake_storm},
	{"a loop runs a future once, its done once, never inside the call", loop_runs},
	{"a loop does not poll before the waker is called, which may be late", loop_woken},
	{"a loop does no more small copies in a turn than it can bear", loop_budget},
	{"each wake of a storm on a loop is followed by a poll", loop_storm},
};

int main(int argc, char **argv)
{
	return run_tests("<libminiasync.h>: the runtime and loops", tests, COUNT(tests), argc,
			 argv);
}
