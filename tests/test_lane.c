/* SPDX-License-Identifier: MIT */
/* Lanes: so many of a kind at once, and no more, whatever happens to them. */
#include "harness.h"

#define CAP   2
#define ITEMS 12
#define LOOPS 3
#define LANES 3

static struct tern_lane *lane_new(struct tern_pool *pool, uint32_t running_max)
{
	const struct tern_lane_opts opts = {.size = sizeof(opts), .running_max = running_max};
	struct tern_lane *lane = NULL;

	ck_assert_int_eq(tern_lane_create(&lane, pool, &opts), 0);
	return lane;
}

/* What a kind of work sees of itself. */
struct kind {
	struct tern_lane *lane;
	struct latch *go;
	unsigned cap, running, started;
};

struct member {
	struct tern_work work;
	struct kind *kind;
	unsigned place, dones;
	int status;
};

static void run_one_of_the_kind(struct tern_work *work)
{
	struct member *member = tern_container_of(work, struct member, work);
	struct kind *kind = member->kind;
	struct latch *go = kind->go;

	ck_assert_uint_le(atomic_bump(&kind->running), kind->cap);
	member->place = atomic_bump(&kind->started) - 1;
	if (go)
		latch_wait(go);
	__atomic_sub_fetch(&kind->running, 1, __ATOMIC_SEQ_CST);
}

static void member_done(struct tern_work *work)
{
	struct member *member = tern_container_of(work, struct member, work);

	member->dones++;
	member->status = work->status;
}

static void join(struct member *member, struct kind *kind)
{
	*member = (struct member){.kind = kind};
	tern_work_init(&member->work, run_one_of_the_kind, member_done);
	tern_work_set_lane(&member->work, kind->lane);
}

static bool has_started(void *arg)
{
	struct kind *kind = arg;

	return atomic_get(&kind->started) >= kind->cap;
}

static void slow_work_leaves_room_for_other(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 4);
	struct latch go;
	struct kind kind = {.lane = lane_new(pool, CAP), .go = &go, .cap = CAP};
	struct member slow[ITEMS];
	struct job job;

	latch_init(&go, 1);
	for (unsigned i = 0; i < ITEMS; i++) {
		join(&slow[i], &kind);
		tern_pool_submit(pool, loop, &slow[i].work);
	}
	loop_until(loop, has_started, &kind);
	for (unsigned i = 0; i < 100; i++) {
		job_init(&job);
		tern_pool_submit(pool, loop, &job.work);
		while (!job.dones) {
			tern_loop_prepare(loop);
			tern_loop_dispatch(loop, 0);
		}
	}
	ck_assert_uint_eq(atomic_get(&kind.started), CAP);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	for (unsigned i = 0; i < ITEMS; i++)
		ck_assert_uint_eq(slow[i].dones, 1);
	ck_assert_uint_eq(kind.started, ITEMS);
	tern_lane_put(kind.lane);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void one_at_a_time_in_order(void)
{
	enum {
		N = 1000
	};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(4, 4);
	struct kind kind = {.lane = lane_new(pool, 0), .cap = 1};
	struct member *members = calloc(N, sizeof(*members));

	for (unsigned i = 0; i < N; i++) {
		join(&members[i], &kind);
		tern_pool_submit(pool, loop, &members[i].work);
	}
	ck_assert_int_eq(tern_loop_run(loop), 0);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_uint_eq(members[i].dones, 1);
		ck_assert_uint_eq(members[i].place, i);
	}
	free(members);
	tern_lane_put(kind.lane);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

/* With the lane's cap in use: some wait with the lane, and are of three priorities. */
static void urgent_ones_enter_first(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 2);
	struct latch go;
	struct kind kind = {.lane = lane_new(pool, 1), .go = &go, .cap = 1};
	struct member members[4];
	static const uint8_t priority[] = {TERN_LOW, TERN_LOW, TERN_NORMAL, TERN_HIGH};
	static const unsigned place[] = {0, 3, 2, 1};

	latch_init(&go, 1);
	for (unsigned i = 0; i < COUNT(members); i++) {
		join(&members[i], &kind);
		members[i].work.priority = priority[i];
		tern_pool_submit(pool, loop, &members[i].work);
		if (!i)
			loop_until(loop, has_started, &kind);
	}
	tern_loop_flush(loop);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	for (unsigned i = 0; i < COUNT(members); i++)
		ck_assert_uint_eq(members[i].place, place[i]);
	tern_lane_put(kind.lane);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static bool both_have_started(void *kind)
{
	return atomic_get(&((struct kind *)kind)->started) == 2;
}

/* The second enters when the first is over; a third finds the place taken by it. */
static void who_was_held_takes_a_place(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(2, 2);
	struct latch first, others;
	struct kind kind = {.lane = lane_new(pool, 1), .go = &first, .cap = 1};
	struct member members[3];
	struct job job;

	latch_init(&first, 1);
	latch_init(&others, 1);
	for (unsigned i = 0; i < 3; i++)
		join(&members[i], &kind);
	tern_pool_submit(pool, loop, &members[0].work);
	loop_until(loop, has_started, &kind);
	tern_pool_submit(pool, loop, &members[1].work);
	tern_loop_flush(loop);
	kind.go = &others;
	latch_arrive(&first);
	loop_until(loop, both_have_started, &kind);
	tern_pool_submit(pool, loop, &members[2].work);
	job_init(&job);
	tern_pool_submit(pool, loop, &job.work);
	while (!job.dones) {
		tern_loop_prepare(loop);
		tern_loop_dispatch(loop, 0);
	}
	ck_assert_uint_eq(atomic_get(&kind.started), 2);
	latch_arrive(&others);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(kind.started, 3);
	tern_lane_put(kind.lane);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void who_is_canceled_makes_room(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct latch arrived, go;
	struct kind kind = {.lane = lane_new(pool, CAP), .cap = CAP};
	struct member members[ITEMS];
	struct job first;

	latch_init(&arrived, 1);
	latch_init(&go, 1);
	job_init(&first);
	first.arrives = &arrived;
	first.waits = &go;
	tern_pool_submit(pool, loop, &first.work);
	latch_wait(&arrived);
	for (unsigned i = 0; i < ITEMS; i++) {
		join(&members[i], &kind);
		tern_pool_submit(pool, loop, &members[i].work);
	}
	/* of those that have entered and of those the lane holds, all but the last */
	for (unsigned i = 0; i < ITEMS - 1; i++)
		ck_assert(tern_work_cancel(&members[i * 5 % (ITEMS - 1)].work));
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	for (unsigned i = 0; i < ITEMS; i++) {
		ck_assert_uint_eq(members[i].dones, 1);
		ck_assert_int_eq(members[i].status, i < ITEMS - 1 ? -ECANCELED : 0);
	}
	ck_assert_uint_eq(kind.started, 1);
	tern_lane_put(kind.lane);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

/* A lane's limit to waiting stands in place of the pool's. */
static void each_lane_has_its_patience(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_max = 1, .wait_ms_max = 3600000};
	const struct tern_lane_opts hasty = {.size = sizeof(hasty), .wait_ms_max = 1},
				    patient = {.size = sizeof(patient),
					       .wait_ms_max = TERN_FOREVER};
	struct tern_loop *loop = loop_new();
	struct latch arrived, go;
	struct kind kinds[4] = {{.cap = 1}, {.cap = 1}, {.cap = 1}, {.cap = 1}};
	struct member members[4];
	struct tern_pool *pool;
	struct job first;
	uint64_t end;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	ck_assert_int_eq(tern_lane_create(&kinds[0].lane, pool, &hasty), 0);
	ck_assert_int_eq(tern_lane_create(&kinds[1].lane, pool, &patient), 0);
	ck_assert_int_eq(tern_lane_create(&kinds[2].lane, pool, NULL), 0);
	latch_init(&arrived, 1);
	latch_init(&go, 1);
	job_init(&first);
	first.arrives = &arrived;
	first.waits = &go;
	tern_pool_submit(pool, loop, &first.work);
	latch_wait(&arrived);
	for (unsigned i = 0; i < COUNT(members); i++) {
		join(&members[i], &kinds[i]);
		tern_pool_submit(pool, loop, &members[i].work);
	}
	end = now_ns() + 3000000;
	loop_until(loop, is_past, &end);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(members[0].status, -ETIMEDOUT);
	ck_assert_int_eq(members[1].status, 0);
	ck_assert_int_eq(members[2].status, 0);
	ck_assert_int_eq(members[3].status, 0);
	for (unsigned i = 0; i < 3; i++)
		tern_lane_put(kinds[i].lane);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void count_gone(void *user)
{
	atomic_bump(user);
}

/* The lane keeps the pool, and its items the lane. */
static void put_with_items_out(void)
{
	unsigned gone = 0;
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_max = 2, .gone = count_gone, .user = &gone};
	struct tern_loop *loop = loop_new();
	struct member members[ITEMS];
	struct tern_pool *pool;
	struct latch go;
	struct kind kind = {.go = &go, .cap = 1};

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	kind.lane = lane_new(pool, 1);
	latch_init(&go, 1);
	for (unsigned i = 0; i < ITEMS; i++) {
		join(&members[i], &kind);
		if (i % 2)
			members[i].work.done = NULL;
		tern_pool_submit(pool, loop, &members[i].work);
	}
	tern_lane_put(kind.lane);
	tern_pool_put(pool);
	ck_assert_uint_eq(atomic_get(&gone), 0);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	loop_until(loop, is_gone, &gone);
	ck_assert_uint_eq(atomic_get(&kind.started), ITEMS);
	tern_loop_destroy(loop);
}

static void a_lane_of_another_pool_is_refused(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1), *other = pool_new(1, 1);
	struct kind kind = {.lane = lane_new(other, 1), .cap = 1};
	struct member member;

	join(&member, &kind);
	ck_assert_int_eq(tern_pool_try_submit(pool, loop, &member.work), -EINVAL);
	ck_assert_int_eq(tern_pool_try_submit(other, loop, &member.work), 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(member.dones, 1);
	/* an item that leaves its lane is free to go anywhere */
	tern_work_set_lane(&member.work, NULL);
	ck_assert_int_eq(tern_pool_try_submit(pool, loop, &member.work), 0);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(member.dones, 2);
	tern_lane_put(kind.lane);
	tern_pool_destroy(other);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void submit_by_a_lane_of_another_pool(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1), *other = pool_new(1, 1);
	struct kind kind = {.lane = lane_new(other, 1), .cap = 1};
	struct member member;

	join(&member, &kind);
	expect_fatal("tern_pool_submit", &member.work);
	tern_pool_submit(pool, loop, &member.work);
}

static void destroy_under_a_lane(void)
{
	struct tern_pool *pool = pool_new(1, 1);

	lane_new(pool, 1);
	expect_fatal("tern_pool_destroy", NULL);
	tern_pool_destroy(pool);
}

/* Not by one who looks for an item of a loop that is destroyed too early. */
static void a_lane_that_has_gone_is_not_looked_at(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_lane *first = lane_new(pool, 1), *second = lane_new(pool, 1),
			 *third = lane_new(pool, 1);
	struct latch arrived, go;
	struct job job;

	tern_lane_put(second);
	tern_lane_put(first);
	tern_lane_put(third);
	latch_init(&arrived, 1);
	latch_init(&go, 1);
	job_init(&job);
	job.arrives = &arrived;
	job.waits = &go;
	tern_loop_prepare(loop);
	tern_pool_submit(pool, loop, &job.work);
	latch_wait(&arrived);
	expect_fatal("tern_loop_destroy", &job.work);
	tern_loop_destroy(loop);
}

static void bad_options(void)
{
	static const struct tern_lane_opts bad[] = {
		{.running_max = TERN_NONE},
		{.running_max = TERN_FOREVER},
		{.wait_ms_max = TERN_NONE},
	};
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_lane *lane = NULL;

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct tern_lane_opts opts = bad[i];

		opts.size = sizeof(opts);
		ck_assert_int_eq(tern_lane_create(&lane, pool, &opts), -EINVAL);
		opts.size = 1;
		ck_assert_int_eq(tern_lane_create(&lane, pool, &opts), -EINVAL);
		ck_assert_ptr_null(lane);
	}
	ck_assert_int_eq(tern_lane_create(&lane, pool, NULL), 0);
	tern_lane_put(lane);
	/* nothing holds it any more */
	tern_pool_destroy(pool);
}

/* Loops that keep all lanes of one pool full, and cancel now and then. */
struct crowd {
	struct tern_pool *pool;
	struct kind *kinds;
	unsigned seed, left, dones;
	struct tern_loop *loop;
	struct tern_work work[32];
	struct kind *kind_of[32];
};

static void run_in_crowd(struct tern_work *work)
{
	struct crowd *crowd = work->user;
	struct kind *kind = crowd->kind_of[work - crowd->work];

	if (!kind->lane)
		return;
	ck_assert_uint_le(atomic_bump(&kind->running), kind->cap);
	__atomic_sub_fetch(&kind->running, 1, __ATOMIC_SEQ_CST);
}

static void send_in_crowd(struct crowd *crowd, struct tern_work *work)
{
	struct kind *kind = &crowd->kinds[rand_r(&crowd->seed) % (LANES + 1)];

	crowd->kind_of[work - crowd->work] = kind;
	work->priority = (uint8_t)(rand_r(&crowd->seed) % 3);
	tern_work_set_lane(work, kind->lane);
	tern_pool_submit(crowd->pool, crowd->loop, work);
}

static void done_in_crowd(struct tern_work *work)
{
	struct crowd *crowd = work->user;

	crowd->dones++;
	if (!crowd->left)
		return;
	crowd->left--;
	send_in_crowd(crowd, work);
	if (rand_r(&crowd->seed) % 4 == 0)
		tern_work_cancel(work);
}

static void *run_crowd(void *arg)
{
	struct crowd *crowd = arg;

	crowd->loop = loop_new();
	for (size_t i = 0; i < COUNT(crowd->work); i++) {
		tern_work_init(&crowd->work[i], run_in_crowd, done_in_crowd);
		crowd->work[i].user = crowd;
		send_in_crowd(crowd, &crowd->work[i]);
	}
	ck_assert_int_eq(tern_loop_run(crowd->loop), 0);
	tern_loop_destroy(crowd->loop);
	return NULL;
}

static void crowds_on_many_lanes(void)
{
	struct kind kinds[LANES + 1] = {{.lane = NULL}};
	struct tern_pool *pool = pool_new(1, 6);
	struct crowd crowds[LOOPS];
	pthread_t threads[LOOPS];

	for (unsigned i = 1; i <= LANES; i++) {
		kinds[i].cap = i;
		kinds[i].lane = lane_new(pool, i);
	}
	for (unsigned i = 0; i < LOOPS; i++) {
		crowds[i] = (struct crowd){
			.pool = pool, .kinds = kinds, .seed = i, .left = scaled(20000)};
		threads[i] = thread_new(run_crowd, &crowds[i]);
	}
	for (unsigned i = 0; i < LOOPS; i++) {
		thread_join(threads[i]);
		ck_assert_uint_eq(crowds[i].dones, scaled(20000) + COUNT(crowds[i].work));
	}
	for (unsigned i = 1; i <= LANES; i++)
		tern_lane_put(kinds[i].lane);
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"slow work leaves room for other", slow_work_leaves_room_for_other},
	{"one at a time, in order", one_at_a_time_in_order},
	{"urgent ones enter first", urgent_ones_enter_first},
	{"who was held takes a place", who_was_held_takes_a_place},
	{"who is canceled makes room", who_is_canceled_makes_room},
	{"each lane has its patience", each_lane_has_its_patience},
	{"put with items out", put_with_items_out},
	{"a lane of another pool is refused", a_lane_of_another_pool_is_refused},
	{"fatal: submit by a lane of another pool", submit_by_a_lane_of_another_pool},
	{"fatal: destroy under a lane", destroy_under_a_lane},
	{"fatal: a lane that has gone is not looked at", a_lane_that_has_gone_is_not_looked_at},
	{"bad options", bad_options},
	{"crowds on many lanes", crowds_on_many_lanes},
};

int main(int argc, char **argv)
{
	return run_tests("lane", tests, COUNT(tests), argc, argv);
}
