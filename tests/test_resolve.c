/* SPDX-License-Identifier: MIT */
/* Lookups: what getaddrinfo says, and that a name server that does not answer stops nobody else. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "harness.h"
#include "wrapped.h"

#define LOOKUPS 8
#define CAP	2

/* What takes the place of the C library's in this program (see meson.build). */
WRAPPED(int, getaddrinfo, const char *node, const char *service, const struct addrinfo *hints,
	struct addrinfo **result);

static struct latch silence;
static unsigned asked;

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **result)
{
	if (node && !strcmp(node, "silent.example")) {
		atomic_bump(&asked);
		latch_wait(&silence);
		return EAI_AGAIN;
	}
	if (node && !strcmp(node, "broken.example")) {
		*result = (struct addrinfo *)&silence; /* where it fails, anything may be there */
		errno = EMFILE;
		return EAI_SYSTEM;
	}
	return __real_getaddrinfo(node, service, hints, result);
}

static unsigned dones;

static void count(struct tern_resolve *resolve)
{
	dones++;
}

static void prepare(struct tern_resolve *resolve, const char *node)
{
	tern_resolve_init(resolve, count);
	resolve->node = node;
}

static void numbers_are_addresses(void)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_family = AF_INET,
				       .ai_socktype = SOCK_STREAM};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_resolve resolve;
	const struct sockaddr_in *in;

	/* the same one twice */
	prepare(&resolve, "192.0.2.7");
	resolve.service = "8080";
	resolve.hints = &hints;
	for (unsigned i = 0; i < 2; i++) {
		tern_resolve(pool, loop, &resolve);
		ck_assert_uint_eq(dones, i);
		ck_assert_int_eq(tern_loop_run(loop), 0);
		ck_assert_uint_eq(dones, i + 1);
		ck_assert_int_eq(resolve.error, 0);
		ck_assert_ptr_nonnull(resolve.result);
		in = (const void *)resolve.result->ai_addr;
		ck_assert_int_eq(in->sin_family, AF_INET);
		ck_assert_uint_eq(ntohs(in->sin_port), 8080);
		ck_assert_uint_eq(ntohl(in->sin_addr.s_addr), 0xc0000207);
		freeaddrinfo(resolve.result);
	}
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void what_fails_says_why(void)
{
	const struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_resolve nobody, nothing, broken;

	prepare(&nobody, "no.number");
	nobody.hints = &numeric;
	prepare(&nothing, NULL);
	prepare(&broken, "broken.example");
	tern_resolve(pool, loop, &nobody);
	tern_resolve(pool, loop, &nothing);
	tern_resolve(pool, loop, &broken);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(dones, 3);
	ck_assert_int_eq(nobody.error, EAI_NONAME);
	ck_assert_int_eq(nothing.error, EAI_NONAME);
	ck_assert_int_eq(broken.error, EAI_SYSTEM);
	ck_assert_int_eq(broken.system_error, EMFILE);
	ck_assert_ptr_null(broken.result);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static bool are_asked(void *arg)
{
	return atomic_get(&asked) == CAP;
}

static void a_silent_server_stops_nobody_else(void)
{
	const struct tern_lane_opts opts = {.size = sizeof(opts), .running_max = CAP};
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, CAP + 1);
	struct tern_resolve lookups[LOOKUPS];
	struct tern_lane *lane;

	latch_init(&silence, 1);
	ck_assert_int_eq(tern_lane_create(&lane, pool, &opts), 0);
	for (unsigned i = 0; i < LOOKUPS; i++) {
		prepare(&lookups[i], "silent.example");
		tern_work_set_lane(&lookups[i].work, lane);
		tern_resolve(pool, loop, &lookups[i]);
	}
	loop_until(loop, are_asked, NULL);
	for (unsigned i = 0; i < 100; i++) {
		struct job job;

		job_init(&job);
		tern_pool_submit(pool, loop, &job.work);
		while (!job.dones) {
			tern_loop_prepare(loop);
			tern_loop_dispatch(loop, 0);
		}
	}
	ck_assert_uint_eq(dones, 0);
	ck_assert(tern_work_cancel(&lookups[LOOKUPS - 1].work));
	latch_arrive(&silence);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(dones, LOOKUPS);
	for (unsigned i = 0; i < LOOKUPS - 1; i++)
		ck_assert_int_eq(lookups[i].error, EAI_AGAIN);
	ck_assert_int_eq(lookups[LOOKUPS - 1].error, EAI_SYSTEM);
	ck_assert_int_eq(lookups[LOOKUPS - 1].system_error, ECANCELED);
	ck_assert_uint_eq(asked, LOOKUPS - 1);
	tern_lane_put(lane);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void what_waited_too_long_is_not_asked(void)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts), .threads_max = 1, .wait_ms_max = 1};
	struct tern_loop *loop = loop_new();
	struct latch arrived, go;
	struct tern_resolve resolve;
	struct tern_pool *pool;
	struct job first;
	uint64_t end;

	ck_assert_int_eq(tern_pool_create(&pool, &opts), 0);
	latch_init(&arrived, 1);
	latch_init(&go, 1);
	job_init(&first);
	first.work.done = NULL; /* so that it runs however late */
	first.arrives = &arrived;
	first.waits = &go;
	tern_pool_submit(pool, NULL, &first.work);
	latch_wait(&arrived);
	prepare(&resolve, "silent.example");
	tern_resolve(pool, loop, &resolve);
	end = now_ns() + 3000000;
	loop_until(loop, is_past, &end);
	latch_arrive(&go);
	ck_assert_int_eq(tern_loop_run(loop), 0);
	ck_assert_uint_eq(dones, 1);
	ck_assert_uint_eq(asked, 0);
	ck_assert_int_eq(resolve.error, EAI_SYSTEM);
	ck_assert_int_eq(resolve.system_error, ETIMEDOUT);
	ck_assert_ptr_null(resolve.result);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
}

static void nobody_to_tell(void)
{
	struct tern_loop *loop = loop_new();
	struct tern_pool *pool = pool_new(1, 1);
	struct tern_resolve resolve;

	tern_resolve_init(&resolve, NULL);
	expect_fatal("tern_resolve", &resolve);
	tern_resolve(pool, loop, &resolve);
}

static const struct test tests[] = {
	{"numbers are addresses", numbers_are_addresses},
	{"what fails says why", what_fails_says_why},
	{"a silent server stops nobody else", a_silent_server_stops_nobody_else},
	{"what waited too long is not asked", what_waited_too_long_is_not_asked},
	{"fatal: nobody to tell", nobody_to_tell},
};

int main(int argc, char **argv)
{
	return run_tests("resolve", tests, COUNT(tests), argc, argv);
}
