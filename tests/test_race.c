/* SPDX-License-Identifier: MIT */
/*
 * Inside: two threads meet in one moment. Instead of hoping for it, each test has the other side's
 * step done exactly there: by a rider where the loop calls out, by a wrapped call (see meson.build)
 * where a worker or a cancel is between two steps of its own.
 */
#include <unistd.h>

#include "../workpool/pool.h"
#include "forking.h"
#include "wrapped.h"

/* Something that comes home, and when: as soon as the loop flushes for that reason. */
struct arrival {
	struct tern_node node;
	struct tern__rider rider;
	struct tern_loop *loop;
	enum tern__flush when;
	void (*push)(struct tern_loop *loop, struct tern_node *node);
	unsigned delivered;
};

static void count_delivery(struct tern_node *node)
{
	tern_container_of(node, struct arrival, node)->delivered++;
}

static void push_once(struct tern__rider *rider, enum tern__flush why)
{
	struct arrival *a = tern_container_of(rider, struct arrival, rider);

	if (why == a->when && a->push)
		a->push(a->loop, &a->node);
	if (why == a->when)
		a->push = NULL;
}

static uint32_t none(struct tern__rider *rider)
{
	return 0;
}

static const struct tern__rider_ops rider_ops = {.flush = push_once, .busy = none, .backlog = none};

static void expect_arrival(struct arrival *a, struct tern_loop *loop)
{
	*a = (struct arrival){
		.loop = loop, .node.deliver = count_delivery, .rider.ops = &rider_ops};
}

static void what_comes_while_the_loop_arms_wakes_it(void)
{
	void (*const push[])(struct tern_loop *, struct tern_node *) = {tern__loop_push,
									tern__loop_bring};
	struct tern_loop *loop = loop_new();

	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	for (size_t i = 0; i < COUNT(push); i++) {
		struct arrival a;

		expect_arrival(&a, loop);
		a.when = TERN__FLUSH_SLEEPING;
		a.push = push[i];
		tern__loop_attach(loop, &a.rider);
		ck_assert_int_eq(tern_loop_prepare(loop), 0);
		ck_assert_uint_eq(a.delivered, 0);
		ck_assert(is_readable(loop, 0));
		ck_assert_int_eq(tern_loop_dispatch(loop, 0), 1);
		ck_assert_uint_eq(a.delivered, 1);
		tern__loop_detach(loop, &a.rider);
		ck_assert_int_eq(tern_loop_prepare(loop), -1);
		ck_assert(!is_readable(loop, 0));
	}
	tern_loop_destroy(loop);
}

static void what_was_written_is_read(void)
{
	struct tern_loop *loop = loop_new();
	struct arrival a;

	expect_arrival(&a, loop);
	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	for (unsigned i = 0; i < 3; i++) {
		tern__loop_push(loop, &a.node);
		ck_assert(is_readable(loop, 0));
		if (i)
			ck_assert_int_eq(tern_loop_dispatch(loop, 0), 1);
		else
			ck_assert_int_eq(tern_loop_prepare(loop), 0);
		ck_assert_int_eq(tern_loop_prepare(loop), -1);
		ck_assert_uint_eq(a.delivered, i + 1);
		ck_assert(!is_readable(loop, 0));
	}
	tern_loop_destroy(loop);
}

/* A producer has cleared `armed`, and comes to its write when the loop has read another's. */
static void a_write_on_its_way_is_expected(void)
{
	const uint64_t one = 1;
	struct tern_loop *loop = loop_new();
	struct arrival a;

	expect_arrival(&a, loop);
	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	tern__loop_push(loop, &a.node);
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 1);
	ck_assert_uint_eq(tern__xchg_seq(&loop->armed, 0), 1);
	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	ck_assert(!is_readable(loop, 0));
	ck_assert_int_eq(write(loop->fd, &one, sizeof(one)), sizeof(one));
	ck_assert(is_readable(loop, 0));
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 0);
	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	ck_assert(!is_readable(loop, 0));
	tern_loop_destroy(loop);
}

/* ---- a worker that goes to sleep, and one that wakes up by itself ---- */

static struct tern_pool *watched; /* its lock is looked after */
static unsigned steps;		  /* to be done at the next occasion */
static void (*before_lock)(void), (*after_unlock)(void);
static __thread bool slept;   /* since this worker last took the lock */
static __thread bool submits; /* this thread, in its next step */
static __thread bool asks;    /* this thread, whether there is room */

WRAPPED(int, pthread_mutex_lock, pthread_mutex_t *mutex);
WRAPPED(int, pthread_mutex_unlock, pthread_mutex_t *mutex);

static void watch(struct tern_pool *pool)
{
	__atomic_store_n(&watched, pool, __ATOMIC_SEQ_CST);
}

/* The pool whose lock that is; NULL: another. */
static struct tern_pool *watched_by(pthread_mutex_t *mutex)
{
	struct tern_pool *pool = __atomic_load_n(&watched, __ATOMIC_SEQ_CST);

	return pool && mutex == &pool->lock ? pool : NULL;
}

static bool has_step(void)
{
	unsigned one = 1;

	return __atomic_compare_exchange_n(&steps, &one, 0, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	bool woke = slept;

	slept = false;
	if ((woke || asks) && watched_by(mutex) && before_lock && has_step())
		before_lock();
	return __real_pthread_mutex_lock(mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	struct tern_pool *pool = watched_by(mutex);
	bool sleeps = pool && tern__self() && tern__self()->idle;
	int e;

	/* whoever is there is counted in one way at a time */
	if (pool &&
	    (pool->idle > pool->threads ||
	     pool->threads != tern__load(&pool->awake) + pool->idle + pool->lent + pool->leaving))
		abort();
	e = __real_pthread_mutex_unlock(mutex);
	if ((sleeps || submits) && after_unlock && has_step())
		after_unlock();
	slept = sleeps;
	return e;
}

static struct tern_loop *home;
static struct tern_work item;
static struct latch happened;

static void arrive(struct tern_work *work)
{
	latch_arrive(&happened);
}

static void submit_item(void)
{
	tern_pool_submit(watched, home, &item);
}

static struct tern_pool *watch_new(uint32_t threads_min, uint32_t idle_ms)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .threads_min = threads_min,
					    .threads_max = 1,
					    .idle_ms_max = idle_ms};
	struct tern_pool *pool;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	home = loop_new();
	latch_init(&happened, 1);
	tern_work_init(&item, arrive, ignore_done);
	watch(pool);
	return pool;
}

static void end_watch(struct tern_pool *pool, struct job *first)
{
	ck_assert_int_eq(tern_loop_run(home), 0);
	ck_assert_uint_eq(first->dones, 1);
	watch(NULL);
	tern_pool_destroy(pool);
	tern_loop_destroy(home);
}

/* It lies on the stack, so it can be called, and it has not entered its sleep. */
static void who_is_called_before_it_sleeps_does_not(void)
{
	struct tern_pool *pool = watch_new(1, 0);
	struct job first;

	job_init(&first);
	after_unlock = submit_item;
	atomic_bump(&steps);
	tern_pool_submit(pool, home, &first.work);
	latch_wait(&happened);
	end_watch(pool, &first);
}

static void claim_for_nothing(void)
{
	submit_item();
	if (!tern_work_cancel(&item))
		abort();
	latch_arrive(&happened);
}

/* Its time is over, and before it takes the lock somebody claims it: then it may not leave. */
static void who_is_claimed_when_its_time_is_over_stays(void)
{
	struct tern_pool *pool = watch_new(TERN_NONE, 1);
	struct job first, second;

	job_init(&first);
	job_init(&second);
	before_lock = claim_for_nothing;
	atomic_bump(&steps);
	tern_pool_submit(pool, home, &first.work);
	latch_wait(&happened);
	tern_pool_submit(pool, home, &second.work);
	end_watch(pool, &first);
	ck_assert_uint_eq(second.dones, 1);
}

/* ---- a cancel that comes as the pool ends ---- */

WRAPPED(int, pthread_rwlock_wrlock, pthread_rwlock_t *lock);
WRAPPED(int, pthread_rwlock_unlock, pthread_rwlock_t *lock);
WRAPPED(int, pthread_mutex_destroy, pthread_mutex_t *mutex);
WRAPPED(bool, tern__pool_hold_living, struct tern_pool *pool);

static struct latch go;
static unsigned at_guard, freed;
static __thread bool cancels;

/* The item was waiting a moment ago. Now it runs, and the pool ends. */
bool __wrap_tern__pool_hold_living(struct tern_pool *pool)
{
	if (cancels) {
		latch_arrive(&go);
		while (!atomic_get(&at_guard) && !atomic_get(&freed))
			sched_yield();
		if (atomic_get(&freed))
			abort();
	}
	return __real_tern__pool_hold_living(pool);
}

int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	atomic_bump(&at_guard);
	return __real_pthread_rwlock_wrlock(lock);
}

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
	int e = __real_pthread_rwlock_unlock(lock);

	while (cancels && !atomic_get(&freed))
		sched_yield();
	return e;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	if (watched_by(mutex))
		atomic_bump(&freed);
	return __real_pthread_mutex_destroy(mutex);
}

static void a_cancel_may_find_the_pool_at_its_end(void)
{
	struct tern_pool *pool = watch_new(1, 0);
	struct job first, second;

	latch_init(&go, 1);
	job_init(&first);
	job_init(&second);
	first.arrives = &happened;
	first.waits = &go;
	tern_pool_submit(pool, home, &first.work);
	latch_wait(&happened);
	tern_pool_submit(pool, home, &second.work);
	tern_pool_put(pool);
	cancels = true;
	ck_assert(!tern_work_cancel(&second.work));
	cancels = false;
	watch(NULL);
	ck_assert_int_eq(tern_loop_run(home), 0);
	ck_assert_uint_eq(first.dones, 1);
	ck_assert_uint_eq(second.dones, 1);
	ck_assert_int_eq(second.status, 0);
	tern_loop_destroy(home);
}

/* ---- a call that comes as the pool ends ---- */

static void stay_until_claimed(void)
{
	latch_arrive(&happened);
	latch_wait(&go);
}

/* The claimed worker wakes up by itself, runs the item, and its pool ends. */
static void let_the_pool_end(void)
{
	latch_arrive(&go);
	while (!atomic_get(&freed) && tern__load(&watched->holds) > 1)
		sched_yield();
	if (atomic_get(&freed))
		abort();
}

static void put_watched(struct tern_work *work)
{
	tern_pool_put(watched);
}

static void a_call_may_come_after_the_pools_end(void)
{
	struct tern_pool *pool = watch_new(TERN_NONE, 1);
	struct job first;

	latch_init(&go, 1);
	job_init(&first);
	tern_work_init(&item, put_watched, NULL);
	before_lock = stay_until_claimed;
	atomic_bump(&steps);
	tern_pool_submit(pool, home, &first.work);
	latch_wait(&happened);
	after_unlock = let_the_pool_end;
	atomic_bump(&steps);
	submits = true;
	submit_item();
	submits = false;
	watch(NULL);
	ck_assert_uint_eq(atomic_get(&freed), 1);
	ck_assert_int_eq(tern_loop_run(home), 0);
	tern_loop_destroy(home);
}

/* ---- a lane that its last item may end ---- */

WRAPPED(void, tern__lane_drop, struct tern_lane *lane);

void __wrap_tern__lane_drop(struct tern_lane *lane)
{
	if (tern__self() && !tern__mpsc_empty(&home->inbox))
		abort();
	__real_tern__lane_drop(lane);
	if (tern__self())
		latch_arrive(&happened);
}

static void a_lane_is_left_before_its_item_comes_home(void)
{
	struct tern_pool *pool = watch_new(1, 0);
	struct tern_lane *lane;
	struct job first;

	ck_assert_int_eq(tern_lane_create(&lane, pool, NULL), 0);
	job_init(&first);
	tern_work_set_lane(&first.work, lane);
	tern_pool_submit(pool, home, &first.work);
	latch_wait(&happened); /* until then nobody takes what comes home */
	ck_assert_int_eq(tern_loop_run(home), 0);
	tern_lane_put(lane);
	end_watch(pool, &first);
}

/* ---- who is refused, and another who is not ---- */

static struct job waiting, wanting;

static void make_room_and_take_it(void)
{
	if (!tern_work_cancel(&waiting.work) || tern_pool_try_submit(watched, home, &wanting.work))
		abort();
}

/* Where it counted itself and has yet to take that back, it would take another's room. */
static void who_is_refused_takes_no_room(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_min = 1, .threads_max = 1, .queue_max = 1};
	struct tern_pool *pool;
	struct job first, refused;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	home = loop_new();
	latch_init(&happened, 1);
	latch_init(&go, 1);
	job_init(&first);
	job_init(&waiting);
	job_init(&wanting);
	job_init(&refused);
	first.arrives = &happened;
	first.waits = &go;
	tern_pool_submit(pool, home, &first.work);
	latch_wait(&happened);
	watch(pool);
	ck_assert_int_eq(tern_pool_try_submit(pool, home, &waiting.work), 0);
	before_lock = make_room_and_take_it;
	atomic_bump(&steps);
	asks = true;
	ck_assert_int_eq(tern_pool_try_submit(pool, home, &refused.work), -EAGAIN);
	asks = false;
	if (has_step()) /* there is no such place */
		make_room_and_take_it();
	latch_arrive(&go);
	end_watch(pool, &first);
	ck_assert_uint_eq(waiting.dones, 1);
	ck_assert_uint_eq(wanting.dones, 1);
}

/* ---- a loop that need not try to start a thread any more, and one that has to ---- */

static bool refuses; /* the system, threads */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	return refuses ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

static struct tern_loop *second;

static void adopt_home(void *arg)
{
	MUST(!tern_loop_after_fork(home));
}

/* The first has let go; a child adopts it, and the second is asked and begins. */
static void ask_the_second(void)
{
	if (THREADS_IN_CHILD)
		in_child(adopt_home, NULL);
	tern_pool_submit(watched, second, &item);
	tern_loop_dispatch(second, 0);
}

static void who_tries_no_more_has_let_go(void)
{
	struct tern_pool *pool = watch_new(TERN_NONE, TERN_NONE);
	struct job first;

	second = loop_new();
	while (stats_of(pool).threads)
		sched_yield();
	refuses = true;
	job_init(&first);
	tern_pool_submit(pool, home, &first.work);
	tern_loop_dispatch(home, 1);
	ck_assert_ptr_eq(home->riders, &pool->retry.rider);
	ck_assert(tern_work_cancel(&first.work));
	after_unlock = ask_the_second;
	atomic_bump(&steps);
	submits = true;
	tern_timer_start(home, &pool->retry.timer, 0);
	tern_loop_dispatch(home, 0);
	submits = false;
	ck_assert_uint_eq(atomic_get(&steps), 0);
	ck_assert_ptr_eq(home->riders, NULL);
	ck_assert_ptr_eq(second->riders, &pool->retry.rider);
	ck_assert(pool->retry.attached);
	refuses = false;
	ck_assert_int_eq(tern_loop_run(second), 0);
	latch_wait(&happened);
	end_watch(pool, &first);
	tern_loop_destroy(second);
}

static const struct test tests[] = {
	{"what comes while the loop arms wakes it", what_comes_while_the_loop_arms_wakes_it},
	{"what was written is read", what_was_written_is_read},
	{"a write on its way is expected", a_write_on_its_way_is_expected},
	{"who is called before it sleeps does not", who_is_called_before_it_sleeps_does_not},
	{"who is claimed when its time is over stays", who_is_claimed_when_its_time_is_over_stays},
	{"a cancel may find the pool at its end", a_cancel_may_find_the_pool_at_its_end},
	{"a lane is left before its item comes home", a_lane_is_left_before_its_item_comes_home},
	{"a call may come after the pool's end", a_call_may_come_after_the_pools_end},
	{"who is refused takes no room", who_is_refused_takes_no_room},
	{"who tries no more has let go", WITH_STATS(who_tries_no_more_has_let_go)},
};

int main(int argc, char **argv)
{
	return run_tests("race", tests, COUNT(tests), argc, argv);
}
