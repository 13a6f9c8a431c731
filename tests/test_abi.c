/* SPDX-License-Identifier: MIT */
/* Sizes and offsets that programs compiled against this soname rely on. */
#include <stdio.h>
#include <tern/vdm.h>

#include "harness.h"

#define SAME(type, member, offset)                                                                 \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member)

_Static_assert(sizeof(struct tern_work) <= 80, "a work item has at most 80 bytes");

#ifdef __LP64__
_Static_assert(sizeof(struct tern_node) == 32, "node");
SAME(tern_node, next, 0);
SAME(tern_node, prev, 8);
SAME(tern_node, home, 16);
SAME(tern_node, deliver, 24);

_Static_assert(sizeof(struct tern_work) == 80, "work");
SAME(tern_work, run, 0);
SAME(tern_work, done, 8);
SAME(tern_work, user, 16);
SAME(tern_work, status, 24);
SAME(tern_work, priority, 28);
SAME(tern_work, state, 29);
SAME(tern_work, node, 32);
SAME(tern_work, owner, 64);
SAME(tern_work, since_ns, 72);

_Static_assert(sizeof(struct tern_post) == 48, "post");
SAME(tern_post, fn, 0);
SAME(tern_post, user, 8);
SAME(tern_post, node, 16);

_Static_assert(sizeof(struct tern_timer) == 56, "timer");
SAME(tern_timer, fn, 0);
SAME(tern_timer, user, 8);
SAME(tern_timer, loop, 16);
SAME(tern_timer, deadline_ns, 24);
SAME(tern_timer, parent, 32);
SAME(tern_timer, child, 40);

_Static_assert(sizeof(struct tern_loop_opts) == 24, "loop options");
SAME(tern_loop_opts, batch_max, 8);
SAME(tern_loop_opts, spin_us_max, 12);
SAME(tern_loop_opts, coalesce_us_max, 16);

_Static_assert(sizeof(struct tern_loop_binding) == 24, "binding");
SAME(tern_loop_binding, alive, 8);
SAME(tern_loop_binding, destroy, 16);

_Static_assert(sizeof(struct tern_pool_opts) == 112, "pool options");
SAME(tern_pool_opts, threads_min, 8);
SAME(tern_pool_opts, threads_max, 12);
SAME(tern_pool_opts, idle_ms_max, 16);
SAME(tern_pool_opts, spin_us_max, 20);
SAME(tern_pool_opts, wait_ms_max, 24);
SAME(tern_pool_opts, queue_max, 28);
SAME(tern_pool_opts, name, 32);
SAME(tern_pool_opts, stack_size, 40);
SAME(tern_pool_opts, affinity, 48);
SAME(tern_pool_opts, affinity_size, 56);
SAME(tern_pool_opts, thread_start, 64);
SAME(tern_pool_opts, thread_stop, 72);
SAME(tern_pool_opts, gone, 80);
SAME(tern_pool_opts, user, 88);
SAME(tern_pool_opts, blocking_max, 96);
SAME(tern_pool_opts, run_ms_warn, 100);
SAME(tern_pool_opts, stuck, 104);

_Static_assert(sizeof(struct tern_lane_opts) == 24, "lane options");
SAME(tern_lane_opts, running_max, 8);
SAME(tern_lane_opts, wait_ms_max, 12);
SAME(tern_lane_opts, name, 16);

_Static_assert(sizeof(struct tern_pool_stats) == 2216, "statistics");
SAME(tern_pool_stats, threads, 8);
SAME(tern_pool_stats, idle, 12);
SAME(tern_pool_stats, threads_peak, 16);
SAME(tern_pool_stats, queued, 20);
SAME(tern_pool_stats, started, 24);
SAME(tern_pool_stats, canceled, 32);
SAME(tern_pool_stats, timed_out, 40);
SAME(tern_pool_stats, threads_created, 48);
SAME(tern_pool_stats, threads_exited, 56);
SAME(tern_pool_stats, threads_failed, 64);
SAME(tern_pool_stats, wakes, 72);
SAME(tern_pool_stats, running, 80);
SAME(tern_pool_stats, sample, 84);
SAME(tern_pool_stats, searches_paid, 88);
SAME(tern_pool_stats, searches_failed, 96);
SAME(tern_pool_stats, wait, 104);
SAME(tern_pool_stats, run, 1160);

_Static_assert(sizeof(struct tern_lane_stats) == 2152, "statistics of a lane");
SAME(tern_lane_stats, queued, 8);
SAME(tern_lane_stats, running, 12);
SAME(tern_lane_stats, started, 16);
SAME(tern_lane_stats, canceled, 24);
SAME(tern_lane_stats, timed_out, 32);
SAME(tern_lane_stats, wait, 40);
SAME(tern_lane_stats, run, 1096);

_Static_assert(sizeof(struct tern_histogram) == 1056, "histogram");
SAME(tern_histogram, count, 0);
SAME(tern_histogram, measured, 8);
SAME(tern_histogram, sum_ns, 16);
SAME(tern_histogram, longest_ns, 24);
SAME(tern_histogram, buckets, 32);

_Static_assert(sizeof(struct tern_io_file) == 24, "file");
SAME(tern_io_file, direct, 4);
SAME(tern_io_file, seekable, 5);
SAME(tern_io_file, appends, 6);
SAME(tern_io_file, memory_align, 8);
SAME(tern_io_file, offset_align, 12);
SAME(tern_io_file, why, 16);
SAME(tern_io_file, registered, 20);

_Static_assert(sizeof(struct tern_io) == 248, "request");
SAME(tern_io, op, 0);
SAME(tern_io, flags, 1);
SAME(tern_io, iov_count, 4);
SAME(tern_io, file, 8);
SAME(tern_io, offset, 32);
SAME(tern_io, length, 40);
SAME(tern_io, buffer, 48);
SAME(tern_io, iov, 56);
SAME(tern_io, done, 64);
SAME(tern_io, user, 72);
SAME(tern_io, deadline_ns, 80);
SAME(tern_io, result, 88);
SAME(tern_io, refused, 96);

_Static_assert(sizeof(struct tern_io_error) == 32, "error of a write-back");
SAME(tern_io_error, offset, 8);
SAME(tern_io_error, length, 16);
SAME(tern_io_error, error, 24);

_Static_assert(sizeof(struct tern_io_opts) == 80, "I/O options");
SAME(tern_io_opts, depth, 8);
SAME(tern_io_opts, requests_max, 12);
SAME(tern_io_opts, buffer_size, 16);
SAME(tern_io_opts, writebacks_max, 20);
SAME(tern_io_opts, ordered, 24);
SAME(tern_io_opts, stop_on_error, 25);
SAME(tern_io_opts, engine, 32);
SAME(tern_io_opts, fallback, 40);
SAME(tern_io_opts, write_error, 48);
SAME(tern_io_opts, late, 56);
SAME(tern_io_opts, room, 64);
SAME(tern_io_opts, user, 72);

_Static_assert(sizeof(struct tern_io_stats) == 10624, "I/O statistics");
SAME(tern_io_stats, outstanding, 8);
SAME(tern_io_stats, writebacks, 12);
SAME(tern_io_stats, submitted, 16);
SAME(tern_io_stats, failed, 24);
SAME(tern_io_stats, canceled, 32);
SAME(tern_io_stats, late, 40);
SAME(tern_io_stats, bytes_read, 48);
SAME(tern_io_stats, bytes_written, 56);
SAME(tern_io_stats, latency, 64);

_Static_assert(sizeof(struct tern_io_engine) == 112, "engine");
SAME(tern_io_engine, name, 8);
SAME(tern_io_engine, request_size, 16);
SAME(tern_io_engine, user, 24);
SAME(tern_io_engine, running_max, 32);
SAME(tern_io_engine, open, 40);
SAME(tern_io_engine, close, 48);
SAME(tern_io_engine, start, 56);
SAME(tern_io_engine, flush, 64);
SAME(tern_io_engine, reap, 72);
SAME(tern_io_engine, ready, 80);
SAME(tern_io_engine, wait, 88);
SAME(tern_io_engine, cancel, 96);
SAME(tern_io_engine, keep, 104);

_Static_assert(sizeof(struct tern_io_engine_params) == 48, "what an engine is told");
SAME(tern_io_engine_params, home, 8);
SAME(tern_io_engine_params, depth, 16);
SAME(tern_io_engine_params, buffers, 24);
SAME(tern_io_engine_params, buffers_size, 32);
SAME(tern_io_engine_params, wake_fd, 40);

_Static_assert(sizeof(struct tern_io_piece) == 56, "piece");
SAME(tern_io_piece, op, 0);
SAME(tern_io_piece, durable, 1);
SAME(tern_io_piece, blocking, 2);
SAME(tern_io_piece, fd, 4);
SAME(tern_io_piece, slot, 8);
SAME(tern_io_piece, offset, 16);
SAME(tern_io_piece, length, 24);
SAME(tern_io_piece, buffer, 32);
SAME(tern_io_piece, iov, 40);
SAME(tern_io_piece, iov_count, 48);

_Static_assert(sizeof(struct tern_future) == 32, "future");
SAME(tern_future, result, 0);
SAME(tern_future, state, 8);

_Static_assert(sizeof(struct tern_future_ops) == 32, "kind of future");
SAME(tern_future_ops, poll, 8);
SAME(tern_future_ops, cancel, 16);
SAME(tern_future_ops, has_property, 24);

_Static_assert(sizeof(struct tern_waker) == 16, "waker");
SAME(tern_waker, hold, 0);
SAME(tern_waker, wake, 8);

_Static_assert(sizeof(struct tern_notifier) == 48, "notifier");
SAME(tern_notifier, waker, 0);
SAME(tern_notifier, home, 8);
SAME(tern_notifier, used, 16);
SAME(tern_notifier, monitor, 24);
SAME(tern_notifier, seen, 32);
SAME(tern_notifier, deadline_ns, 40);

_Static_assert(sizeof(struct tern_future_run) == 176, "run");

_Static_assert(sizeof(struct tern_step) == 32, "step");
SAME(tern_step, future, 0);
SAME(tern_step, map, 8);
SAME(tern_step, user, 16);
SAME(tern_step, always, 24);

_Static_assert(sizeof(struct tern_chain) == 80, "chain");
SAME(tern_chain, future, 0);
SAME(tern_chain, steps, 32);
SAME(tern_chain, count, 40);
SAME(tern_chain, user, 48);
SAME(tern_chain, at, 56);

_Static_assert(sizeof(struct tern_join) == 80, "join");
SAME(tern_join, future, 0);
SAME(tern_join, of, 32);
SAME(tern_join, count, 40);
SAME(tern_join, stop_on_error, 48);
SAME(tern_join, left, 56);

_Static_assert(sizeof(struct tern_select) == 128, "select");
SAME(tern_select, future, 0);
SAME(tern_select, released, 32);
SAME(tern_select, of, 64);
SAME(tern_select, count, 72);
SAME(tern_select, winner, 80);

_Static_assert(sizeof(struct tern_delay) == 48, "delay");
SAME(tern_delay, delay_ns, 32);

_Static_assert(sizeof(struct tern_timeout) == 224, "timeout");
SAME(tern_timeout, select, 32);

_Static_assert(sizeof(struct tern_retry) == 144, "retry");
SAME(tern_retry, future, 0);
SAME(tern_retry, prepare, 32);
SAME(tern_retry, user, 40);
SAME(tern_retry, of, 48);
SAME(tern_retry, attempts_max, 56);
SAME(tern_retry, pause_ns, 64);
SAME(tern_retry, pause_ns_max, 72);
SAME(tern_retry, failed, 80);

_Static_assert(sizeof(struct tern_io_future) == 40, "request as a future");
SAME(tern_io_future, io, 32);

_Static_assert(sizeof(struct tern_work_future) == 136, "work as a future");
SAME(tern_work_future, work, 32);
SAME(tern_work_future, pool, 112);
SAME(tern_work_future, run, 120);

_Static_assert(sizeof(struct tern_resolve_future) == 176, "lookup as a future");
SAME(tern_resolve_future, work, 0);
SAME(tern_resolve_future, node, 136);
SAME(tern_resolve_future, service, 144);
SAME(tern_resolve_future, hints, 152);
SAME(tern_resolve_future, result, 160);
SAME(tern_resolve_future, error, 168);

_Static_assert(sizeof(struct tern_vdm_op) == 104, "operation of a mover");
SAME(tern_vdm_op, future, 0);
SAME(tern_vdm_op, vdm, 32);
SAME(tern_vdm_op, type, 40);
SAME(tern_vdm_op, crc32c, 44);
SAME(tern_vdm_op, flags, 48);
SAME(tern_vdm_op, dest, 56);
SAME(tern_vdm_op, src, 64);
SAME(tern_vdm_op, n, 72);
SAME(tern_vdm_op, value, 80);
SAME(tern_vdm_op, data, 88);

_Static_assert(sizeof(struct tern_vdm) == 80, "mover");
SAME(tern_vdm, name, 8);
SAME(tern_vdm, operations, 16);
SAME(tern_vdm, capabilities, 24);
SAME(tern_vdm, op_new, 32);
SAME(tern_vdm, op_delete, 40);
SAME(tern_vdm, op_start, 48);
SAME(tern_vdm, op_check, 56);
SAME(tern_vdm, op_cancel, 64);
SAME(tern_vdm, has_property, 72);

_Static_assert(sizeof(struct tern_vdm_pool_opts) == 48, "options of a mover on a pool");
SAME(tern_vdm_pool_opts, ring_size, 8);
SAME(tern_vdm_pool_opts, operations_max, 12);
SAME(tern_vdm_pool_opts, threads, 16);
SAME(tern_vdm_pool_opts, memcpy_fn, 24);
SAME(tern_vdm_pool_opts, memmove_fn, 32);
SAME(tern_vdm_pool_opts, memset_fn, 40);
#endif

static void items_are_small(void)
{
	ck_assert_uint_le(sizeof(struct tern_work), 80);
}

static void none_and_forever(void)
{
	ck_assert_uint_eq(TERN_NONE, UINT32_MAX - 1);
	ck_assert_uint_eq(TERN_FOREVER, UINT32_MAX);
}

static void container_of(void)
{
	struct job job;

	ck_assert_ptr_eq(tern_container_of(&job.work.node, struct job, work.node), &job);
}

static const struct test tests[] = {
	{"items have the size that was promised", items_are_small},
	{"TERN_NONE and TERN_FOREVER", none_and_forever},
	{"tern_container_of", container_of},
};

int main(int argc, char **argv)
{
	return run_tests("abi", tests, COUNT(tests), argc, argv);
}
