/* SPDX-License-Identifier: MIT */
/* What the parts of the drop-in share: lists of requests, and who carries them out. */
#ifndef TERN__COMPAT_UCW_H
#define TERN__COMPAT_UCW_H

#include <ucw/asio.h>

/* list.c: first in, first out */

void tern__asio_list_add(struct tern_compat_asio_list *list, struct asio_request *r);
/* The first, or NULL. */
struct asio_request *tern__asio_list_take(struct tern_compat_asio_list *list);

/* thread.c: the process' one thread and, if it is needed, pool; made for the first who asks */

struct asio_thread;

/* [any] Returns 0 or a negative errno. Gives the loop that the thread runs, too. */
int tern__asio_thread_get(struct asio_thread **ret, struct tern_loop **loop);
/* [any but the thread] [blocks] The last ends it. */
void tern__asio_thread_put(struct asio_thread *thread);
/* [the thread] A queue whose requests come home to the thread's loop. 0 or a negative errno. */
int tern__asio_thread_queue(struct asio_thread *thread, struct tern_io_queue **ret);

/* carrier.c: carries out the requests of one queue, in order */

/* [owner] Returns 0 or a negative errno. */
int tern__asio_carrier_create(struct tern_compat_asio_carrier **ret);
/* [owner] [blocks] Nothing is on its way. */
void tern__asio_carrier_destroy(struct tern_compat_asio_carrier *carrier);
/* [owner] The request, unless refused, is carried out when those before it are over. */
void tern__asio_carrier_add(struct tern_compat_asio_carrier *carrier, struct asio_request *r);
/* [owner] [blocks] The first that is over; one must be on its way. */
struct asio_request *tern__asio_carrier_take(struct tern_compat_asio_carrier *carrier);
/*
 * [owner, for a request that is with no carrier; the thread] When its turn has come, where a
 * write-back begins; and what came of it: bytes or -errno.
 */
void tern__asio_set_position(struct asio_request *r);
void tern__asio_set_result(struct asio_request *r, int64_t result);

#endif
