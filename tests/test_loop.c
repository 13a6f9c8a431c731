/* SPDX-License-Identifier: MIT */
/* The loop: posts, holds, bounded batches, any event loop by descriptor, prepare and dispatch. */
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"

#define POSTERS 4
#define POSTS	1000

struct note {
	struct tern_post post;
	struct tern_loop *loop;
	unsigned number, *next, again;
	bool inside;
};

static void note_in_order(struct tern_post *post)
{
	struct note *note = tern_container_of(post, struct note, post);

	ck_assert_uint_eq(note->number, (*note->next)++);
	ck_assert(!note->inside);
	if (note->again) {
		note->again--;
		note->number = *note->next;
		note->inside = true;
		tern_loop_post(note->loop, post);
		note->inside = false;
	}
}

static void posts_come_in_order(void)
{
	struct tern_loop *loop = loop_new();
	struct note *notes = calloc(POSTS, sizeof(*notes));
	unsigned next = 0;

	for (unsigned i = 0; i < POSTS; i++) {
		notes[i] = (struct note){.number = i, .next = &next};
		tern_post_init(&notes[i].post, note_in_order);
		tern_loop_post(loop, &notes[i].post);
		if (i == POSTS / 2)
			tern_loop_dispatch(loop, 10);
	}
	while (next < POSTS) {
		ck_assert(is_readable(loop, 0));
		ck_assert_int_ge(tern_loop_dispatch(loop, 0), 1);
	}
	tern_loop_prepare(loop);
	ck_assert(!is_readable(loop, 0));
	tern_loop_destroy(loop);
	free(notes);
}

struct poster {
	struct tern_loop *loop;
	struct note notes[POSTS];
	unsigned next;
};

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	for (unsigned i = 0; i < POSTS; i++) {
		poster->notes[i] = (struct note){.number = i, .next = &poster->next};
		tern_post_init(&poster->notes[i].post, note_in_order);
		tern_loop_post(poster->loop, &poster->notes[i].post);
	}
	tern_loop_release(poster->loop);
	return NULL;
}

static void posts_of_many_threads_keep_their_order(void)
{
	struct tern_loop *loop = loop_new();
	struct poster *posters = calloc(POSTERS, sizeof(*posters));
	pthread_t threads[POSTERS];

	for (int i = 0; i < POSTERS; i++) {
		posters[i].loop = loop;
		tern_loop_hold(loop);
		threads[i] = thread_new(post_all, &posters[i]);
	}
	ck_assert_int_eq(tern_loop_run(loop), 0);
	for (int i = 0; i < POSTERS; i++)
		thread_join(threads[i]);
	tern_loop_destroy(loop);
	for (int i = 0; i < POSTERS; i++)
		ck_assert_uint_eq(posters[i].next, POSTS);
	free(posters);
}

static void a_post_posts_itself_again(void)
{
	struct tern_loop *loop = loop_new();
	unsigned next = 0;
	struct note note = {.loop = loop, .next = &next, .again = 3};

	tern_post_init(&note.post, note_in_order);
	tern_loop_post(loop, &note.post);
	for (unsigned i = 1; i <= 4; i++) {
		ck_assert_int_eq(tern_loop_dispatch(loop, 0), 1);
		ck_assert_uint_eq(next, i);
	}
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 0);
	tern_loop_destroy(loop);
}

static void free_post(struct tern_post *post)
{
	unsigned *freed = post->user;

	memset(post, 0xa5, sizeof(*post));
	free(post);
	++*freed;
}

static void a_post_frees_itself(void)
{
	struct tern_loop *loop = loop_new();
	unsigned freed = 0;

	for (int i = 0; i < 3; i++) {
		struct tern_post *post = malloc(sizeof(*post));

		tern_post_init(post, free_post);
		ck_assert_ptr_null(post->user);
		post->user = &freed;
		tern_loop_post(loop, post);
	}
	tern_loop_dispatch(loop, 2);
	ck_assert_uint_eq(freed, 2);
	tern_loop_destroy(loop); /* delivers the last */
	ck_assert_uint_eq(freed, 3);
}

static void posts_do_not_keep_the_loop_alive(void)
{
	struct tern_loop *loop = loop_new();
	unsigned next = 0;
	struct note note = {.next = &next};

	tern_post_init(&note.post, note_in_order);
	tern_loop_post(loop, &note.post);
	ck_assert(!tern_loop_alive(loop));
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_loop_destroy(loop);
	ck_assert_uint_eq(next, 1);
}

static void batches_are_bounded(void)
{
	const struct tern_loop_opts opts = {.size = sizeof(opts), .batch_max = 7};
	struct tern_loop *loop;
	struct note notes[40];
	unsigned next = 0;

	ck_assert_int_eq(tern_loop_create(&loop, &opts), 0);
	for (unsigned i = 0; i < COUNT(notes); i++) {
		notes[i] = (struct note){.number = i, .next = &next};
		tern_post_init(&notes[i].post, note_in_order);
		tern_loop_post(loop, &notes[i].post);
	}
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 7);
	ck_assert_int_eq(tern_loop_dispatch(loop, 3), 3);
	ck_assert_uint_eq(next, 10);
	ck_assert_int_eq(tern_loop_prepare(loop), 0);
	ck_assert_uint_le(next, 17);
	ck_assert(is_readable(loop, 0));
	ck_assert_int_eq(tern_loop_dispatch(loop, 1), 1);
	ck_assert(is_readable(loop, 0));
	while (next < COUNT(notes))
		ck_assert_int_ge(tern_loop_dispatch(loop, 1000), 1);
	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	ck_assert(!is_readable(loop, 0));
	tern_loop_destroy(loop);
}

struct ticker {
	struct tern_timer timer;
	struct tern_loop *loop;
	struct note note;
};

static void post_from_tick(struct tern_timer *timer)
{
	struct ticker *ticker = tern_container_of(timer, struct ticker, timer);

	tern_loop_post(ticker->loop, &ticker->note.post);
}

/* No other thread has written the descriptor: only the loop knows of what is left. */
static void what_a_full_batch_adds_is_heard(void)
{
	const struct tern_loop_opts opts = {.size = sizeof(opts), .batch_max = 1};
	struct tern_loop *loop;
	unsigned next = 0;
	struct ticker ticker = {.note = {.next = &next}};

	ck_assert_int_eq(tern_loop_create(&loop, &opts), 0);
	ticker.loop = loop;
	tern_post_init(&ticker.note.post, note_in_order);
	tern_timer_init(&ticker.timer, post_from_tick);
	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	tern_timer_start(loop, &ticker.timer, 0);
	ck_assert_int_eq(tern_loop_prepare(loop), 0);
	ck_assert_uint_eq(next, 0);
	ck_assert(is_readable(loop, 0));
	ck_assert_int_eq(tern_loop_prepare(loop), 0);
	ck_assert_uint_eq(next, 1);
	tern_loop_destroy(loop);
}

static void nest(struct tern_post *post)
{
	struct note *note = tern_container_of(post, struct note, post);
	unsigned before = *note->next;

	/* what is left over of the outer batch is not on its stack */
	ck_assert(is_readable(note->loop, 0));
	while (*note->next == before)
		tern_loop_dispatch(note->loop, 1);
}

static void a_nested_dispatch_sees_leftovers(void)
{
	struct tern_loop *loop = loop_new();
	unsigned next = 0;
	struct note first = {.loop = loop, .next = &next}, second = {.next = &next};

	tern_post_init(&first.post, nest);
	tern_post_init(&second.post, note_in_order);
	tern_loop_post(loop, &first.post);
	tern_loop_post(loop, &second.post);
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 1);
	ck_assert_uint_eq(next, 1);
	tern_loop_destroy(loop);
}

/* A nested event loop by descriptor alone, once more after its first turn, with a post of ours. */
static void nest_in_poll(struct tern_post *post)
{
	struct note *note = tern_container_of(post, struct note, post);
	struct pollfd p = {.fd = tern_loop_fd(note->loop), .events = POLLIN};

	for (unsigned i = 0; i < 3; i++) {
		struct note own = {.number = i, .next = note->next};

		tern_post_init(&own.post, note_in_order);
		tern_loop_post(note->loop, &own.post);
		while (*note->next == i) {
			ck_assert_int_eq(poll(&p, 1, -1), 1);
			tern_loop_dispatch(note->loop, 0);
		}
	}
}

static void a_nested_poll_without_prepare_hears_own_posts(void)
{
	struct tern_loop *loop = loop_new();
	unsigned next = 0;
	struct note first = {.loop = loop, .next = &next};

	tern_post_init(&first.post, nest_in_poll);
	tern_loop_post(loop, &first.post);
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 1);
	ck_assert_uint_eq(next, 3);
	tern_loop_destroy(loop);
}

/* An event loop of our own around a chain of items: each completion submits the next. */
struct chain {
	struct tern_pool *pool;
	struct tern_loop *loop;
	struct tern_work work;
	unsigned left;
};

static void next_in_chain(struct tern_work *work)
{
	struct chain *chain = tern_container_of(work, struct chain, work);

	ck_assert_ptr_eq(tern_work_home(work), chain->loop);
	if (--chain->left)
		tern_pool_submit(chain->pool, chain->loop, work);
}

static void run_chains_in_epoll(bool prepares)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 3);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	struct chain chains[8];

	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, tern_loop_fd(loop), &event), 0);
	for (unsigned i = 0; i < COUNT(chains); i++) {
		chains[i] = (struct chain){.pool = pool, .loop = loop, .left = scaled(2000)};
		tern_work_init(&chains[i].work, run_nothing, next_in_chain);
		tern_pool_submit(pool, loop, &chains[i].work);
	}
	while (tern_loop_alive(loop)) {
		int64_t ns = prepares ? tern_loop_prepare(loop) : -1;

		if (!tern_loop_alive(loop))
			break;
		ck_assert_int_ge(epoll_wait(epoll, &event, 1, ns ? -1 : 0), 0);
		if (!prepares || event.events)
			tern_loop_dispatch(loop, 0);
	}
	for (unsigned i = 0; i < COUNT(chains); i++)
		ck_assert_uint_eq(chains[i].left, 0);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
	close(epoll);
}

static void a_plain_epoll_loop(void)
{
	run_chains_in_epoll(true);
}

static void an_epoll_loop_that_never_prepares(void)
{
	run_chains_in_epoll(false);
}

static void run_returns_at_once(void)
{
	struct tern_loop *loop = loop_new();

	ck_assert(!tern_loop_alive(loop));
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_int_eq(tern_loop_prepare(loop), -1);
	tern_loop_destroy(loop);
}

struct late {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct latch submit;
	struct job job;
};

static void *submit_late(void *arg)
{
	struct late *late = arg;

	latch_wait(&late->submit);
	job_init(&late->job);
	tern_pool_submit(late->pool, late->loop, &late->job.work);
	tern_loop_release(late->loop);
	return NULL;
}

static void open_submit(struct tern_timer *timer)
{
	latch_arrive(timer->user);
}

static void a_hold_covers_a_late_submit(void)
{
	struct late late = {.loop = loop_new(), .pool = pool_new(1, 1)};
	struct tern_timer timer;
	pthread_t thread;

	latch_init(&late.submit, 1);
	tern_timer_init(&timer, open_submit);
	timer.user = &late.submit;
	tern_timer_start(late.loop, &timer, 1000000);
	tern_loop_hold(late.loop);
	ck_assert(tern_loop_alive(late.loop));
	thread = thread_new(submit_late, &late);
	ck_assert_int_eq(tern_loop_run(late.loop), 0);
	ck_assert_uint_eq(late.job.dones, 1);
	thread_join(thread);
	tern_loop_destroy(late.loop);
	tern_pool_destroy(late.pool);
}

static void *release(void *arg)
{
	tern_loop_release(arg);
	return NULL;
}

static void a_release_elsewhere_ends_the_run(void)
{
	struct tern_loop *loop = loop_new();

	for (unsigned i = 0; i < scaled(2000); i++) {
		pthread_t thread;

		tern_loop_hold(loop);
		thread = thread_new(release, loop);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		thread_join(thread);
	}
	tern_loop_destroy(loop);
}

struct ending {
	struct tern_post post;
	struct tern_loop *loop;
};

static void end_hold(struct tern_post *post)
{
	tern_loop_release(tern_container_of(post, struct ending, post)->loop);
}

static void *post_end(void *arg)
{
	struct ending *ending = arg;

	tern_loop_post(ending->loop, &ending->post);
	return NULL;
}

static void a_post_elsewhere_is_heard(void)
{
	struct tern_loop *loop = loop_new();
	struct ending ending = {.loop = loop};

	tern_post_init(&ending.post, end_hold);
	for (unsigned i = 0; i < scaled(2000); i++) {
		pthread_t thread;

		tern_loop_hold(loop);
		thread = thread_new(post_end, &ending);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		thread_join(thread);
	}
	tern_loop_destroy(loop);
}

static unsigned told_off;

static void tell(void *user, bool on)
{
	told_off += !on;
}

static void count_ring(struct tern_timer *timer)
{
	++*(unsigned *)timer->user;
}

/* No prepare tells the event loop when to wake. */
static void a_loop_that_never_prepares_runs_due_timers(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_timer timer;
	unsigned rang = 0, next = 0;
	struct note note = {.next = &next};

	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 0);
	tern_timer_init(&timer, count_ring);
	timer.user = &rang;
	tern_timer_start(loop, &timer, 0);
	ck_assert(!is_readable(loop, 0));
	tern_post_init(&note.post, note_in_order);
	tern_loop_post(loop, &note.post);
	ck_assert(is_readable(loop, 0));
	ck_assert_int_eq(tern_loop_dispatch(loop, 0), 2);
	ck_assert_uint_eq(rang, 1);
	ck_assert_uint_eq(next, 1);
	ck_assert(!is_readable(loop, 0));
	tern_loop_destroy(loop);
}

/* The loop never prepares; the release wakes it with nothing to deliver. */
static void a_release_leaves_the_descriptor_quiet(void)
{
	const struct tern_loop_binding binding = {sizeof(binding), tell, NULL};
	struct tern_loop *loop = loop_new();
	struct pollfd p = {.fd = tern_loop_fd(loop), .events = POLLIN};

	ck_assert_int_eq(tern_loop_bind(loop, &binding, NULL), 0);
	tern_loop_dispatch(loop, 0);
	for (unsigned i = 1; i < 100; i++) {
		pthread_t thread;

		tern_loop_hold(loop);
		thread = thread_new(release, loop);
		ck_assert_int_eq(poll(&p, 1, -1), 1);
		tern_loop_dispatch(loop, 0);
		ck_assert(!is_readable(loop, 0));
		ck_assert_uint_eq(told_off, i);
		thread_join(thread);
	}
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"posts come in order", posts_come_in_order},
	{"posts of many threads keep their order", posts_of_many_threads_keep_their_order},
	{"a post posts itself again, never inside the call", a_post_posts_itself_again},
	{"a post frees itself, and destroy delivers the last", a_post_frees_itself},
	{"posts do not keep the loop alive", posts_do_not_keep_the_loop_alive},
	{"batches are bounded and leftovers keep the descriptor readable", batches_are_bounded},
	{"what a full batch adds is heard", what_a_full_batch_adds_is_heard},
	{"a nested dispatch sees leftovers", a_nested_dispatch_sees_leftovers},
	{"a nested poll without prepare hears own posts",
	 a_nested_poll_without_prepare_hears_own_posts},
	{"a plain epoll loop", a_plain_epoll_loop},
	{"an epoll loop that never prepares", an_epoll_loop_that_never_prepares},
	{"a loop that never prepares runs timers that are due when it dispatches",
	 a_loop_that_never_prepares_runs_due_timers},
	{"run returns at once when nothing is out", run_returns_at_once},
	{"a hold covers a late submit", a_hold_covers_a_late_submit},
	{"a release elsewhere leaves the descriptor quiet", a_release_leaves_the_descriptor_quiet},
	{"a release elsewhere ends the run", a_release_elsewhere_ends_the_run},
	{"a post elsewhere is heard", a_post_elsewhere_is_heard},
};

int main(int argc, char **argv)
{
	return run_tests("loop", tests, COUNT(tests), argc, argv);
}
