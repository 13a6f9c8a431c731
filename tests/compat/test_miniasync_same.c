/* SPDX-License-Identifier: MIT */
/*
 * One chain twice: in the old API, and in that of <tern/future.h> and <tern/vdm.h>, on one pool.
 * Fill a buffer, write into its beginning, copy it, move a part over itself, sum it up: the memory
 * and the sum must be the same, whoever polls.
 */
#include "miniasync.h"

#define SIZE ((size_t)1 << 20)

struct buffers {
	char *a, *b;
	char head[1000];
	uint64_t sum;
};

static void buffers_init(struct buffers *m)
{
	m->a = calloc(1, SIZE);
	m->b = calloc(1, SIZE);
	for (unsigned i = 0; i < sizeof(m->head); i++)
		m->head[i] = (char)(i * i);
	m->sum = 0;
}

static void buffers_free(struct buffers *m)
{
	free(m->a);
	free(m->b);
}

static uint64_t sum_of(const char *memory)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < SIZE; i++)
		sum = sum * 31 + (unsigned char)memory[i];
	return sum;
}

/* the old one */

struct sum_data {
	const char *memory;
};

struct sum_output {
	uint64_t sum;
};

FUTURE(sum_fut, struct sum_data, struct sum_output);

static enum future_state sum_task(struct future_context *context, struct future_notifier *n)
{
	struct sum_data *data = future_context_get_data(context);
	struct sum_output *output = future_context_get_output(context);

	if (n)
		n->notifier_used = FUTURE_NOTIFIER_NONE;
	output->sum = sum_of(data->memory);
	return FUTURE_STATE_COMPLETE;
}

static struct sum_fut sum_new(void)
{
	struct sum_fut fut = {.data.memory = NULL};

	FUTURE_INIT(&fut, sum_task);
	return fut;
}

struct old_data {
	FUTURE_CHAIN_ENTRY(struct vdm_operation_future, fill);
	FUTURE_CHAIN_ENTRY(struct vdm_operation_future, write);
	FUTURE_CHAIN_ENTRY(struct vdm_operation_future, copy);
	FUTURE_CHAIN_ENTRY(struct vdm_operation_future, move);
	FUTURE_CHAIN_ENTRY_LAST(struct sum_fut, sum);
	struct vdm *vdm;
	struct buffers *buffers;
};

FUTURE(old_fut, struct old_data, struct sum_output);

static void init_move(void *future, struct future_context *chain, void *arg)
{
	struct old_data *data = future_context_get_data(chain);
	char *b = data->copy.fut.output.output.memcpy.dest;
	struct vdm_operation_future fut = vdm_memmove(data->vdm, b + 777, b, SIZE / 2, 0);

	memcpy(future, &fut, sizeof(fut));
}

static void move_to_sum(struct future_context *move, struct future_context *sum, void *arg)
{
	struct vdm_operation_output *output = future_context_get_output(move);
	struct sum_data *data = future_context_get_data(sum);

	ck_assert_int_eq(output->result, VDM_SUCCESS);
	data->memory = (char *)output->output.memmove.dest - 777;
}

static void sum_to_chain(struct future_context *sum, struct future_context *chain, void *arg)
{
	struct sum_output *from = future_context_get_output(sum);
	struct sum_output *to = future_context_get_output(chain);

	to->sum = from->sum;
}

static struct old_fut old_new(struct vdm *vdm, struct buffers *m)
{
	struct old_fut chain = {.output.sum = 0};

	FUTURE_CHAIN_ENTRY_INIT(&chain.data.fill, vdm_memset(vdm, m->a, 'q', SIZE, 0), NULL, NULL);
	FUTURE_CHAIN_ENTRY_INIT(&chain.data.write,
				vdm_memcpy(vdm, m->a, m->head, sizeof(m->head), 0), NULL, NULL);
	FUTURE_CHAIN_ENTRY_INIT(&chain.data.copy,
				vdm_memcpy(vdm, m->b, m->a, SIZE, VDM_F_NO_CACHE_HINT), NULL, NULL);
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&chain.data.move, init_move, NULL, move_to_sum, NULL);
	FUTURE_CHAIN_ENTRY_INIT(&chain.data.sum, sum_new(), sum_to_chain, NULL);
	chain.data.vdm = vdm;
	chain.data.buffers = m;
	FUTURE_CHAIN_INIT(&chain);
	return chain;
}

static void old_done(struct future *future, void *user)
{
	struct sum_output *output = future_context_get_output(&future->context);

	*(uint64_t *)user = output->sum;
}

static void run_old(struct buffers *m, struct tern_pool *pool, struct tern_loop *loop)
{
	struct data_mover_threads *dmt =
		tern_compat_miniasync_mover(pool, 4, FUTURE_NOTIFIER_WAKER);
	struct old_fut chain = old_new(data_mover_threads_get_vdm(dmt), m);

	if (loop) {
		struct tern_compat_miniasync_run run;

		ck_assert_int_eq(tern_compat_miniasync_run(&run, loop, FUTURE_AS_RUNNABLE(&chain),
							   old_done, &m->sum),
				 0);
		tern_loop_run(loop);
	} else {
		struct runtime *runtime = runtime_new();

		runtime_wait(runtime, FUTURE_AS_RUNNABLE(&chain));
		m->sum = FUTURE_OUTPUT(&chain)->sum;
		runtime_delete(runtime);
	}
	data_mover_threads_delete(dmt);
}

/* the new one */

struct sum_future {
	struct tern_future future;
	struct buffers *buffers;
};

static enum tern_future_state sum_poll(struct tern_future *future, struct tern_notifier *n)
{
	struct buffers *m = tern_container_of(future, struct sum_future, future)->buffers;

	m->sum = sum_of(m->b);
	return TERN_FUTURE_COMPLETE;
}

static const struct tern_future_ops sum_ops = {
	.size = sizeof(sum_ops),
	.poll = sum_poll,
};

static void note(struct tern_future *future, void *user)
{
	*(int64_t *)user = future->result;
}

static void run_new(struct buffers *m, struct tern_pool *pool, struct tern_loop *loop)
{
	struct tern_vdm *vdm;
	struct tern_vdm_op ops[4];
	struct sum_future sum = {.buffers = m};
	struct tern_step steps[] = {{.future = &ops[0].future},
				    {.future = &ops[1].future},
				    {.future = &ops[2].future},
				    {.future = &ops[3].future},
				    {.future = &sum.future}};
	struct tern_chain chain;
	int64_t result = -1;

	ck_assert_int_eq(tern_vdm_pool_create(&vdm, pool, NULL), 0);
	tern_vdm_prep_memset(&ops[0], vdm, m->a, 'q', SIZE, 0);
	tern_vdm_prep_memcpy(&ops[1], vdm, m->a, m->head, sizeof(m->head), 0);
	tern_vdm_prep_memcpy(&ops[2], vdm, m->b, m->a, SIZE,
			     vdm->capabilities & TERN_VDM_NO_CACHE_HINT);
	tern_vdm_prep_memmove(&ops[3], vdm, m->b + 777, m->b, SIZE / 2, 0);
	tern_future_init(&sum.future, &sum_ops);
	tern_chain_init(&chain, steps, COUNT(steps));
	if (loop) {
		struct tern_future_run run;

		ck_assert_int_eq(tern_future_run(&run, loop, &chain.future, note, &result), 0);
		tern_loop_run(loop);
	} else {
		result = tern_runtime_wait(&chain.future);
	}
	ck_assert_int_eq(result, 0);
	tern_vdm_pool_destroy(vdm);
}

static void check_same(struct tern_loop *loop)
{
	struct tern_pool *pool = pool_new(1, 2);
	struct buffers old, new;

	buffers_init(&old);
	buffers_init(&new);
	run_old(&old, pool, loop);
	run_new(&new, pool, loop);
	ck_assert_uint_ne(old.sum, 0);
	ck_assert_uint_eq(old.sum, new.sum);
	ck_assert(!memcmp(old.a, new.a, SIZE));
	ck_assert(!memcmp(old.b, new.b, SIZE));
	ck_assert_int_eq(old.b[777], old.head[0]);
	ck_assert_int_eq(old.b[SIZE - 1], 'q');
	buffers_free(&old);
	buffers_free(&new);
	tern_pool_destroy(pool);
}

static void waited_for(void)
{
	check_same(NULL);
}

static void on_a_loop(void)
{
	struct tern_loop *loop = loop_new();

	check_same(loop);
	tern_loop_destroy(loop);
}

static const struct test tests[] = {
	{"the old chain and the new one come to the same, waited for", waited_for},
	{"the old chain and the new one come to the same, on a loop", on_a_loop},
};

int main(int argc, char **argv)
{
	return run_tests("<libminiasync.h>: as <tern/future.h>", tests, COUNT(tests), argc, argv);
}
