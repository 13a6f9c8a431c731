/* SPDX-License-Identifier: MIT */
/*
 * Relay: buffers of 256 MiB are filled, passed on and summed, and the loop is never away meanwhile.
 * It answers another process, which asks once a millisecond and notes how long each answer takes.
 */
#include <ev.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <tern.h>
#include <tern/ev.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 1000000

struct seen {
	uint64_t answers, longest_ns;
};

static struct seen *seen; /* shared */
static int to_loop[2], from_loop[2];

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Until the relay closes its end. */
__attribute__((noreturn)) static void probe(void)
{
	struct timespec tick = {.tv_nsec = TICK_NS};
	uint64_t asked, took;
	char c = 0;

	close(to_loop[0]);
	close(from_loop[1]);
	for (;;) {
		asked = clock_ns(CLOCK_MONOTONIC);
		if (write(to_loop[1], &c, 1) != 1 || read(from_loop[0], &c, 1) != 1)
			_exit(0);
		took = clock_ns(CLOCK_MONOTONIC) - asked;
		seen->answers++;
		if (took > seen->longest_ns)
			seen->longest_ns = took;
		nanosleep(&tick, NULL);
	}
}

static int start_probe(void)
{
	int child;

	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED || pipe2(to_loop, O_NONBLOCK) || pipe(from_loop))
		return -1;
	fcntl(to_loop[1], F_SETFL, 0);
	child = fork(); /* before there is a pool or a loop */
	if (child == 0)
		probe();
	close(to_loop[1]);
	close(from_loop[0]);
	return child;
}

static void answer(struct ev_loop *ev, ev_io *watcher, int revents)
{
	char c;

	if (read(watcher->fd, &c, 1) == 1 && write(from_loop[1], &c, 1) != 1)
		ev_break(ev, EVBREAK_ALL);
}

/* ---- the relay ---- */

enum {
	FILL,
	PASS_ON,
	SUM,
	STEPS
};

static struct relay {
	struct tern_vdm *vdm;
	struct tern_loop *loop;
	char *from, *to;
	size_t size;
	int left, good;
	struct tern_vdm_op ops[STEPS];
	struct tern_step steps[STEPS];
	struct tern_chain chain;
	struct tern_future_run run;
	ev_io watcher;
} relay;

static void next(void);

static int pass_on(struct tern_chain *chain, struct tern_step *step,
		   const struct tern_future *before)
{
	tern_vdm_prep_copy_crc32c(&relay.ops[PASS_ON], relay.vdm, relay.to, relay.from, relay.size,
				  0, 0);
	return 0;
}

static int sum(struct tern_chain *chain, struct tern_step *step, const struct tern_future *before)
{
	tern_vdm_prep_crc32c(&relay.ops[SUM], relay.vdm, relay.to, relay.size, 0, 0);
	return 0;
}

static void passed_on(struct tern_future *future, void *user)
{
	struct ev_loop *ev = user;

	relay.good += !future->result && relay.ops[PASS_ON].crc32c == relay.ops[SUM].crc32c;
	printf("crc32c %08" PRIx32 "\n", relay.ops[SUM].crc32c);
	if (--relay.left > 0)
		next();
	else
		ev_io_stop(ev, &relay.watcher);
}

static void next(void)
{
	tern_vdm_prep_memset(&relay.ops[FILL], relay.vdm, relay.from, relay.left, relay.size, 0);
	tern_chain_init(&relay.chain, relay.steps, STEPS);
	tern_future_run(&relay.run, relay.loop, &relay.chain.future, passed_on, ev_default_loop(0));
}

static int start(size_t size, int buffers, struct tern_pool *pool)
{
	struct ev_loop *ev = ev_default_loop(0);

	relay.size = size;
	relay.left = buffers;
	relay.from = malloc(size);
	relay.to = malloc(size);
	if (!relay.from || !relay.to || !ev || tern_loop_create_ev(&relay.loop, ev, NULL) ||
	    tern_vdm_pool_create(&relay.vdm, pool, NULL))
		return -1;
	for (int i = 0; i < STEPS; i++)
		relay.steps[i].future = &relay.ops[i].future;
	relay.steps[PASS_ON].map = pass_on;
	relay.steps[SUM].map = sum;
	ev_io_init(&relay.watcher, answer, to_loop[0], EV_READ);
	ev_io_start(ev, &relay.watcher);
	next();
	return 0;
}

/* Threads that copy have work enough to keep every CPU: the loop comes first. */
static void step_back(void *user)
{
	if (nice(10) == -1)
		perror("nice");
}

int main(int argc, char **argv)
{
	const struct tern_pool_opts opts = {.size = sizeof(opts), .thread_start = step_back};
	size_t size = (size_t)(argc > 1 ? atoi(argv[1]) : 256) << 20;
	int buffers = argc > 2 ? atoi(argv[2]) : 4;
	struct tern_pool *pool;

	if (start_probe() < 0 || tern_pool_create(&pool, &opts) || start(size, buffers, pool))
		return 1;
	ev_run(ev_default_loop(0), 0);
	close(to_loop[0]);
	close(from_loop[1]);
	wait(NULL);
	printf("%d of %d buffers of %zu MiB passed on\n", relay.good, buffers, relay.size >> 20);
	printf("%" PRIu64 " answers, the slowest after %.3f ms; the loop took %.3f ms of CPU\n",
	       seen->answers, (double)seen->longest_ns / 1e6,
	       (double)clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1e6);
	tern_vdm_pool_destroy(relay.vdm);
	tern_loop_destroy(relay.loop);
	tern_pool_destroy(pool);
	free(relay.from);
	free(relay.to);
	return relay.good == buffers ? 0 : 1;
}
