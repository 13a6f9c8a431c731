/* SPDX-License-Identifier: MIT */
/*
 * Items that were submitted to no pool: they run on the thread that submitted them. On an ivykis
 * thread that is from one task for all of them, on a worker, which runs no loop of ivykis, when the
 * function that submitted them has returned.
 */
#include "private.h"

static __thread struct local {
	bool used;
	bool worker;
	struct iv_list_head items;
	struct iv_task task;
} local;

static void run_one(struct iv_work_item *item)
{
	bool completes = item->completion;

	item->work(item->cookie);
	if (completes) /* else it may be gone */
		item->completion(item->cookie);
}

/* What is added meanwhile waits for the next round: the list that it goes to is another one. */
static void run_round(void *cookie)
{
	struct local *l = cookie;
	struct iv_list_head round;

	INIT_IV_LIST_HEAD(&round);
	iv_list_splice_init(&l->items, &round);
	while (!iv_list_empty(&round)) {
		struct iv_list_head *first = round.next;

		iv_list_del(first);
		run_one(tern_container_of(first, struct iv_work_item, list));
	}
}

void tern__iv_local_submit(struct iv_work_item *item)
{
	struct local *l = &local;

	if (!l->used) {
		l->used = true;
		INIT_IV_LIST_HEAD(&l->items);
		if (!l->worker) {
			IV_TASK_INIT(&l->task);
			l->task.cookie = l;
			l->task.handler = run_round;
		}
	}
	if (!l->worker && iv_list_empty(&l->items))
		iv_task_register(&l->task);
	iv_list_add_tail(&item->list, &l->items);
}

void tern__iv_local_set_worker(void)
{
	local.worker = true;
}

bool tern__iv_local_is_worker(void)
{
	return local.worker;
}

void tern__iv_local_run(void)
{
	while (local.used && !iv_list_empty(&local.items))
		run_round(&local);
}
