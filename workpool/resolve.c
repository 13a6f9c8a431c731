/* SPDX-License-Identifier: MIT */
/* Names to addresses: getaddrinfo(3) as a work item. */
#include <errno.h>
#include <tern/resolve.h>

#include "../lib/base/fatal.h"

static struct tern_resolve *resolve_of(struct tern_work *work)
{
	return tern_container_of(work, struct tern_resolve, work);
}

static void look_up(struct tern_work *work)
{
	struct tern_resolve *r = resolve_of(work);

	r->error = getaddrinfo(r->node, r->service, r->hints, &r->result);
	r->system_error = r->error == EAI_SYSTEM ? errno : 0;
}

static void tell(struct tern_work *work)
{
	struct tern_resolve *r = resolve_of(work);

	if (work->status) {
		r->error = EAI_SYSTEM;
		r->system_error = -work->status;
	}
	/* where it fails, what it leaves there is not defined */
	if (r->error)
		r->result = NULL;
	r->done(r);
}

void tern_resolve_init(struct tern_resolve *r, tern_resolve_fn *done)
{
	*r = (struct tern_resolve){.done = done};
	tern_work_init(&r->work, look_up, tell);
}

void tern_resolve(struct tern_pool *p, struct tern_loop *home, struct tern_resolve *r)
{
	if (!r->done)
		tern__fatal("tern_resolve", "lookup %p has no done function", (void *)r);
	tern_pool_submit(p, home, &r->work);
}
