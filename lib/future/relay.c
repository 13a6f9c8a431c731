/* SPDX-License-Identifier: MIT */
/*
 * The relay: hold of it is hold of what it leads to, and the wake goes there directly. So once the
 * futures behind it are told nothing new, it is needed only while somebody is inside hold, which is
 * counted: above bit 0 of `inside`, which says that it is closed.
 *
 * A teller adds itself, then looks whether it is closed; who closes changes 0 into closed, or comes
 * again. It will: who is inside holds, and therefore wakes, the waker that is there.
 *
 * The waker changes, then the futures behind are polled, with the same relay. A teller that took
 * its first step (bell.c) after that poll's look at the word sees the new waker: store, look, step
 * and load are sequentially consistent. For one that took it before, the poll adds AGAIN, and it
 * holds once more.
 */
#include "relay.h"

#define CLOSED 1u
#define ONE    2u

static struct tern_waker *hold(struct tern_waker *waker)
{
	struct tern_relay *r = tern_container_of(waker, struct tern_relay, waker);
	struct tern_waker *to = NULL;

	if (!(tern__add_seq(&r->inside, ONE) & CLOSED)) {
		to = tern__load_seq(&r->to);
		if (to && to->hold)
			to = to->hold(to);
	}
	tern__sub_acq_rel(&r->inside, ONE); /* pairs with close: it has done with the waker */
	return to;
}

void tern__relay_init(struct tern_relay *r)
{
	*r = (struct tern_relay){.waker.hold = hold};
}

void tern__relay_lead(struct tern_relay *r, struct tern_waker *to)
{
	if (tern__load(&r->to) != to)
		tern__store_seq(&r->to, to);
}

bool tern__relay_close(struct tern_relay *r)
{
	uint32_t nobody = 0;

	return tern__cas_seq(&r->inside, &nobody, CLOSED);
}
