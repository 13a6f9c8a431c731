/* SPDX-License-Identifier: MIT */
/*
 * Mover: a data mover of the program's own. A device (here a thread) carries out what stands in its
 * ring, which has room for four operations; those that find it full stand in line, and are woken.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern.h>

#define RING   4
#define BLOCKS 64
#define BLOCK  10000

/* What the device keeps of an operation, from op_new to op_delete. */
struct order {
	struct order *next;
	struct tern_vdm_op *op;
	bool in_line;
};

struct device {
	struct tern_vdm vdm;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct order *ring[RING];
	unsigned int first, count, most;
	struct order *line, **line_end;
	bool stop;
};

static int op_new(struct tern_vdm *vdm, struct tern_vdm_op *op)
{
	struct order *order = calloc(1, sizeof(*order));

	if (!order)
		return -ENOMEM;
	order->op = op;
	op->data = order;
	return 0;
}

static void op_delete(struct tern_vdm *vdm, struct tern_vdm_op *op)
{
	free(op->data);
}

static void stand_in_line(struct device *d, struct order *order)
{
	order->in_line = true;
	order->next = NULL;
	*d->line_end = order;
	d->line_end = &order->next;
}

static void leave_line(struct device *d, struct order *order)
{
	struct order **at = &d->line;

	while (*at != order)
		at = &(*at)->next;
	*at = order->next;
	if (!*at)
		d->line_end = at;
	order->in_line = false;
}

/* Whoever stands in line may be polled all the same, so this be called again. */
static int op_start(struct tern_vdm *vdm, struct tern_vdm_op *op, struct tern_notifier *notifier)
{
	struct device *d = tern_container_of(vdm, struct device, vdm);
	struct order *order = op->data;
	bool room;

	pthread_mutex_lock(&d->lock);
	room = d->count < RING && !order->in_line;
	if (room) {
		d->ring[(d->first + d->count++) % RING] = order;
		if (d->count > d->most)
			d->most = d->count;
		pthread_cond_signal(&d->more);
	} else if (!order->in_line) {
		stand_in_line(d, order);
	}
	pthread_mutex_unlock(&d->lock);
	return room ? 0 : -EAGAIN;
}

/* One in the ring comes to its end by itself; one in line has not begun. */
static bool op_cancel(struct tern_vdm *vdm, struct tern_vdm_op *op)
{
	struct device *d = tern_container_of(vdm, struct device, vdm);
	struct order *order = op->data;
	bool in_line;

	pthread_mutex_lock(&d->lock);
	in_line = order->in_line;
	if (in_line)
		leave_line(d, order);
	pthread_mutex_unlock(&d->lock);
	return in_line;
}

/*
 * The wake is called with the lock held: once the order has left the line and the lock is free, the
 * operation may come to its end, and be gone. The completion is the last touch of its operation.
 */
static void *run_device(void *arg)
{
	struct device *d = arg;

	pthread_mutex_lock(&d->lock);
	while (!d->stop || d->count) {
		struct tern_vdm_op *op;
		struct order *next;

		if (!d->count) {
			pthread_cond_wait(&d->more, &d->lock);
			continue;
		}
		op = d->ring[d->first]->op;
		pthread_mutex_unlock(&d->lock);
		memcpy(op->dest, op->src, op->n);
		tern_future_complete(&op->future, 0);
		pthread_mutex_lock(&d->lock);
		d->first = (d->first + 1) % RING;
		d->count--;
		next = d->line;
		if (next) {
			leave_line(d, next);
			tern_future_wake(&next->op->future);
		}
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static struct device device = {
	.vdm = {.size = sizeof(device.vdm),
		.name = "device",
		.operations = 1 << TERN_VDM_MEMCPY,
		.op_new = op_new,
		.op_delete = op_delete,
		.op_start = op_start,
		.op_cancel = op_cancel},
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER,
	.line_end = &device.line,
};

static char from[BLOCKS][BLOCK], to[BLOCKS][BLOCK];
static struct tern_vdm_op ops[BLOCKS];
static struct tern_future *futures[BLOCKS];

static void copied(struct tern_future *future, void *user)
{
	*(bool *)user = future->result == 0 && memcmp(from, to, sizeof(from)) == 0;
}

int main(void)
{
	struct tern_future_run run;
	struct tern_join all;
	struct tern_loop *loop;
	pthread_t thread;
	bool good = false;

	if (tern_loop_create(&loop, NULL) || pthread_create(&thread, NULL, run_device, &device))
		return 1;
	for (int i = 0; i < BLOCKS; i++) {
		memset(from[i], i, BLOCK);
		tern_vdm_prep_memcpy(&ops[i], &device.vdm, to[i], from[i], BLOCK, 0);
		futures[i] = &ops[i].future;
	}
	tern_join_init(&all, futures, BLOCKS);
	tern_future_run(&run, loop, &all.future, copied, &good);
	tern_loop_run(loop);
	tern_loop_destroy(loop);

	pthread_mutex_lock(&device.lock);
	device.stop = true;
	pthread_cond_signal(&device.more);
	pthread_mutex_unlock(&device.lock);
	pthread_join(thread, NULL);
	printf("%d blocks %s by the %s, at most %u at once\n", BLOCKS,
	       good ? "copied" : "not copied", device.vdm.name, device.most);
	return good ? 0 : 1;
}
