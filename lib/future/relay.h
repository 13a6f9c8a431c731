/* SPDX-License-Identifier: MIT */
/*
 * A relay stands between futures that are not over and somebody who will not wait for them: it
 * leads their wakes to a waker that may go earlier than they do.
 */
#ifndef TERN__RELAY_H
#define TERN__RELAY_H

#include "future.h"

void tern__relay_init(struct tern_relay *relay);

/* [poller] Where it leads from now on; before the futures behind it are polled with it. */
void tern__relay_lead(struct tern_relay *relay, struct tern_waker *to);

/*
 * [poller] From here on it leads to nobody, and nobody has to do with the waker that was there.
 * False: somebody has just now, and the waker will be woken after this.
 */
bool tern__relay_close(struct tern_relay *relay);

#endif
