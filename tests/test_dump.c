/* SPDX-License-Identifier: MIT */
/* What a pool is doing, as text: every thread, lane and queue is told of, and errors are told. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

#define TEXT_MAX (1 << 20)

/* What the pool says of itself, in memory of the test's own. */
static char *dump(struct tern_pool *pool)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	char *text = calloc(1, TEXT_MAX);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tern_pool_dump(pool, fd), 0);
	ck_assert_int_gt(pread(fd, text, TEXT_MAX - 1, 0), 0);
	close(fd);
	return text;
}

static void has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in\n%s", part, text);
}

static void has_not(const char *text, const char *part)
{
	ck_assert_msg(!strstr(text, part), "\"%s\" in\n%s", part, text);
}

static void has_number(const char *text, const char *before)
{
	const char *at = strstr(text, before);

	ck_assert_msg(at && isdigit((unsigned char)at[strlen(before)]),
		      "no number after \"%s\" in\n%s", before, text);
}

static unsigned lines_with(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

/* Items that say that they run, and then wait. */
static struct latch arrived, go;

struct gated {
	struct tern_work work;
	struct latch *arrived;
};

static void gate_init(unsigned n)
{
	latch_init(&arrived, n);
	latch_init(&go, 1);
}

static void pass(struct tern_work *work)
{
	struct gated *gated = tern_container_of(work, struct gated, work);

	latch_arrive(gated->arrived);
	latch_wait(&go);
}

/* Known to the dynamic linker, since the program exports its functions. */
void test_dump_waits_at_a_gate(struct tern_work *work);
void test_dump_waits_at_a_gate(struct tern_work *work)
{
	pass(work);
}

static void waits_privately(struct tern_work *work)
{
	pass(work);
}

static void gated_init(struct gated *gated, tern_work_fn *run)
{
	tern_work_init(&gated->work, run, ignore_done);
	gated->work.user = gated;
	gated->arrived = &arrived;
}

static struct tern_pool *named(const char *name, uint32_t min, uint32_t max)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .name = name,
					    .threads_min = min,
					    .threads_max = max,
					    .idle_ms_max = TERN_FOREVER};
	struct tern_pool *pool;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	return pool;
}

static bool is_idle(void *pool)
{
	struct tern_pool_stats stats = stats_of(pool);

	return stats.idle == stats.threads;
}

static void nobody_runs_anything(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = named("rest", 2, 5);
	char *text;

	loop_until(loop, is_idle, pool);
	text = dump(pool);
	ck_assert_str_eq(text,
			 "pool rest: 2 threads of 2 to 5, 2 idle, 0 lent, 0 running, 0 waiting, "
			 "queue_max none, wait_ms_max none, run_ms_warn none\n"
			 "loops: 0, 0 with items not handed over\n"
			 "rest/0 idle\nrest/1 idle\n");
	free(text);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void limits(void)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts),
					    .queue_max = TERN_NONE,
					    .wait_ms_max = 1500,
					    .run_ms_warn = 3600000};
	struct tern_pool *pool;
	char *text;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	text = dump(pool);
	has(text, "queue_max 0, wait_ms_max 1500, run_ms_warn 3600000\n");
	free(text);
	tern_pool_destroy(pool);
}

/* One item runs, on one thread, while somebody looks. */
static char *dump_while_it_runs(tern_work_fn *run, const char *name)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = named(name, 1, 1);
	struct gated gated;
	char user[64], *text;

	gate_init(1);
	gated_init(&gated, run);
	tern_pool_submit(pool, loop, &gated.work);
	tern_loop_flush(loop);
	latch_wait(&arrived);
	text = dump(pool);
	snprintf(user, sizeof(user), " s, user %p\n", (void *)&gated);
	has(text, user);
	has(text, "1 threads of 1 to 1, 0 idle, 0 lent, 1 running, 0 waiting");
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	return text;
}

static void by_symbol(void)
{
	char *text = dump_while_it_runs(test_dump_waits_at_a_gate, "named");

	has(text, "\nnamed/0 runs test_dump_waits_at_a_gate for ");
	free(text);
}

/* addr2line finds the function at the place that is told. */
static void by_place(void)
{
	char *text = dump_while_it_runs(waits_privately, NULL), command[256], found[64] = "";
	unsigned long offset;
	FILE *answer;

	ck_assert_int_eq(sscanf(strstr(text, "\ntern/0 runs "), "\ntern/0 runs test_dump+0x%lx for",
				&offset),
			 1);
	snprintf(command, sizeof(command), "addr2line -f -e %s 0x%lx", program_invocation_name,
		 offset);
	answer = popen(command, "r"); /* NOLINT: a path of the test's own */
	ck_assert_ptr_nonnull(answer);
	ck_assert_ptr_nonnull(fgets(found, sizeof(found), answer));
	pclose(answer);
	ck_assert_str_eq(found, "waits_privately\n");
	free(text);
}

static void long_pool_names(void)
{
	char *text = dump_while_it_runs(test_dump_waits_at_a_gate, "a-name-longer-than-any");

	has(text, "pool a-name-longer-t: ");
	has(text, "\na-name-longer/0 runs ");
	free(text);
}

/* Four items of a lane for two, and three priorities behind one thread. */
static void lanes_and_queues(void)
{
	static const char name[] = "a lane with a name that is cut somewhere";
	const struct tern_lane_opts opts = {.size = sizeof(opts), .running_max = 2, .name = name};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = named("lanes", 1, 1);
	struct tern_lane *lane, *bare;
	struct latch all;
	struct gated items[9];
	char *text;

	ck_assert_int_eq(tern_lane_create(&lane, pool, &opts), 0);
	ck_assert_int_eq(tern_lane_create(&bare, pool, NULL), 0);
	gate_init(1);
	latch_init(&all, COUNT(items));
	for (size_t i = 0; i < COUNT(items); i++) {
		gated_init(&items[i], waits_privately);
		items[i].arrived = i ? &all : &arrived;
		tern_work_set_lane(&items[i].work, i < 4 ? lane : NULL);
		items[i].work.priority = i == 3 || i == 4 ? TERN_HIGH : i == 5 ? TERN_LOW : 0;
		tern_pool_submit(pool, loop, &items[i].work);
		tern_loop_flush(loop);
		if (!i)
			latch_wait(&arrived);
	}
	text = dump(pool);
	has(text, ", 1 running, 6 waiting");
	has(text, ", lane a lane with a name that is cut \n");
	has_number(text, "\nwaiting normal: 4, the first for ");
	has_number(text, "\nwaiting high: 1, the first for ");
	has_number(text, "\nwaiting low: 1, the first for ");
	has(text, "\nlane a lane with a name that is cut : 2 of 2 entered\n");
	has_number(text, "\n  held normal: 1, the first for ");
	has_number(text, "\n  held high: 1, the first for ");
	has_not(text, "held low");
	has(text, "\nlane without a name: 0 of 1 entered\n");
	free(text);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	text = dump(pool);
	has_not(text, "runs");
	has_not(text, "waiting ");
	has_not(text, "held");
	free(text);
	tern_lane_put(lane);
	tern_lane_put(bare);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void pass_standing_still(struct tern_work *work)
{
	tern_blocking_begin();
	pass(work);
	tern_blocking_end();
}

static void lent_places(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = named("lent", 1, 1);
	struct gated items[2];
	char *text;

	gate_init(2);
	for (int i = 0; i < 2; i++) {
		gated_init(&items[i], i ? waits_privately : pass_standing_still);
		tern_pool_submit(pool, loop, &items[i].work);
	}
	tern_loop_flush(loop);
	latch_wait(&arrived);
	text = dump(pool);
	has(text, ": 2 threads of 1 to 1, 0 idle, 1 lent, 2 running, 0 waiting");
	ck_assert_uint_eq(lines_with(text, ", lent\n"), 1);
	free(text);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

/* What a loop has not handed over is not in the queue yet; that some lies there is told. */
static void outboxes(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = named("box", 1, 1);
	struct gated items[2];
	char *text;

	gate_init(2);
	gated_init(&items[0], waits_privately);
	gated_init(&items[1], waits_privately);
	tern_loop_prepare(loop);
	tern_pool_submit(pool, loop, &items[0].work);
	while (stats_of(pool).started < 1)
		tern_loop_flush(loop);
	tern_pool_submit(pool, loop, &items[1].work);
	text = dump(pool);
	has(text, "\nloops: 1, 1 with items not handed over\n");
	free(text);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	text = dump(pool);
	has(text, "\nloops: 1, 0 with items not handed over\n");
	free(text);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void put_while_it_runs(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = named("end", 1, 1);
	struct gated gated;
	char *text;

	gate_init(1);
	gated_init(&gated, waits_privately);
	tern_pool_submit(pool, loop, &gated.work);
	tern_loop_flush(loop);
	latch_wait(&arrived);
	tern_pool_put(pool); /* it lives while its item runs */
	text = dump(pool);
	has(text, "pool end, closing: 1 threads");
	free(text);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	tern_loop_destroy(loop);
}

enum {
	MANY = 60
};

/* MANY gated items, each on a thread of its own. */
struct many {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct gated items[MANY];
};

static struct many *many_new(void)
{
	struct many *many = calloc(1, sizeof(*many));

	many->loop = loop_new();
	many->pool = named("many", 1, MANY);
	gate_init(MANY);
	for (unsigned i = 0; i < MANY; i++) {
		gated_init(&many->items[i], test_dump_waits_at_a_gate);
		tern_pool_submit(many->pool, many->loop, &many->items[i].work);
		tern_loop_flush(many->loop);
	}
	latch_wait(&arrived);
	return many;
}

static void many_free(struct many *many)
{
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(many->loop), 0);
	tern_pool_destroy(many->pool);
	tern_loop_destroy(many->loop);
	free(many);
}

static void many_threads(void)
{
	struct many *many = many_new();
	char line[64], *text = dump(many->pool);

	ck_assert_uint_eq(lines_with(text, " runs test_dump_waits_at_a_gate for "), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(line, sizeof(line), "\nmany/%u runs ", i);
		has(text, line);
	}
	free(text);
	many_free(many);
}

static pthread_t writer;

/* Interrupts the writer now and then, which stops its write half way, or before it has begun. */
static void *read_slowly(void *arg)
{
	char *text = calloc(1, TEXT_MAX);
	size_t n = 0;

	while (read(*(int *)arg, text + n, 1) == 1)
		if (n++ % 16 == 0)
			pthread_kill(writer, SIGUSR1);
	return text;
}

static void on_signal(int number)
{
}

/* A pipe of a page, read byte by byte: the writer has to wait, and writes in pieces. */
static void a_narrow_pipe(void)
{
	struct many *many = many_new();
	pthread_t reader;
	int ends[2];
	void *text;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
	sigaction(SIGUSR1, &(const struct sigaction){.sa_handler = on_signal}, NULL);
	writer = pthread_self();
	reader = thread_new(read_slowly, &ends[0]);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(tern_pool_dump(many->pool, ends[1]), 0);
	close(ends[1]);
	ck_assert_int_eq(pthread_join(reader, &text), 0);
	ck_assert_uint_eq(lines_with(text, " runs test_dump_waits_at_a_gate for "), 3 * MANY);
	ck_assert_uint_eq(lines_with(text, "\n"), 3 * (MANY + 2));
	close(ends[0]);
	free(text);
	many_free(many);
}

static void nobody_reads(void)
{
	struct many *many = many_new();
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
	ck_assert_int_eq(tern_pool_dump(many->pool, ends[1]), -EAGAIN); /* more than a page */
	signal(SIGPIPE, SIG_IGN);
	close(ends[0]);
	ck_assert_int_eq(tern_pool_dump(many->pool, ends[1]), -EPIPE);
	close(ends[1]);
	many_free(many);
}

static void bad_descriptors(void)
{
	struct tern_pool *pool = pool_new(1, 1);
	int only_read = open("/dev/null", O_RDONLY), full = open("/dev/full", O_WRONLY);
	int closed = dup(only_read);

	close(closed);
	ck_assert_int_eq(tern_pool_dump(pool, -1), -EBADF);
	ck_assert_int_eq(tern_pool_dump(pool, closed), -EBADF);
	ck_assert_int_eq(tern_pool_dump(pool, only_read), -EBADF);
	ck_assert_int_eq(tern_pool_dump(pool, full), -ENOSPC);
	close(only_read);
	close(full);
	tern_pool_destroy(pool);
}

/* The memory of an item without done is given back first thing. */
static void run_after_free(struct tern_work *work)
{
	struct gated *gated = tern_container_of(work, struct gated, work);

	memset(gated, 0xff, sizeof(*gated));
	free(gated);
	latch_arrive(&arrived);
	latch_wait(&go);
}

static void freed_while_it_runs(void)
{
	struct tern_pool *pool = pool_new(1, 1);
	struct gated *gated = calloc(1, sizeof(*gated));
	char user[32], *text;

	gate_init(1);
	gated_init(gated, run_after_free);
	gated->work.done = NULL;
	snprintf(user, sizeof(user), "user %p\n", (void *)gated);
	tern_pool_submit(pool, NULL, &gated->work);
	latch_wait(&arrived);
	text = dump(pool);
	has(text, "runs test_dump+0x");
	has(text, user);
	free(text);
	latch_arrive(&go);
	tern_pool_destroy(pool);
}

/* Two kinds of items, each with a user of its own: no line may mix them. */
static struct crowd {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct tern_lane *lanes[2];
	struct tern_work items[16];
	unsigned left;
} crowd;

static int kinds[2];

void test_dump_even(struct tern_work *work);
void test_dump_even(struct tern_work *work)
{
	ck_assert_ptr_eq(work->user, &kinds[0]);
}

void test_dump_odd(struct tern_work *work);
void test_dump_odd(struct tern_work *work)
{
	ck_assert_ptr_eq(work->user, &kinds[1]);
}

static void submit_again(struct tern_work *work)
{
	if (!atomic_get(&crowd.left))
		return;
	work->run = work->run == test_dump_even ? test_dump_odd : test_dump_even;
	work->user = &kinds[work->run == test_dump_odd];
	tern_work_set_lane(work, crowd.lanes[work->run == test_dump_odd]);
	tern_pool_submit(crowd.pool, crowd.loop, work);
}

static void *look_many_times(void *arg)
{
	char even[64], odd[64];

	snprintf(even, sizeof(even), ", user %p, lane even\n", (void *)&kinds[0]);
	snprintf(odd, sizeof(odd), ", user %p, lane odd\n", (void *)&kinds[1]);
	for (unsigned i = scaled(3000); i; i--) {
		char *text = dump(crowd.pool), *end;

		for (char *line = strstr(text, " runs "); line; line = strstr(end, " runs ")) {
			bool is_odd = !strncmp(line, " runs test_dump_odd ", 20);
			const char *tail = strstr(line, ", user");

			end = strchr(line, '\n');
			ck_assert(is_odd || !strncmp(line, " runs test_dump_even ", 21));
			ck_assert(!strncmp(tail, is_odd ? odd : even, strlen(is_odd ? odd : even)));
		}
		free(text);
	}
	__atomic_store_n(&crowd.left, 0, __ATOMIC_SEQ_CST);
	return NULL;
}

static void no_line_mixes_two_items(void)
{
	struct tern_lane_opts opts = {.size = sizeof(opts), .running_max = 2};
	pthread_t looker;

	crowd.loop = loop_new();
	crowd.pool = pool_new(1, 3);
	crowd.left = 1;
	for (unsigned i = 0; i < 2; i++) {
		opts.name = i ? "odd" : "even";
		ck_assert_int_eq(tern_lane_create(&crowd.lanes[i], crowd.pool, &opts), 0);
	}
	for (size_t i = 0; i < COUNT(crowd.items); i++) {
		tern_work_init(&crowd.items[i], i % 2 ? test_dump_odd : test_dump_even,
			       submit_again);
		submit_again(&crowd.items[i]);
	}
	looker = thread_new(look_many_times, NULL);
	ck_assert_int_eq(tern_loop_run(crowd.loop), 0);
	thread_join(looker);
	tern_lane_put(crowd.lanes[0]);
	tern_lane_put(crowd.lanes[1]);
	tern_pool_destroy(crowd.pool);
	tern_loop_destroy(crowd.loop);
}

static const struct test tests[] = {
	{"an idle pool", WITH_STATS(nobody_runs_anything)},
	{"limits are told", limits},
	{"a function that the linker knows is told by name", by_symbol},
	{"another one by its place, as addr2line takes it", by_place},
	{"long names are cut as the kernel's are", long_pool_names},
	{"lanes, and what waits by priority", lanes_and_queues},
	{"threads that stand still", lent_places},
	{"what loops have not handed over", WITH_STATS(outboxes)},
	{"a pool that was put", put_while_it_runs},
	{"many threads, each with its line", many_threads},
	{"a pipe that takes little at a time, and signals", a_narrow_pipe},
	{"a pipe that nobody reads", nobody_reads},
	{"bad descriptors, and a full disk", bad_descriptors},
	{"an item may be freed while it runs", freed_while_it_runs},
	{"no line mixes two items", no_line_mixes_two_items},
};

int main(int argc, char **argv)
{
	return run_tests("dump", tests, COUNT(tests), argc, argv);
}
