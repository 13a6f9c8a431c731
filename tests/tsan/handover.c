/* SPDX-License-Identifier: MIT */
/*
 * A program to be built with ThreadSanitizer, on a library built without: each crossing takes plain
 * data from thread to thread by one kind of hand-over, with no order of its own. What the sanitizer
 * says of that is the result; check.py reads it. Relaxed atomics, which order nothing, tell where
 * something must have come first.
 */
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern.h>

#define ITEMS  64
#define ROUNDS 100

struct parcel {
	struct tern_work work;
	struct tern_post post;
	struct tern_resolve resolve;
	unsigned data, rounds;
};

static struct tern_loop *loop;
static struct tern_pool *pool;
static struct tern_lane *lane;
static struct parcel parcels[ITEMS];
static unsigned of_hooks, flag, over;

static void set(unsigned *f)
{
	__atomic_store_n(f, 1, __ATOMIC_RELAXED);
}

static void await(unsigned *f)
{
	while (!__atomic_load_n(f, __ATOMIC_RELAXED))
		sched_yield();
}

static void hook(void *user)
{
	of_hooks += *(unsigned *)user;
}

static void gone(void *user)
{
	hook(user);
	set(&over);
}

static void make(uint32_t threads, uint32_t queue_max)
{
	static unsigned one;
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = threads,
		.threads_max = threads,
		.queue_max = queue_max,
		.thread_start = threads == 1 ? hook : NULL,
		.thread_stop = threads == 1 ? hook : NULL,
		.gone = gone,
		.user = &one,
	};

	one = 1;
	if (tern_loop_create(&loop, NULL) || tern_pool_create(&pool, &opts))
		abort();
}

static void unmake(void)
{
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	of_hooks++; /* the hooks are over */
}

static pthread_t beside(void *(*fn)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, NULL))
		abort();
	return thread;
}

/* Runs the loop until fn, in another thread, lets go of it. */
static void run_beside(void *(*fn)(void *))
{
	pthread_t thread;

	tern_loop_hold(loop);
	thread = beside(fn);
	tern_loop_run(loop);
	for (unsigned i = 0; i < ITEMS; i++)
		parcels[i].data++; /* not yet joined */
	pthread_join(thread, NULL);
}

static struct parcel *parcel_of(struct tern_work *work)
{
	return tern_container_of(work, struct parcel, work);
}

static void touch(struct tern_work *work)
{
	parcel_of(work)->data++;
}

static void again(struct tern_work *work)
{
	struct parcel *parcel = parcel_of(work);

	parcel->data++;
	if (++parcel->rounds < ROUNDS)
		tern_pool_submit(pool, loop, work);
}

static void submit_all(struct tern_pool *to, tern_work_fn *done)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		parcels[i].data = i;
		tern_work_init(&parcels[i].work, touch, done);
		tern_pool_submit(to, done || !to ? loop : NULL, &parcels[i].work);
	}
}

static void items(void)
{
	make(2, 0);
	submit_all(pool, again);
	tern_loop_run(loop);
	unmake();
}

static void *submit_from_elsewhere(void *unused)
{
	submit_all(pool, again);
	tern_loop_release(loop);
	return NULL;
}

static void items_from_elsewhere(void)
{
	make(2, 0);
	run_beside(submit_from_elsewhere);
	unmake();
}

static void items_without_done(void)
{
	make(1, 0);
	submit_all(pool, NULL);
	unmake();
	for (unsigned i = 0; i < ITEMS; i++)
		parcels[i].data++;
}

static void items_of_a_lane(void)
{
	make(2, 0);
	if (tern_lane_create(&lane, pool, NULL))
		abort();
	for (unsigned i = 0; i < ITEMS; i++) {
		tern_work_init(&parcels[i].work, touch, again);
		tern_work_set_lane(&parcels[i].work, lane);
		tern_pool_submit(pool, loop, &parcels[i].work);
	}
	tern_loop_run(loop);
	tern_lane_put(lane);
	unmake();
}

static void *submit_inline(void *unused)
{
	submit_all(NULL, touch);
	tern_loop_release(loop);
	return NULL;
}

static void items_without_pool(void)
{
	make(1, 0);
	run_beside(submit_inline);
	unmake();
}

static void on_post(struct tern_post *post)
{
	tern_container_of(post, struct parcel, post)->data++;
}

static void *post_all(void *unused)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		parcels[i].data = i;
		tern_post_init(&parcels[i].post, on_post);
		tern_loop_post(loop, &parcels[i].post);
	}
	tern_loop_release(loop);
	return NULL;
}

static void posts(void)
{
	make(1, 0);
	run_beside(post_all);
	unmake();
}

static void *post_one(void *unused)
{
	tern_post_init(&parcels[0].post, on_post);
	tern_loop_post(loop, &parcels[0].post);
	set(&flag);
	return NULL;
}

/* The loop has read nothing from its descriptor when it closes it. */
static void end_of_a_loop(void)
{
	pthread_t thread;

	make(1, 0);
	thread = beside(post_one);
	await(&flag);
	unmake();
	pthread_join(thread, NULL);
}

static void *just_release(void *unused)
{
	for (unsigned i = 0; i < ITEMS; i++)
		parcels[i].data = i;
	tern_loop_release(loop);
	set(&flag);
	return NULL;
}

/* What the last one who lets go wrote comes with his write of the descriptor; not so this. */
static void hold_and_release(void)
{
	pthread_t thread;

	make(1, 0);
	tern_loop_hold(loop);
	tern_loop_hold(loop);
	thread = beside(just_release);
	await(&flag);
	tern_loop_release(loop);
	tern_loop_run(loop);
	for (unsigned i = 0; i < ITEMS; i++)
		parcels[i].data++;
	pthread_join(thread, NULL);
	unmake();
}

static void *cancel_all(void *unused)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		parcels[i].rounds = i;
		if (!tern_work_cancel(&parcels[i].work))
			abort();
	}
	set(&flag);
	return NULL;
}

static void canceled(struct tern_work *work)
{
	parcel_of(work)->data++;
	parcel_of(work)->rounds++;
}

static void cancel_of(struct tern_pool *from)
{
	pthread_t thread;

	submit_all(from, canceled);
	thread = beside(cancel_all);
	await(&flag);
	tern_loop_run(loop);
	pthread_join(thread, NULL);
}

static void cancel_without_pool(void)
{
	make(1, 0);
	cancel_of(NULL);
	unmake();
}

static void until_flag(struct tern_work *work)
{
	await(&flag);
}

/* The only worker is busy with this until the flag is raised. */
static void occupy(struct tern_work *work)
{
	tern_work_init(work, until_flag, NULL);
	tern_pool_submit(pool, NULL, work);
}

static void cancel(void)
{
	struct tern_work busy;

	make(1, 0);
	occupy(&busy);
	cancel_of(pool);
	unmake();
}

static void *ask_for_room(void *unused)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		parcels[i].data = i;
		tern_post_init(&parcels[i].post, on_post);
		tern_pool_notify_room(pool, loop, &parcels[i].post);
	}
	tern_loop_release(loop);
	set(&flag);
	return NULL;
}

static void room(void)
{
	struct tern_work busy, next;

	make(1, 1);
	occupy(&busy);
	tern_work_init(&next, until_flag, NULL);
	tern_pool_submit(pool, NULL, &next);
	run_beside(ask_for_room);
	unmake();
}

static void resolved(struct tern_resolve *r)
{
	struct parcel *parcel = tern_container_of(r, struct parcel, resolve);

	if (r->error || !r->result->ai_addrlen)
		abort();
	freeaddrinfo(r->result);
	if (++parcel->rounds < 10)
		tern_resolve(pool, loop, r);
}

static void resolve(void)
{
	static const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};

	make(2, 0);
	for (unsigned i = 0; i < ITEMS; i++) {
		tern_resolve_init(&parcels[i].resolve, resolved);
		parcels[i].resolve.node = "127.0.0.1";
		parcels[i].resolve.hints = &hints;
		tern_resolve(pool, loop, &parcels[i].resolve);
	}
	tern_loop_run(loop);
	unmake();
}

static void *put_one(void *unused)
{
	of_hooks++;
	tern_pool_put(pool);
	set(&flag);
	return NULL;
}

/* gone comes after what each did before its put. */
static void puts_of_others(void)
{
	pthread_t thread;

	make(2, 0);
	tern_pool_get(pool);
	thread = beside(put_one);
	await(&flag);
	unmake();
	pthread_join(thread, NULL);
}

static void *put_lane(void *unused)
{
	of_hooks++;
	tern_lane_put(lane);
	set(&flag);
	return NULL;
}

/* Its last item takes the lane along, and that the pool. */
static void put_of_a_lane(void)
{
	struct tern_work busy[2];
	pthread_t thread;

	make(2, 0);
	if (tern_lane_create(&lane, pool, NULL))
		abort();
	occupy(&busy[0]);
	occupy(&busy[1]);
	tern_work_init(&parcels[0].work, touch, NULL);
	tern_work_set_lane(&parcels[0].work, lane);
	tern_pool_submit(pool, NULL, &parcels[0].work);
	tern_pool_put(pool);
	thread = beside(put_lane);
	await(&over);
	pthread_join(thread, NULL);
}

static const struct {
	const char *name;
	void (*fn)(void);
	bool by_atomics; /* alone: by nothing that the sanitizer sees without being told */
} crossings[] = {
	{"items", items, true},
	{"items from elsewhere", items_from_elsewhere, true},
	{"items without done", items_without_done, false},
	{"items without a pool", items_without_pool, true},
	{"items of a lane", items_of_a_lane, true},
	{"cancel", cancel, true},
	{"cancel without a pool", cancel_without_pool, true},
	{"posts", posts, true},
	{"hold and release", hold_and_release, true},
	{"room", room, false},
	{"resolve", resolve, false},
	{"puts of others", puts_of_others, true},
	{"put of a lane", put_of_a_lane, true},
	{"end of a loop", end_of_a_loop, true},
};

/* With the name of a crossing: takes it. Without: tells the names. */
int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(crossings) / sizeof(crossings[0]); i++) {
		if (argc < 2)
			printf("%s\t%s\n", crossings[i].name,
			       crossings[i].by_atomics ? "by atomics" : "");
		else if (!strcmp(argv[1], crossings[i].name))
			crossings[i].fn();
	}
	return 0;
}
