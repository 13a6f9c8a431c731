/* SPDX-License-Identifier: MIT */
/* What the tests share: tables of named tests, hang guards, and things to wait with. */
#include "harness.h"

#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define SLOW 10
#elif defined(__SANITIZE_ADDRESS__)
#define SLOW 4
#else
#define SLOW 1
#endif
#define SKIPPED 77		      /* what meson takes for it */
#define HANG_S	(SLOW > 1 ? 180 : 60) /* only a hang takes that long */

static const struct test *table;

START_TEST(one_of_the_table)
{
	table[_i].fn();
}
END_TEST

int run_tests(const char *idea, const struct test *tests, size_t n, int argc, char **argv)
{
	const struct rlimit no_core = {0, 0};
	Suite *suite = suite_create(idea);
	SRunner *runner = srunner_create(suite);
	bool some = false, left_out = false;
	int failed;

	table = tests;
	setrlimit(RLIMIT_CORE, &no_core);
	for (size_t i = 0; i < n; i++) {
		TCase *test;

		if (argc > 1 && !strstr(tests[i].name, argv[1]))
			continue;
		if (!tests[i].fn) {
			printf("not without statistics: %s\n", tests[i].name);
			left_out = true;
			continue;
		}
		some = true;
		test = tcase_create(tests[i].name);
		tcase_set_timeout(test, HANG_S);
		if (strncmp(tests[i].name, "fatal:", 6) == 0)
			tcase_add_loop_test_raise_signal(test, one_of_the_table, SIGABRT, (int)i,
							 (int)i + 1);
		else
			tcase_add_loop_test(test, one_of_the_table, (int)i, (int)i + 1);
		suite_add_tcase(suite, test);
	}
	if (left_out && !some) {
		srunner_free(runner);
		return SKIPPED;
	}
	fflush(stdout); /* or each test says it again at its end */
	srunner_run_all(runner, CK_VERBOSE);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const char *expected_call;
static const void *expected_item;

static void check_line(const char *line)
{
	char item[32];

	snprintf(item, sizeof(item), "%p", expected_item);
	if (!strstr(line, expected_call) || (expected_item && !strstr(line, item)) ||
	    strchr(line, '\n')) {
		fprintf(stderr, "expected one line with %s and %s: %s\n", expected_call, item,
			line);
		_exit(EXIT_FAILURE);
	}
}

void expect_fatal(const char *call, const void *item)
{
	expected_call = call;
	expected_item = item;
	tern_set_fatal(check_line);
}

unsigned scaled(unsigned n)
{
	const char *preload = getenv("LD_PRELOAD");
	unsigned slow = preload && strstr(preload, "vgpreload") ? 20 : SLOW;

	return n / slow ? n / slow : 1;
}

struct tern_loop *loop_new(void)
{
	struct tern_loop *loop = NULL;

	ck_assert_int_eq(tern_loop_create(&loop, NULL), 0);
	return loop;
}

struct tern_pool *pool_new(uint32_t threads_min, uint32_t threads_max)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = threads_min,
		.threads_max = threads_max,
	};
	struct tern_pool *pool = NULL;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	return pool;
}

struct tern_pool_stats stats_of(struct tern_pool *pool)
{
	struct tern_pool_stats stats = {.size = sizeof(stats)};

	ck_assert_int_eq(tern_pool_stats(pool, &stats), 0);
	return stats;
}

void loop_until(struct tern_loop *loop, bool (*is)(void *arg), void *arg)
{
	struct pollfd p = {.fd = tern_loop_fd(loop), .events = POLLIN};

	for (;;) {
		int64_t ns = tern_loop_prepare(loop);

		if (is(arg))
			return;
		poll(&p, 1, ns ? 1 : 0);
	}
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

bool is_past(void *ns)
{
	return now_ns() > *(const uint64_t *)ns;
}

bool is_readable(const struct tern_loop *loop, int timeout_ms)
{
	struct pollfd p = {.fd = tern_loop_fd(loop), .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

bool is_gone(void *gone)
{
	return atomic_get(gone);
}

bool is_deserted(void *pool)
{
	return !stats_of(pool).threads;
}

void run_nothing(struct tern_work *work)
{
}

void ignore_done(struct tern_work *work)
{
}

void latch_init(struct latch *latch, unsigned n)
{
	pthread_mutex_init(&latch->lock, NULL);
	pthread_cond_init(&latch->all, NULL);
	latch->left = n;
}

void latch_arrive(struct latch *latch)
{
	pthread_mutex_lock(&latch->lock);
	if (!latch->left) { /* no assertion: check allocates, and abort is what "fatal:" expects */
		fputs("one more has arrived at a latch than it waits for\n", stderr);
		_exit(EXIT_FAILURE);
	}
	if (!--latch->left)
		pthread_cond_broadcast(&latch->all);
	pthread_mutex_unlock(&latch->lock);
}

void latch_wait(struct latch *latch)
{
	pthread_mutex_lock(&latch->lock);
	while (latch->left)
		pthread_cond_wait(&latch->all, &latch->lock);
	pthread_mutex_unlock(&latch->lock);
}

/* Some tests want hundreds of threads, with 32-bit addresses too. */
pthread_t thread_new(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 1 << 20);
	ck_assert_int_eq(pthread_create(&thread, &attr, fn, arg), 0);
	pthread_attr_destroy(&attr);
	return thread;
}

void thread_join(pthread_t thread)
{
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

void job_run(struct tern_work *work)
{
	struct job *job = tern_container_of(work, struct job, work);

	atomic_bump(&job->runs);
	job->ran_on = pthread_self();
	if (job->arrives)
		latch_arrive(job->arrives);
	if (job->waits)
		latch_wait(job->waits);
}

void job_done(struct tern_work *work)
{
	struct job *job = tern_container_of(work, struct job, work);

	job->status = work->status;
	job->done_on = pthread_self();
	ck_assert_uint_eq(++job->dones, 1);
	ck_assert_uint_eq(job->runs, work->status ? 0 : 1);
}

void job_init(struct job *job)
{
	memset(job, 0, sizeof(*job));
	tern_work_init(&job->work, job_run, job_done);
}
