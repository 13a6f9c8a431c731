/* SPDX-License-Identifier: MIT */
/* What the tests of <libminiasync.h> share: a future that does as it is told, and keeps account. */
#ifndef TERN_TESTS_MINIASYNC_H
#define TERN_TESTS_MINIASYNC_H

#include "../harness.h"

#include <libminiasync-vdm-dml.h>
#include <libminiasync.h>

#ifndef TERN_COMPAT_MINIASYNC_H
#error this is not the drop-in
#endif

/* A notifier that may be passed on, and not looked at. */
#define BOGUS ((struct future_notifier *)(uintptr_t)0xdead)

/* A future that is complete at its n-th poll. */
struct count_data {
	unsigned polls, until;
	enum future_notifier_type says;
	bool silent; /* says nothing */
	bool expects_bogus;
	struct future_waker waker; /* of the latest poll */
	struct latch *polled;	   /* told by the first; may be NULL */
	char name;		   /* for order; 0: none */
};

struct count_output {
	unsigned polls;
};

FUTURE(count_fut, struct count_data, struct count_output);

/* The names of those that were polled. */
extern char order[100];

struct count_fut counting(unsigned until, char name);
enum future_state count_task(struct future_context *context, struct future_notifier *n);
int is_async(void *future, enum future_property property);

#endif
