/* SPDX-License-Identifier: MIT */
/* A loop on libev that cannot be had: what was refused is said, and nothing stays behind. */
#include <dirent.h>
#include <tern/ev.h>

#include "fault.h"
#include "harness.h"

static unsigned descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Fails with e; the libev loop is as it was, and nothing of tern's keeps it going. FAULT_KINDS:
 * no call fails. */
static void must_fail(struct ev_loop *ev, enum fault_kind kind, const struct tern_loop_opts *opts,
		      int e)
{
	struct tern_loop *const untouched = (struct tern_loop *)ev;
	struct tern_loop *loop = untouched;
	unsigned open = descriptors(), pending = ev_pending_count(ev);
	long memory = fault_memory();
	int got;

	/* check's calls are counted and refused, too: none of them in between */
	fault_arm(kind, 1, 1);
	got = tern_loop_create_ev(&loop, ev, opts);
	memory -= fault_memory();
	fault_disarm();
	ck_assert_int_eq(got, e);
	ck_assert_ptr_eq(loop, untouched);
	ck_assert_int_eq(memory, 0);
	ck_assert_uint_eq(descriptors(), open);
	ck_assert_uint_eq(ev_pending_count(ev), pending);
	ck_assert(!ev_run(ev, 0));
}

static void calls_fail(void)
{
	static const enum fault_kind kinds[] = {FAULT_MEMALIGN, FAULT_EVENTFD, FAULT_MALLOC};
	struct ev_loop *ev = ev_loop_new(0);
	struct tern_loop *loop;

	ck_assert_ptr_nonnull(ev);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		must_fail(ev, kinds[i], NULL, -fault_errno(kinds[i]));
		ck_assert_uint_eq(fault_hits(), 1);
	}
	ck_assert_int_eq(tern_loop_create_ev(&loop, ev, NULL), 0);
	ck_assert(!ev_run(ev, 0));
	tern_loop_destroy(loop);
	ev_loop_destroy(ev);
}

static void options_are_refused(void)
{
	struct {
		struct tern_loop_opts opts;
		unsigned newer;
	} longer = {.opts = {.size = sizeof(longer)}, .newer = 1};
	const struct tern_loop_opts bad = {.size = sizeof(bad), .batch_max = TERN_FOREVER};
	struct ev_loop *ev = ev_loop_new(0);

	ck_assert_ptr_nonnull(ev);
	must_fail(ev, FAULT_KINDS, &longer.opts, -E2BIG);
	must_fail(ev, FAULT_KINDS, &bad, -EINVAL);
	ev_loop_destroy(ev);
}

static const struct test tests[] = {
	{"what the system refuses fails, and nothing stays behind", calls_fail},
	{"options that are refused leave nothing behind", options_are_refused},
};

int main(int argc, char **argv)
{
	return run_tests("libev with faults", tests, COUNT(tests), argc, argv);
}
