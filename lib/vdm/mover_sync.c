/* SPDX-License-Identifier: MIT */
/* The mover that does all inside the first poll. */
#include <pthread.h>

#include "vdm.h"

static const struct tern__vdm_fns none;

static int start_here(struct tern_vdm *vdm, struct tern_vdm_op *op, struct tern_notifier *n)
{
	tern__vdm_carry_here(&none, op);
	return 0;
}

static struct tern_vdm sync_mover = {
	.size = sizeof(sync_mover),
	.name = "sync",
	.op_start = start_here,
};

static void prepare(void)
{
	tern__vdm_cpu_read();
	sync_mover.operations = tern__vdm_operations();
	sync_mover.capabilities = tern__vdm_capabilities();
}

struct tern_vdm *tern_vdm_sync(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, prepare);
	return &sync_mover;
}
