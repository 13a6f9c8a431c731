/* SPDX-License-Identifier: MIT */
/*
 * Probes: each item's story, in the order in which it came about. The library is built once more
 * for that, with probes that call the functions below. A story's letters are
 *
 *	S	the probe `submit`
 *	b	the probe `start`
 *	r	run
 *	D	the probe `done`
 *	h	done, at home
 */
#include "forking.h"
#include "probed.h"

#define STORY 16

struct item {
	struct tern_work work;
	char story[STORY];
	uintptr_t pool; /* as `submit` told it */
	int status;	/* as `done` told it */
};

/* One thread, which the first item holds. */
struct gate {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct tern_lane *lane;
	struct latch arrived, go;
	struct job first;
};

static unsigned threads_started, threads_stopped;

static struct item *item_of(const struct tern_work *work)
{
	return tern_container_of(work, struct item, work);
}

static void note(struct item *item, char letter)
{
	size_t n = strlen(item->story);

	MUST(n < STORY - 1);
	item->story[n] = letter;
}

/* NULL: a job, which has no story. */
static struct item *item_at(uintptr_t work)
{
	const struct tern_work *w = (const struct tern_work *)work;

	return w->run == job_run ? NULL : item_of(w);
}

void probed_submit(uintptr_t pool, uintptr_t work, uintptr_t run)
{
	struct item *item = item_at(work);

	if (!item)
		return;
	MUST((uintptr_t)item->work.run == run);
	item->pool = pool;
	note(item, 'S');
}

void probed_start(uintptr_t pool, uintptr_t work, uintptr_t run)
{
	struct item *item = item_at(work);

	if (!item)
		return;
	MUST((uintptr_t)item->work.run == run && item->pool == pool);
	note(item, 'b');
}

void probed_done(uintptr_t pool, uintptr_t work, uintptr_t status)
{
	struct item *item = item_at(work);

	if (!item)
		return;
	MUST(item->pool == pool);
	item->status = (int)status;
	note(item, 'D');
}

void probed_thread__start(uintptr_t pool, uintptr_t number)
{
	atomic_bump(&threads_started);
}

void probed_thread__stop(uintptr_t pool, uintptr_t number)
{
	atomic_bump(&threads_stopped);
}

static void run(struct tern_work *work)
{
	note(item_of(work), 'r');
}

static void done(struct tern_work *work)
{
	MUST(work->status == item_of(work)->status);
	note(item_of(work), 'h');
}

static void items_init(struct item *items, size_t n, tern_work_fn *at_home)
{
	memset(items, 0, n * sizeof(*items));
	for (size_t i = 0; i < n; i++)
		tern_work_init(&items[i].work, run, at_home);
}

static bool all_tell(const struct item *items, size_t n, const char *story, int status)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(items[i].story, story) && items[i].status == status)
			continue;
		fprintf(stderr, "%zu: %s, %d\n", i, items[i].story, items[i].status);
		return false;
	}
	return true;
}

static void gate_open(struct gate *gate, bool prepares, uint32_t wait_ms_max)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_max = 1, .wait_ms_max = wait_ms_max};

	gate->loop = loop_new();
	if (prepares)
		tern_loop_prepare(gate->loop);
	ck_assert_int_eq(tern_pool_create(&gate->pool, &opts), 0);
	ck_assert_int_eq(tern_lane_create(&gate->lane, gate->pool, NULL), 0);
	latch_init(&gate->arrived, 1);
	latch_init(&gate->go, 1);
	job_init(&gate->first);
	gate->first.work.done = NULL; /* so that it runs however late */
	gate->first.arrives = &gate->arrived;
	gate->first.waits = &gate->go;
	tern_pool_submit(gate->pool, gate->loop, &gate->first.work);
	latch_wait(&gate->arrived);
}

/* Everything runs and comes home; all is over when this returns. */
static void gate_close(struct gate *gate)
{
	latch_arrive(&gate->go);
	ck_assert_int_eq(tern_loop_run(gate->loop), 0);
	tern_lane_put(gate->lane);
	tern_pool_destroy(gate->pool);
	tern_loop_destroy(gate->loop);
}

static void submit_all(struct gate *gate, struct item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		tern_pool_submit(gate->pool, gate->loop, &items[i].work);
}

static void ran(void)
{
	for (int prepares = 0; prepares < 2; prepares++) {
		struct item items[20], many[20];
		struct tern_work *works[20];
		struct gate gate;

		gate_open(&gate, prepares, 0);
		items_init(items, 20, done);
		items_init(many, 20, done);
		for (size_t i = 0; i < 20; i++)
			works[i] = &many[i].work;
		submit_all(&gate, items, 20);
		tern_pool_submit_many(gate.pool, gate.loop, works, 20);
		gate_close(&gate);
		ck_assert(all_tell(items, 20, "SbrDh", 0));
		ck_assert(all_tell(many, 20, "SbrDh", 0));
	}
	ck_assert_uint_ge(threads_started, 2);
	ck_assert_uint_eq(threads_stopped, threads_started);
}

static void nobody_told(void)
{
	struct item items[20];
	struct gate gate;

	gate_open(&gate, false, 0);
	items_init(items, 20, NULL);
	submit_all(&gate, items, 20);
	gate_close(&gate);
	ck_assert(all_tell(items, 20, "SbrD", 0));
}

static void in_a_lane(void)
{
	struct item items[20];
	struct gate gate;

	gate_open(&gate, true, 0);
	items_init(items, 20, done);
	for (size_t i = 0; i < 20; i++)
		tern_work_set_lane(&items[i].work, gate.lane);
	submit_all(&gate, items, 20);
	gate_close(&gate);
	ck_assert(all_tell(items, 20, "SbrDh", 0));
}

static void canceled(void)
{
	struct item items[4], bare[4];
	struct gate gate;

	gate_open(&gate, true, 0);
	items_init(items, 4, done);
	items_init(bare, 4, NULL);
	tern_work_set_lane(&items[3].work, gate.lane);
	submit_all(&gate, items, 4);
	submit_all(&gate, bare, 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert(tern_work_cancel(&items[i].work));
		ck_assert(!tern_work_cancel(&items[i].work));
		ck_assert(tern_work_cancel(&bare[i].work));
	}
	gate_close(&gate);
	ck_assert(all_tell(items, 4, "SDh", -ECANCELED));
	ck_assert(all_tell(bare, 4, "SD", -ECANCELED));
}

static void too_old(void)
{
	struct item items[4];
	struct gate gate;
	uint64_t end;

	gate_open(&gate, false, 1);
	items_init(items, 4, done);
	submit_all(&gate, items, 4);
	end = now_ns() + 3000000;
	loop_until(gate.loop, is_past, &end);
	gate_close(&gate);
	ck_assert(all_tell(items, 4, "SDh", -ETIMEDOUT));
}

static void without_pool(void)
{
	struct tern_loop *loop = loop_new();
	struct item items[2], bare;

	items_init(items, 2, done);
	items_init(&bare, 1, NULL);
	tern_pool_submit(NULL, loop, &items[0].work);
	tern_pool_submit(NULL, loop, &items[1].work);
	tern_pool_submit(NULL, loop, &bare.work);
	ck_assert(tern_work_cancel(&items[1].work));
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert(all_tell(&items[0], 1, "SbrDh", 0));
	ck_assert(all_tell(&items[1], 1, "SDh", -ECANCELED));
	ck_assert(all_tell(&bare, 1, "SbrD", 0));
	tern_loop_destroy(loop);
}

static void submit_in_child(void *arg)
{
	struct gate *gate = arg;
	struct tern_loop *loop = NULL;
	struct item items[3], bare;
	struct tern_work *works[2] = {&items[1].work, &items[2].work};

	MUST(!tern_loop_create(&loop, NULL));
	items_init(items, 3, done);
	items_init(&bare, 1, NULL);
	tern_pool_submit(gate->pool, loop, &items[0].work);
	tern_pool_submit_many(gate->pool, loop, works, 2);
	tern_pool_submit(gate->pool, NULL, &bare.work);
	MUST(!tern_loop_run(loop));
	MUST(all_tell(items, 3, "SDh", -ECHILD));
	MUST(all_tell(&bare, 1, "SD", -ECHILD));
	tern_loop_destroy(loop);
}

/* What was out at the fork is the parent's story. */
static void forked(void)
{
	struct item items[4];
	struct gate gate;

	gate_open(&gate, true, 0);
	items_init(items, 4, done);
	submit_all(&gate, items, 4);
	in_child(submit_in_child, &gate);
	gate_close(&gate);
	ck_assert(all_tell(items, 4, "SbrDh", 0));
}

static const struct test tests[] = {
	{"one done for each submit that ran", ran},
	{"one done for each submit without done", nobody_told},
	{"one done for each submit to a lane", in_a_lane},
	{"one done for each submit that was cancelled", canceled},
	{"one done for each submit that waited too long", too_old},
	{"one done for each submit without pool", without_pool},
	{"one done for each submit in a child", forked},
};

int main(int argc, char **argv)
{
	return run_tests("probes", tests, COUNT(tests), argc, argv);
}
