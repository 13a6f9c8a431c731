/* SPDX-License-Identifier: MIT */
/*
 * The bell of a future as a Promela model: lib/future/bell.c, the wakes of lib/future/future.h, and
 * the relay (relay.c) as a select uses it (select.c).
 *
 * Every change of `word` and `wakes` is one read-modify-write, and sequentially consistent in C; so
 * are the accesses of `to` and `inside`, and the look at `word` in attach. So the interleavings that
 * spin searches are all there are. A loop about a compare-and-swap is one step here: one that fails
 * has changed nothing. hold is relaxed: what it adds is published by the second step of its teller.
 *
 * One teller has something to tell, another completes: at any time; when the first has come back;
 * or, as the next step of a chain does, when what the first told has been seen. The poller polls
 * when it is woken, and a few times for other reasons, with whichever of its wakers it likes. Either
 * it is the future's own poller, or that of a select, which at some time has a winner: then it goes
 * as soon as the relay is closed, and another, with waker 3, awaits the future. What must hold:
 *
 *  - Nothing is touched that has been freed: wakers when their poller is through, the future with
 *    the relay when the last is. All assertions.
 *  - No lost wake-up. Whoever sleeps for ever has missed one: an invalid end state.
 *
 * Each of the macros that #ifdef asks for breaks one rule, and the search must find out (check.py
 * takes their names from here).
 */
#define HELD  1
#define AGAIN 2
#define END   4
#define WAKER(n) ((n) << 3)
#define RELAY 4

byte word;
byte wakes[4];	 /* of wakers 1 to 3: 1, woken; and 2 for each that is on its way */
bool mail[4];	 /* the owner has been brought word */
bool gone[4];
bool future_gone;
byte to, inside; /* of the relay; inside: 1, closed; and 2 for each */

bool event, seen; /* what the first has to tell; a poll has seen it */
bool back;	  /* the first is */
bool patient;	  /* the other waits for that */
bool wins;	  /* the select has a winner, not this future */

/* ---- tellers ---- */

inline hold_waker(w)
{
	atomic {
		assert(!gone[w]);
#ifndef WAKES_ARE_NOT_HELD
		wakes[w] = wakes[w] + 2;
#endif
		held = w
	}
}

inline hold()
{
	held = 0;
	if
	:: mine >> 3 == RELAY ->
		atomic {
			assert(!future_gone);
			closed = inside & 1;
			inside = inside + 2
		}
		if
		:: !closed ->
			atomic {
				assert(!future_gone);
				led = to
			}
			if
			:: led -> hold_waker(led)
			:: else
			fi
		:: else
		fi;
		atomic {
			assert(!future_gone);
			inside = inside - 2
		}
	:: mine >> 3 != RELAY && mine >> 3 -> hold_waker(mine >> 3)
	:: mine >> 3 == 0
	fi
}

inline wake()
{
	if
	:: held ->
		atomic {
			assert(!gone[held]);
			first = !(wakes[held] & 1);
#ifndef WAKES_ARE_NOT_HELD
			wakes[held] = wakes[held] - 2;
#endif
			wakes[held] = wakes[held] | 1
		}
		if
		:: first ->
			atomic {
				assert(!gone[held]);
				mail[held] = true
			}
		:: else
		fi
	:: else
	fi
}

inline tell(end)
{
	/* the first step */
	atomic {
		assert(!future_gone);
		mine = word;
		if
		:: mine == END -> goto out
		:: mine != END && mine & HELD ->
			word = mine | end;
			goto out
		:: else ->
			word = mine | end | HELD;
			mine = word
		fi
	}
	do
	:: true ->
		hold();
		/* the second */
		atomic {
			assert(!future_gone);
			if
#ifdef PUBLISHED_WHOEVER_CAME
			:: word & END -> word = END; break
			:: else -> word = word & ~(HELD | AGAIN); break
#else
			:: word == mine && mine & END -> word = END; break
			:: word == mine && !(mine & END) -> word = mine & ~HELD; break
			:: else
#endif
			fi
		}
		wake();
		atomic {
			assert(!future_gone);
			word = word & ~AGAIN;
			mine = word
		}
	od;
	wake();
out:	skip
}

proctype first_teller()
{
	byte mine, held, led;
	bool closed, first;

	event = true;
	tell(0);
	back = true
}

proctype completer()
{
	byte mine, held, led;
	bool closed, first;

	if
	:: patient -> back
	:: !patient
	:: seen
	fi;
	tell(END)
}

/* ---- pollers ---- */

/* Leaves `complete` behind. */
inline attach(w)
{
	found = word;
	complete = false;
	if
	:: found == END -> complete = true
	:: found == WAKER(w) /* nothing to write */
	:: else ->
		atomic {
			if
			:: word == END -> complete = true
			:: word != END && word & HELD ->
#ifdef POLLS_GO_UNNOTICED
				word = WAKER(w) | (word & (HELD | AGAIN | END))
#else
				word = WAKER(w) | (word & (HELD | AGAIN | END)) | AGAIN
#endif
			:: else -> word = WAKER(w)
			fi
		}
	fi
}

inline take(w)
{
	atomic {
		mail[w] = false;
		wakes[w] = wakes[w] & ~1
	}
}

/* Sleeps until its waker is called; or polls once more for another reason. */
inline rest()
{
	if
#ifdef TAKEN_AFTER_THE_POLL
	:: mail[mine] -> mail[mine] = false; taken = true
#else
	:: mail[mine] -> take(mine)
#endif
	:: more ->
		more--;
		if
		:: mine < 3 -> mine = 3 - mine
		:: true
		fi
	fi
}

/* The waker goes when no wake is on its way. */
inline free(w)
{
#ifndef WAKERS_GO_AT_ONCE
	do
	:: mail[w] -> take(w)
	:: wakes[w] == 0 -> break
	od;
#endif
	gone[w] = true
}

inline late_take()
{
#ifdef TAKEN_AFTER_THE_POLL
	if
	:: taken ->
		taken = false;
		wakes[mine] = wakes[mine] & ~1
	:: else
	fi;
#endif
	skip
}

inline poll_as_select()
{
#ifndef LED_AFTER_THE_POLL
	to = mine;
#endif
	attach(RELAY);
#ifdef LED_AFTER_THE_POLL
	to = mine;
#endif
	seen = event;
	if
	:: !complete && wins ->
		atomic {
			if
#ifdef CLOSED_WITH_SOMEBODY_INSIDE
			:: true -> inside = inside | 1; complete = true
#else
			:: inside == 0 -> inside = 1; complete = true
			:: else
#endif
			fi
		}
	:: else
	fi
}

inline poll_directly()
{
	attach(mine);
	seen = event
}

proctype poller(bool selects)
{
	byte found, mine = 1, more = 2;
	bool complete, taken;

	do
	:: true ->
		if
		:: selects -> poll_as_select()
		:: else -> poll_directly()
		fi;
		late_take();
		if
		:: complete -> break
		:: else -> rest()
		fi
	od;
	free(1);
	free(2);
	/* what a select leaves behind is awaited with another waker */
	if
	:: selects ->
		mine = 3;
		do
		:: true ->
			poll_directly();
			if
			:: complete -> break
			:: else -> rest()
			fi
		od;
		free(3)
	:: else
	fi;
	/* who may still call the future keeps it */
	back;
	future_gone = true
}

init {
	atomic {
		if
		:: patient = true
		:: true
		fi;
		if
		:: run poller(false)
		:: run poller(true)
		fi;
		run first_teller();
		run completer()
	}
	if
	:: wins = true
	:: true
	fi
}
