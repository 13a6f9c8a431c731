/* SPDX-License-Identifier: MIT */
/*
 * The gate as a Promela model: lib/loop/gate.c, and prepare and dispatch of lib/loop/loop.c as far
 * as they use it. P1, P2, L1 and L2 are the labels of the code.
 *
 * The four accesses of that pair are sequentially consistent in C, and so is every exchange and
 * compare-and-swap of `armed`. So they come in one order that all threads agree on, and the
 * interleavings that spin searches are all there are. `seems_empty` is a hint: in collect the model
 * lets it come late. In dispatch it must not come from before the look at `armed` that it follows.
 * All else here is the loop's own.
 *
 * Several threads bring completions, one posts, one releases the last hold; the loop takes turns in
 * every way an event loop may: it prepares or is polled by its caller, blocks or does not, and does
 * so again within a callback. What must hold:
 *
 *  - No lost wake-up. A loop that polls for ever before all has been delivered, and before it knows
 *    that it is no longer held, is an invalid end state.
 *  - Every write of the descriptor is counted in `due`: the assertion at L1. The loop reads it only
 *    if a write has come or is about to (drain), and does not leave it readable (settled).
 *  - The clock is not what brings the loop posts, or as many completions as it awaits, but only
 *    fewer: the assertion in poll.
 *
 * Each of the macros that #ifdef asks for breaks one rule, and the search must find out (check.py
 * takes their names from here).
 */
/* what threads share */
byte completions, posts; /* in the inbox */
byte armed = 1;
byte fd;		 /* what a read of the eventfd would give */
bool held = true;

/* the loop's */
bool prepares, listening = true, alive = true;
short due;
byte ready;
byte own, nests;	 /* callbacks may post so often, and run a nested event loop */
byte awaited_max;
bool returned;		 /* from that one */

/* what only the assertions know */
byte undelivered;
byte on_the_way; /* `armed` is cleared, the write is to come */
byte pushing;	 /* producers between their push and their last step */
byte producers;	 /* that have not gone */
byte asked = 1;	 /* armed was set to, at L1 ... */
byte came;	 /* ... and, if that was more than one, so many completions pushed since */

/* ---- producers ---- */

/* The last step of each: it writes if it is the one who cleared `armed`. */
inline write_if(cleared)
{
	d_step {
		if
		:: cleared -> fd++; on_the_way--
		:: else
		fi;
		pushing--;
		cleared = false
	}
}

/* tern__loop_ring */
inline ring()
{
	cleared = armed > 0; /* P2 */
	d_step {
#ifdef CLEARED_BY_TWO
		if
		:: cleared -> armed = 0; on_the_way++
		:: else
		fi
#else
		if
		:: cleared && armed -> armed = 0; on_the_way++
		:: else -> cleared = false
		fi
#endif
	};
	write_if(cleared)
}

inline push_completion()
{
	was_empty = !completions && !posts;
	completions++;
	came = came + (asked > 1)
}

/* tern__loop_bring */
proctype bringer(byte brings)
{
	byte awaited;
	bool was_empty, cleared;

	do
	:: brings ->
#if defined(COUNT_BEFORE_PUSH) || defined(LOOK_BEFORE_PUSH)
		d_step { awaited = armed; pushing++ };
#endif
#ifndef COUNT_BEFORE_PUSH
		d_step { push_completion(); pushing = pushing + 1 }; /* P1 */
#endif
#ifdef LOOK_BEFORE_PUSH
		pushing--;
#elif !defined(COUNT_BEFORE_PUSH)
		awaited = armed; /* P2 */
#endif
#ifdef ONLY_WHEN_EMPTY
		awaited = (was_empty -> awaited : 0);
#endif
		atomic {
			was_empty = false;
			do
			:: !awaited -> break
			:: awaited && armed == awaited ->
				armed--;
				cleared = awaited == 1;
				on_the_way = on_the_way + cleared;
				break
			:: awaited && armed != awaited -> awaited = armed
			od;
			awaited = 0
		};
#ifdef COUNT_BEFORE_PUSH
		d_step { push_completion(); was_empty = false };
#endif
		atomic { write_if(cleared); brings-- }
	:: else -> break
	od;
	producers--
}

/* tern__loop_push */
proctype poster()
{
	bool cleared;

	d_step { posts++; pushing++ }; /* P1 */
	ring();
	producers--
}

/* tern_loop_release */
proctype releaser()
{
	bool cleared;

	d_step { held = false; pushing++ }; /* in place of P1 */
	ring();
	producers--
}

/* ---- the loop ---- */

inline gate_close()
{
	d_step {
		if
		:: listening ->
			listening = false;
#ifndef CLOSE_UNCOUNTED
			due = due + (armed == 0);
#endif
			armed = 0;
			asked = 1;
			came = 0
		:: else
		fi
	}
}

inline look()
{
	more = completions || posts /* L2 */
}

inline gate_open(awaited)
{
#ifdef LOOK_BEFORE_ARM
	look();
#endif
	d_step {
		if
		:: !armed && listening -> due++
		:: else
		fi;
		armed = awaited; /* L1 */
		listening = true;
		assert(fd + on_the_way == due);
		asked = awaited;
		came = 0
	};
#ifndef LOOK_BEFORE_ARM
	look()
#endif
}

inline collect()
{
	if
	:: skip /* the hint comes late, or nothing is there */
	:: completions || posts -> ready = ready + completions + posts; completions = 0; posts = 0
	fi
}

inline drain()
{
	if
	:: due ->
		d_step {
			if
			:: fd -> due = due - fd; fd = 0
			:: else -> assert(on_the_way) /* EAGAIN */
			fi
		}
	:: else
	fi
}

inline leave_readable()
{
	d_step {
		if
		:: !due -> fd++; due++
		:: else
		fi
	}
}

/* tern__loop_push_own: from a callback, or from another watcher of the event loop's */
inline push_own()
{
	atomic {
		own--;
		undelivered++;
		ready++;
#ifndef OWN_UNHEARD
		if
		:: ready == 1 && listening -> leave_readable()
		:: else
		fi
#endif
	}
}

/* Delivers as many as it likes: the bound of a batch may be anywhere. */
inline run_some()
{
	atomic {
		collect();
		do
		:: ready ->
			ready--;
			undelivered--;
			if
			:: own -> push_own()
			:: depth == 0 && nests ->
				nests--;
				run event_loop(1);
				returned -> returned = false
			:: skip
			fi
		:: break
		od
	}
}

inline leave(awaited)
{
#ifdef ALIVE_BEFORE_ARM
	alive = held;
#endif
	gate_open(awaited);
	more = more || ready;
#ifndef NOT_LEFT_READABLE
	if
	:: more -> leave_readable()
	:: else
	fi;
#endif
#ifndef ALIVE_BEFORE_ARM
	alive = held
#endif
}

/* All producers are through, nothing is left: the descriptor must not go on being readable. */
inline settled()
{
	assert(!quiet || more || !fd)
}

/* tern_loop_prepare. The loop is to poll for no time (`zero`), for a limited one, or for ever. */
inline prepare()
{
	quiet = !producers;
	gate_close();
	do /* run_and_look */
	:: run_some()
	:: ready || zero -> zero = true; break
	:: !ready -> break
	:: !ready -> zero = true; break /* its slice is over */
	od;
	if
	:: zero -> leave(1)
	:: else ->
		awaited = 1;
		do
		:: awaited < awaited_max -> awaited++
		:: break
		od;
#ifdef DRAIN_AFTER_OPEN
		leave(awaited);
		drain();
#else
		drain();
		leave(awaited);
#endif
		settled();
#ifndef NO_LIMIT
		limit = awaited > 1;
#endif
		zero = more
	fi;
	awaited = 0;
	quiet = false
}

/* tern_loop_dispatch */
inline dispatch()
{
	more = ready || due;
#ifdef INBOX_BEFORE_ARMED
	more = more || completions || posts;
	more = more || armed != 1;
#elif defined(LEFT_ARMED_FOR_MANY)
	more = more || !armed;
	more = more || completions || posts;
#else
	more = more || armed != 1;
	more = more || completions || posts;
#endif
	if
	:: more ->
		quiet = !producers;
		if
		:: prepares -> gate_close()
		:: else -> gate_open(1)
		fi;
		run_some();
		if
		:: !prepares && !ready -> drain()
		:: else -> quiet = false
		fi;
#ifdef STAYS_CLOSED
		if
		:: prepares -> skip
		:: else -> leave(1)
		fi;
#else
		leave(1);
#endif
		settled();
		quiet = false
	:: else
	fi;
	more = false
}

#define OVER (!producers && !undelivered && !alive && !fd)

proctype event_loop(byte depth)
{
	byte awaited;
	bool more, quiet, zero, limit;

	do
	:: true ->
		/* callers may poll the descriptor by themselves, but not from within a callback */
		if
		:: prepares -> prepare()
		:: !prepares || depth == 0
		fi;
		/* another watcher, between prepare and poll */
		if
		:: own -> push_own()
		:: skip
		fi;
		/* poll */
		if
		:: skip /* for no time, or something else ends it */
		:: !zero ->
			if
			:: fd
			:: limit -> assert(fd || pushing ||
				!(ready || posts || came >= asked || alive && !held))
			:: OVER -> break
			fi
		fi;
		d_step { zero = false; limit = false };
		dispatch();
		if
		:: depth == 1 -> break
		:: true
		fi
	od;
	if
	:: depth == 1 -> returned = true
	:: else
	fi
}

init {
	atomic {
		if
		:: prepares = true
		:: prepares = false
		fi;
		/* what meets is enough in groups: together it would be too much to search */
		if
		:: run bringer(2); run bringer(1); undelivered = 3; producers = 2; awaited_max = 3;
			held = false; alive = false
		:: run bringer(1); run poster(); run releaser(); undelivered = 2; producers = 3;
			awaited_max = 2
		:: run bringer(1); run poster(); undelivered = 2; producers = 2; awaited_max = 2;
			own = 1; nests = 1; held = false; alive = false
		fi;
		run event_loop(0)
	}
}
