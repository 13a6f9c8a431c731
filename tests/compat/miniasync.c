/* SPDX-License-Identifier: MIT */
/* What the tests of <libminiasync.h> share. */
#include "miniasync.h"

char order[100];

enum future_state count_task(struct future_context *context, struct future_notifier *n)
{
	struct count_data *data = future_context_get_data(context);
	struct count_output *output = future_context_get_output(context);

	if (data->expects_bogus)
		ck_assert_ptr_eq(n, BOGUS);
	if (n && n != BOGUS && !data->silent) {
		data->waker = n->waker;
		n->notifier_used = data->says;
	}
	if (data->name && strlen(order) < sizeof(order) - 1)
		order[strlen(order)] = data->name;
	output->polls = atomic_bump(&data->polls);
	if (output->polls == 1 && data->polled)
		latch_arrive(data->polled);
	return output->polls >= atomic_get(&data->until) ? FUTURE_STATE_COMPLETE
							 : FUTURE_STATE_RUNNING;
}

int is_async(void *future, enum future_property property)
{
	return property == FUTURE_PROPERTY_ASYNC;
}

struct count_fut counting(unsigned until, char name)
{
	struct count_fut fut = {.data = {.until = until, .name = name}};

	FUTURE_INIT(&fut, count_task);
	return fut;
}
