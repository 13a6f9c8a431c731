/* SPDX-License-Identifier: MIT */
/* Lists of requests: first in, first out. */
#include "private.h"

void tern__asio_list_add(struct tern_compat_asio_list *list, struct asio_request *r)
{
	r->work.next = NULL;
	if (list->first)
		list->last->work.next = r;
	else
		list->first = r;
	list->last = r;
}

struct asio_request *tern__asio_list_take(struct tern_compat_asio_list *list)
{
	struct asio_request *r = list->first;

	if (r)
		list->first = r->work.next;
	return r;
}
