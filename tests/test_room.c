/* SPDX-License-Identifier: MIT */
/* A pool with a bound: who asks is refused when too much waits, and told when there is room. */
#include "harness.h"

#define BOUND	8
#define THREADS 4
#define WORKERS 2

/* One thread, held by its first item. */
struct full {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct latch arrived, go;
	struct job first, jobs[BOUND + 2];
	struct tern_post post;
	unsigned told;
};

static void count_told(struct tern_post *post)
{
	++*(unsigned *)post->user;
}

static void open_pool(struct full *full, uint32_t queue_max)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_min = 1, .threads_max = 1, .queue_max = queue_max};

	full->loop = loop_new();
	ck_assert_int_eq(tern_pool_create(&full->pool, &opts), 0);
	latch_init(&full->arrived, 1);
	latch_init(&full->go, 1);
	job_init(&full->first);
	full->first.arrives = &full->arrived;
	full->first.waits = &full->go;
	tern_loop_prepare(full->loop);
	tern_pool_submit(full->pool, full->loop, &full->first.work);
	latch_wait(&full->arrived);
	for (unsigned i = 0; i < COUNT(full->jobs); i++)
		job_init(&full->jobs[i]);
	tern_post_init(&full->post, count_told);
	full->post.user = &full->told;
	full->told = 0;
}

static int try(struct full *full, unsigned i)
{
	return tern_pool_try_submit(full->pool, full->loop, &full->jobs[i].work);
}

static void fill(struct full *full)
{
	for (unsigned i = 0; i < BOUND; i++)
		ck_assert_int_eq(try(full, i), 0);
	ck_assert_int_eq(try(full, BOUND), -EAGAIN);
}

static void close_pool(struct full *full, unsigned dones)
{
	unsigned sum = 0;

	latch_arrive(&full->go);
	ck_assert_int_eq(tern_loop_run(full->loop), 0);
	for (unsigned i = 0; i < COUNT(full->jobs); i++)
		sum += full->jobs[i].dones;
	ck_assert_uint_eq(sum, dones);
	tern_pool_destroy(full->pool);
	tern_loop_destroy(full->loop);
}

static void without_a_bound_none_is_refused(void)
{
	struct full full;

	open_pool(&full, 0);
	for (unsigned i = 0; i < COUNT(full.jobs); i++)
		ck_assert_int_eq(try(&full, i), 0);
	tern_pool_notify_room(full.pool, full.loop, &full.post);
	while (!full.told)
		tern_loop_dispatch(full.loop, 0);
	close_pool(&full, COUNT(full.jobs));
}

static void what_waits_is_counted_wherever_it_is(void)
{
	struct full full;

	open_pool(&full, BOUND);
	/* they lie with the loop: nothing has brought them to the pool yet */
	fill(&full);
	tern_loop_flush(full.loop);
	ck_assert_int_eq(try(&full, BOUND), -EAGAIN);
	/* who does not ask is not refused, but counted */
	tern_pool_submit(full.pool, full.loop, &full.jobs[BOUND].work);
	ck_assert(tern_work_cancel(&full.jobs[0].work));
	ck_assert_int_eq(try(&full, BOUND + 1), -EAGAIN);
	ck_assert(tern_work_cancel(&full.jobs[1].work));
	ck_assert_int_eq(try(&full, BOUND + 1), 0);
	close_pool(&full, BOUND + 2);
	ck_assert_int_eq(full.jobs[0].status, -ECANCELED);
	ck_assert_int_eq(full.jobs[BOUND].status, 0);
}

static void room_is_told_once(void)
{
	struct full full;

	open_pool(&full, BOUND);
	fill(&full);
	tern_pool_notify_room(full.pool, full.loop, &full.post);
	tern_loop_dispatch(full.loop, 0);
	ck_assert_uint_eq(full.told, 0);
	/* like an item, it keeps the loop alive: run goes on until the last item has started */
	close_pool(&full, BOUND);
	ck_assert_uint_eq(full.told, 1);
}

static void room_by_cancel(void)
{
	struct full full;

	open_pool(&full, BOUND);
	fill(&full);
	for (unsigned round = 0; round < 3; round++) {
		tern_pool_notify_room(full.pool, full.loop, &full.post);
		ck_assert(tern_work_cancel(&full.jobs[round].work));
		while (full.told == round)
			tern_loop_dispatch(full.loop, 0);
		/* the item taken back is home too, and may take the place again */
		while (full.jobs[round].dones == 0)
			tern_loop_dispatch(full.loop, 0);
		job_init(&full.jobs[round]);
		ck_assert_int_eq(try(&full, round), 0);
		ck_assert_int_eq(try(&full, BOUND), -EAGAIN);
	}
	ck_assert_uint_eq(full.told, 3);
	close_pool(&full, BOUND);
}

/* One more than the bound has been submitted by one who did not ask. */
static void at_the_bound_there_is_no_room_yet(void)
{
	struct full full;

	open_pool(&full, BOUND);
	fill(&full);
	tern_pool_submit(full.pool, full.loop, &full.jobs[BOUND].work);
	tern_pool_notify_room(full.pool, full.loop, &full.post);
	ck_assert(tern_work_cancel(&full.jobs[0].work));
	while (!full.jobs[0].dones)
		tern_loop_dispatch(full.loop, 0);
	ck_assert_uint_eq(full.told, 0);
	ck_assert(tern_work_cancel(&full.jobs[1].work));
	while (!full.jobs[1].dones)
		tern_loop_dispatch(full.loop, 0);
	ck_assert_uint_eq(full.told, 1);
	close_pool(&full, BOUND + 1);
}

static void a_batch_is_counted_whole(void)
{
	struct tern_work *batch[BOUND];
	struct full full;

	open_pool(&full, BOUND);
	for (unsigned i = 0; i < BOUND; i++)
		batch[i] = &full.jobs[i].work;
	tern_pool_submit_many(full.pool, full.loop, batch, BOUND - 1);
	ck_assert_int_eq(try(&full, BOUND - 1), 0);
	ck_assert_int_eq(try(&full, BOUND), -EAGAIN);
	close_pool(&full, BOUND);
}

struct turn {
	struct tern_post post;
	unsigned *next, place;
};

static void note_turn(struct tern_post *post)
{
	struct turn *turn = tern_container_of(post, struct turn, post);

	turn->place = (*turn->next)++;
}

static void who_waited_longest_is_told_first(void)
{
	struct turn turns[3];
	unsigned next = 0;
	struct full full;

	open_pool(&full, BOUND);
	fill(&full);
	for (unsigned i = 0; i < COUNT(turns); i++) {
		turns[i].next = &next;
		tern_post_init(&turns[i].post, note_turn);
		tern_pool_notify_room(full.pool, full.loop, &turns[i].post);
	}
	close_pool(&full, BOUND);
	ck_assert_uint_eq(next, COUNT(turns));
	for (unsigned i = 0; i < COUNT(turns); i++)
		ck_assert_uint_eq(turns[i].place, i);
}

static void no_room_at_all(void)
{
	struct full full;

	open_pool(&full, TERN_NONE);
	ck_assert_int_eq(try(&full, 0), -EAGAIN);
	tern_pool_notify_room(full.pool, full.loop, &full.post);
	tern_loop_dispatch(full.loop, 0);
	ck_assert_uint_eq(full.told, 0);
	/* nobody waits for a pool that has been put */
	latch_arrive(&full.go);
	tern_pool_destroy(full.pool);
	ck_assert_int_eq(tern_loop_run(full.loop), 0);
	ck_assert_uint_eq(full.told, 1);
	tern_loop_destroy(full.loop);
}

static void a_bad_priority_is_refused(void)
{
	struct full full;

	open_pool(&full, BOUND);
	full.jobs[0].work.priority = 200;
	ck_assert_int_eq(try(&full, 0), -EINVAL);
	full.jobs[0].work.priority = TERN_LOW;
	fill(&full);
	close_pool(&full, BOUND);
}

static void a_post_waits_twice(void)
{
	struct full full;

	open_pool(&full, BOUND);
	fill(&full);
	tern_pool_notify_room(full.pool, full.loop, &full.post);
	expect_fatal("tern_pool_notify_room", &full.post);
	tern_pool_notify_room(full.pool, full.loop, &full.post);
}

/* Loops that all send through one small pool, and wait for room whenever there is none. */
struct sender {
	struct tern_pool *pool;
	struct tern_loop *loop;
	struct tern_work work[2 * BOUND];
	struct tern_post post;
	unsigned left, dones, refused;
};

static unsigned waiting_now;

static void start_counted(struct tern_work *work)
{
	__atomic_sub_fetch(&waiting_now, 1, __ATOMIC_SEQ_CST);
}

static void send_again(struct sender *sender, struct tern_work *work);

static void sent_is_done(struct tern_work *work)
{
	struct sender *sender = work->user;

	sender->dones++;
	send_again(sender, work);
}

static void send_again(struct sender *sender, struct tern_work *work)
{
	if (!sender->left)
		return;
	atomic_bump(&waiting_now);
	if (tern_pool_try_submit(sender->pool, sender->loop, work)) {
		start_counted(work);
		work->user = NULL; /* idle until there is room */
		if (!sender->refused++)
			tern_pool_notify_room(sender->pool, sender->loop, &sender->post);
		return;
	}
	/* each thread may be about to ask, and each worker have taken one that does not run yet */
	ck_assert_uint_le(atomic_get(&waiting_now), BOUND + THREADS + WORKERS);
	sender->left--;
}

static void there_is_room(struct tern_post *post)
{
	struct sender *sender = post->user;

	sender->refused = 0;
	for (unsigned i = 0; i < COUNT(sender->work); i++)
		if (!sender->work[i].user) {
			sender->work[i].user = sender;
			send_again(sender, &sender->work[i]);
		}
}

static void *send_all(void *arg)
{
	struct sender *sender = arg;

	sender->loop = loop_new();
	tern_post_init(&sender->post, there_is_room);
	sender->post.user = sender;
	for (unsigned i = 0; i < COUNT(sender->work); i++) {
		tern_work_init(&sender->work[i], start_counted, sent_is_done);
		sender->work[i].user = sender;
		send_again(sender, &sender->work[i]);
	}
	ck_assert_int_eq(tern_loop_run(sender->loop), 0);
	tern_loop_destroy(sender->loop);
	return NULL;
}

static void many_wait_for_room(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_max = WORKERS, .queue_max = BOUND};
	struct sender senders[THREADS] = {0};
	pthread_t threads[THREADS];
	struct tern_pool *pool;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		senders[i].pool = pool;
		senders[i].left = scaled(20000);
		threads[i] = thread_new(send_all, &senders[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		thread_join(threads[i]);
		ck_assert_uint_eq(senders[i].left, 0);
		ck_assert_uint_eq(senders[i].dones, scaled(20000));
	}
	ck_assert_uint_eq(atomic_get(&waiting_now), 0);
	tern_pool_destroy(pool);
}

static const struct test tests[] = {
	{"without a bound none is refused", without_a_bound_none_is_refused},
	{"what waits is counted wherever it is", what_waits_is_counted_wherever_it_is},
	{"room is told once", room_is_told_once},
	{"room by cancel", room_by_cancel},
	{"at the bound there is no room yet", at_the_bound_there_is_no_room_yet},
	{"a batch is counted whole", a_batch_is_counted_whole},
	{"who waited longest is told first", who_waited_longest_is_told_first},
	{"no room at all", no_room_at_all},
	{"a bad priority is refused", a_bad_priority_is_refused},
	{"fatal: a post waits twice", a_post_waits_twice},
	{"many wait for room", many_wait_for_room},
};

int main(int argc, char **argv)
{
	return run_tests("room", tests, COUNT(tests), argc, argv);
}
