/* SPDX-License-Identifier: MIT */
/*
 * The library loaded, used and unloaded a thousand times: after tern_pool_destroy no thread runs
 * its code any more. The first argument is its path.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <tern.h>
#include <unistd.h>

#define ROUNDS 1000
#define ITEMS  20

/* What of the library is used, found anew each time. */
static struct {
	int (*loop_create)(struct tern_loop **, const struct tern_loop_opts *);
	int (*loop_run)(struct tern_loop *);
	void (*loop_destroy)(struct tern_loop *);
	int (*pool_create)(struct tern_pool **, const struct tern_pool_opts *);
	void (*pool_destroy)(struct tern_pool *);
	void (*work_init)(struct tern_work *, tern_work_fn *, tern_work_fn *);
	void (*submit)(struct tern_pool *, struct tern_loop *, struct tern_work *);
	int (*trace_start)(const char *);
	void (*trace_stop)(void);
} tern;

static void *library;

static void find(void *function, const char *name)
{
	void *address = dlsym(library, name);

	if (!address) {
		fprintf(stderr, "%s: %s\n", name, dlerror());
		exit(EXIT_FAILURE);
	}
	*(void **)function = address;
}

static void find_all(void)
{
	find(&tern.loop_create, "tern_loop_create");
	find(&tern.loop_run, "tern_loop_run");
	find(&tern.loop_destroy, "tern_loop_destroy");
	find(&tern.pool_create, "tern_pool_create");
	find(&tern.pool_destroy, "tern_pool_destroy");
	find(&tern.work_init, "tern_work_init");
	find(&tern.submit, "tern_pool_submit");
	find(&tern.trace_start, "tern_trace_start");
	find(&tern.trace_stop, "tern_trace_stop");
}

static void run_nothing(struct tern_work *work)
{
}

static void count_done(struct tern_work *work)
{
	++*(unsigned *)work->user;
}

static void never_mind(void *user, tern_work_fn *run, void *item_user, uint32_t ms)
{
}

static unsigned use(unsigned round)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = round % 3 ? round % 3 : TERN_NONE,
		.threads_max = 4,
		.idle_ms_max = round % 2 ? TERN_NONE : 1,
		.run_ms_warn = round % 5 < 3 ? 1 : 0,
		.stuck = never_mind,
	};
	struct tern_work items[ITEMS];
	struct tern_loop *loop;
	struct tern_pool *pool;
	unsigned done = 0;

	if (round % 5 == 0 && tern.trace_start("/dev/null"))
		return 0;
	if (tern.loop_create(&loop, NULL) || tern.pool_create(&pool, &opts))
		return 0;
	for (int i = 0; i < ITEMS; i++) {
		tern.work_init(&items[i], run_nothing, count_done);
		items[i].user = &done;
		tern.submit(pool, loop, &items[i]);
	}
	if (round % 2)
		tern.loop_run(loop);
	tern.pool_destroy(pool);
	tern.loop_run(loop);
	tern.loop_destroy(loop);
	if (round % 5 == 0)
		tern.trace_stop();
	return done;
}

int main(int argc, char **argv)
{
	pid_t child;
	int status;

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned done;

		library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
		if (!library) {
			fprintf(stderr, "%s\n", dlerror());
			return EXIT_FAILURE;
		}
		find_all();
		done = use(round);
		if (done != ITEMS) {
			fprintf(stderr, "round %u: %u of %u came home\n", round, done, ITEMS);
			return EXIT_FAILURE;
		}
		if (dlclose(library)) {
			fprintf(stderr, "%s\n", dlerror());
			return EXIT_FAILURE;
		}
		if (dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD)) {
			fprintf(stderr, "the library stays loaded\n");
			return EXIT_FAILURE;
		}
	}
	/* nor does a fork find anything of it */
	child = fork();
	if (!child)
		_exit(EXIT_SUCCESS);
	if (waitpid(child, &status, 0) != child || status) {
		fprintf(stderr, "fork: status %d\n", status);
		return EXIT_FAILURE;
	}
	printf("%u rounds\n", ROUNDS);
	return EXIT_SUCCESS;
}
