/* SPDX-License-Identifier: MIT */
/*
 * The bell of a future: how the thread on which something comes to its end tells the thread that
 * waits for it, though that one may find out by itself and free everything at any moment.
 *
 * One word holds the latest waker, and what is being done with it:
 *
 *	W		a poller has attached waker W (0: none), and nobody is telling it anything
 *	W|HELD		a teller has come, and is about to hold W
 *	W|HELD|AGAIN	meanwhile a poll came: the teller does it once more
 *	...|END		what is told is the completion: one of those that came has brought it
 *	END		the future is complete
 *
 *	teller		W -> W|HELD; hold W; W|HELD -> W or END; wake what was held
 *			W|HELD -> the same, or with END; then it may go
 *	poller		W -> its own waker, with AGAIN where it finds HELD; complete if it finds END
 *			alone
 *
 * Why a wake touches nothing that has been freed: a waker lives until the future is complete. It is
 * so for pollers only when the word is END alone. A teller holds W between its first step, before
 * which the word was not END, and its second, so while no poller can find it complete. From the
 * hold on the owner of W waits for the wake, complete or not (see the wakes in future.h). After its
 * second step the teller touches neither the future nor any waker but the held one.
 *
 * Why none is lost: all steps are read-modify-writes of one word, so they have an order. Whatever a
 * teller has to tell was written before its first step. A poll whose look at the word comes after
 * the second step sees that. One before the first step has left its waker there to be held. One in
 * between adds AGAIN, even if the waker is the same, for that may lead elsewhere by now (relay.c):
 * so the second step fails, what was held is woken, which harms nobody, and the teller holds what
 * is there now. A poll that finds its own waker and no HELD need not write: its waker is there to
 * be held by all who come later. It looks with sequential consistency, because what the waker leads
 * to may have been changed before it (relay.c), without the word being written. A teller that finds
 * HELD writes the word, too: so its news come before the second step of the one who holds, and with
 * that before his wake.
 *
 * Nobody waits for anybody: a teller that finds HELD leaves its task to the one who has it, a
 * poller goes its way. A teller takes its steps again only because a poll has come, or the
 * completion.
 *
 * tests/models/bell.pml is this as a model.
 */
#include "../base/fatal.h"
#include "../base/tsan.h"
#include "future.h"

#define HELD  ((uintptr_t)1)
#define AGAIN ((uintptr_t)2)
#define END   ((uintptr_t)4)
#define BITS  (HELD | AGAIN | END)

static struct tern_waker *hold(uintptr_t word)
{
	struct tern_waker *waker = (struct tern_waker *)(word & ~BITS);

	return waker && waker->hold ? waker->hold(waker) : waker;
}

static void wake(struct tern_waker *held)
{
	if (held)
		held->wake(held);
}

/* Returns the word as it was found: with END, nothing has been done. */
static uintptr_t tell(struct tern_future *f, uintptr_t end)
{
	uintptr_t found = tern__load(&f->bell), word, expected;
	struct tern_waker *held;

	tern__hand_over(&f->bell);
	do {
		if (found & END && (end || found == END))
			return found;
		word = found | end | HELD;
	} while (!tern__cas_weak_seq(&f->bell, &found, word)); /* first step; pairs with attach */
	if (found & HELD)
		return found;
	for (;;) {
		held = hold(word);
		expected = word;
		if (tern__cas_seq(&f->bell, &expected, word & END ? END : word & ~HELD))
			break; /* second step; pairs with attach */
		wake(held);
		do
			word = expected & ~AGAIN;
		while (!tern__cas_weak_seq(&f->bell, &expected, word));
	}
	wake(held);
	return found;
}

void tern_future_wake(struct tern_future *f)
{
	tell(f, 0);
}

void tern_future_complete(struct tern_future *f, int64_t result)
{
	if (tern__load(&f->bell) & END)
		tern__fatal("tern_future_complete", "future %p is complete already", (void *)f);
	f->result = result;
	if (tell(f, END) & END)
		tern__fatal("tern_future_complete", "future %p is complete already", (void *)f);
}

enum tern_future_state tern_future_attach(struct tern_future *f, struct tern_notifier *n)
{
	uintptr_t found = tern__load_seq(&f->bell), word;

	do {
		if (found == END) {
			tern__load_acquire(&f->bell); /* a failed write is no look */
			tern__take_over(&f->bell);
			return TERN_FUTURE_COMPLETE;
		}
		word = (uintptr_t)n->waker | (found & BITS) | (found & HELD ? AGAIN : 0);
		if (word == found && !(found & HELD))
			break;
	} while (!tern__cas_weak_seq(&f->bell, &found, word)); /* pairs with tell */
	n->used = n->waker ? TERN_NOTIFY_WAKER : TERN_NOTIFY_NONE;
	return TERN_FUTURE_RUNNING;
}
