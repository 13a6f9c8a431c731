/* SPDX-License-Identifier: MIT */
/*
 * The handing over of items to workers that may be asleep, as a Promela model: workpool/port.c,
 * queue.c, thread.c and what decides in policy.c. H1, H2, S1 and S2 are the labels of the code.
 *
 * The four accesses of that pair are sequentially consistent in C and all else but the hints is
 * under the pool's lock, so the interleavings that spin searches are all there are. What is done
 * under the lock is one step, but where a worker counts itself out and then looks. A hint
 * (queue_looks_filled) may come late. Where the policy weighs numbers the model takes every answer
 * that some numbers would give: how many are wanted, whether to look, whether to hand over now.
 *
 * One loop submits, and either turns, or stays in a callback until its items have run: then nobody
 * but the workers can find what it left in its outbox. Another thread submits too, and the start of
 * a thread may fail. What must hold:
 *
 *  - No lost wake-up: a loop that waits for ever for its items is an invalid end state.
 *  - If the items are long (each runs until as many run as there may be threads) that many do run,
 *    given a loop that turns: what it leaves to others it looks after again, while `unsettled`.
 *    So it is with a loop that never comes to sleep: in one of its turns the items have grown old.
 *  - The same where an only thread stands still in its item until the others have begun, and lends
 *    its place (blocking.c).
 *  - A thread is counted in one way at a time: the assertion in unlock.
 *
 * Each of the macros that #ifdef asks for breaks one rule, and the search must find out (check.py
 * takes their names from here).
 */
#define WORKERS 2
#define START	(WORKERS + 1) /* a summons: to start a thread; 1 .. WORKERS: to wake that worker */

mtype = { TURN, LATE, TAKEN, SLEEP, NOW } /* haste; LATE: a TURN when items have grown old */

/* shared without the lock */
byte outbox;
byte awake;
bool searching;
bool word[WORKERS]; /* what a worker sleeps on */

/* under the lock */
bool locked;
byte waiting, arriving, threads, leaving, idle, lent;
bool owed, retrying;
bool on_stack[WORKERS];
bool unused[WORKERS];
byte threads_min, threads_max;
bool idles;

/* the world */
bool starting[WORKERS]; /* pthread_create has come back */
byte failures;		/* of it, to come */
bool turns;		/* the loop does, with long items; else it stays in a callback */
bool restless;		/* ... and never sleeps */
byte own, others;	/* items the loop and the other thread have yet to submit */
bool lends;		/* items stand still until all have begun */
byte items, begun, finished;

#define SURPLUS	  (threads - leaving > threads_min)
#define COMING	  (arriving + searching)
#define IN_SERVICE (threads - idle - lent)
#define CROWDED	  (IN_SERVICE > threads_max)
#define DESERTED  (waiting && threads == lent)
#ifdef TURNS_START_NONE
#define STARTS(haste) (haste != TURN && haste != LATE)
#else
#define STARTS(haste) (haste != TURN)
#endif
#define AT_A_TIME (items < threads_max -> items : threads_max)

inline lock()
{
	atomic { !locked -> locked = true }
}

inline unlock()
{
	d_step {
		assert(threads == awake + idle + leaving + lent);
		locked = false
	}
}

inline collect()
{
	d_step { waiting = waiting + outbox; outbox = 0 } /* S2 */
}

/* tern__policy_claim, for whichever sleeps: the order of the stack is not the point */
inline claim()
{
	if
	:: on_stack[0] -> summons = 1
	:: on_stack[1] -> summons = 2
	fi;
	on_stack[summons - 1] = false;
	idle--;
	arriving++;
	awake++
}

/* tern__policy_summon */
inline summon(haste)
{
	atomic {
		if
		:: !waiting -> owed = false
		:: waiting && haste != NOW && haste != LATE && awake /* wanted: none */
		:: waiting -> /* wanted: one or two */
			owed = waiting > 1;
			if
			:: COMING >= 1 || IN_SERVICE >= threads_max
			:: IN_SERVICE < threads_max && COMING < 2 && (COMING < 1 || waiting > 1) ->
				if
				:: idle -> claim()
				:: !idle && (STARTS(haste) || threads == lent) ->
					threads++;
					arriving++;
					awake++;
					summons = START
				:: !idle && !STARTS(haste) && threads != lent
				fi
			fi
		fi
	}
}

/* tern__policy_start_failed */
inline start_failed()
{
	threads--;
	arriving--;
#ifdef FAILURE_UNSEEN
	collect();
	awake--;
#else
	awake--; /* S1 */
	collect();
#endif
	if
	:: idle -> summon(NOW)
	:: !idle
	fi
}

/* tern__thread_start; false: it failed */
inline start(ok)
{
	atomic {
		if
		:: failures -> failures--; ok = false
		:: unused[0] -> unused[0] = false; starting[0] = true; ok = true
		:: unused[1] -> unused[1] = false; starting[1] = true; ok = true
		fi
	}
}

/* tern__thread_summon */
inline carry_out()
{
	if
	:: !summons
	:: summons == START ->
		atomic { start(ok); summons = 0 };
		if
		:: !ok ->
			lock();
			start_failed();
			if
			:: DESERTED -> retrying = true /* tern__retry_begin */
			:: else
			fi;
			unlock();
			if
			:: summons -> word[summons - 1] = true
			:: else
			fi;
			summons = 0
		:: else
		fi;
		ok = false
	:: summons && summons != START -> d_step { word[summons - 1] = true; summons = 0 }
	fi
}

/* ---- a worker ---- */

/* tern_blocking_begin */
inline begin()
{
	lock();
	if
	:: !lent ->
		atomic { lent++; is_lent = true };
		awake--; /* S1 */
#ifndef LENDS_UNSEEING
		collect();
#endif
		summon(NOW)
	:: else
	fi;
	unlock();
	carry_out()
}

/* tern_blocking_end */
inline end()
{
	if
	:: is_lent -> atomic { lock(); lent--; awake++; is_lent = false; unlock() }
	:: else
	fi
}

inline run_item()
{
	d_step { has_item = false; begun++ };
	if
	:: lends -> begin(); begun == items; end()
	:: !lends && turns -> begun >= AT_A_TIME
	:: !lends && !turns
	fi;
	finished++
}

inline take()
{
	atomic {
		lock();
		if
		:: !waiting -> collect()
		:: else
		fi;
		if
		:: waiting && !CROWDED ->
			has_item = true;
			waiting--;
			/* tern__policy_taken */
			if
			:: waiting && owed ->
#ifndef DEBT_FORGOTTEN
				summon(NOW)
#endif
			:: waiting && !owed -> summon(TAKEN)
			:: !waiting || !owed
			fi
		:: else
		fi;
		unlock()
	};
	carry_out()
}

/* sleep_on_stack: leaves with the lock held; `stay` says how. */
inline sleep_on_stack()
{
	atomic { on_stack[id] = true; idle++ };
	do
	:: limited = SURPLUS;
#ifdef CLEARED_LATE
		unlock();
		word[id] = false;
#else
		atomic { word[id] = false /* tern__park_clear */; unlock() };
#endif
end_asleep:
		if
		:: word[id] -> woken = true
		:: limited -> woken = false
		fi;
		lock();
		if
		:: !on_stack[id] -> arriving--; stay = true; break
		:: on_stack[id] && (woken || !SURPLUS)
		:: on_stack[id] && !woken && SURPLUS ->
			d_step { on_stack[id] = false; idle-- };
			if
			:: waiting && !CROWDED -> awake++; stay = true
			:: else -> stay = false
			fi;
			break
		fi
	od;
	atomic { limited = false; woken = false }
}

inline settle()
{
#ifdef LOOK_BEFORE_COUNT
	atomic { lock(); collect() };
	awake--;
#elif defined(NO_RECHECK)
	atomic { lock(); awake-- };
#else
	atomic { lock(); awake-- }; /* S1 */
	collect();
#endif
	if
	:: waiting && !CROWDED -> awake++; stay = true
	:: else ->
		if
		:: idles || !SURPLUS -> sleep_on_stack()
		:: else -> stay = false
		fi
	fi;
	atomic { leaving = leaving + !stay; unlock() }
}

proctype worker(byte id)
{
	byte summons;
	bool ok, has_item, is_lent, stay, limited, woken;

end_unused:
	atomic { starting[id] -> starting[id] = false };
	atomic {
		lock();
		arriving--;
		if
		:: waiting > 1 -> summon(NOW)
		:: else
		fi;
		unlock()
	};
	carry_out();

again:
	if
	:: waiting || outbox -> take()
	:: true /* the hint comes late, or there is nothing */
	fi;
	if
	:: has_item -> run_item(); goto again
	:: else
	fi;
	/* tern__policy_search */
	if
	:: atomic { !searching -> searching = true };
		if
		:: waiting || outbox -> searching = false; goto again
		:: true /* that was long enough */
		fi;
#ifndef SEARCH_ENDS_LATE
		searching = false;
#endif
		settle();
#ifdef SEARCH_ENDS_LATE
		searching = false
#endif
	:: true -> settle()
	fi;
	if
	:: stay -> stay = false; goto again
	:: else
	fi;

	/* leave */
	atomic {
		lock();
		threads--;
		leaving--;
		unused[id] = true;
#ifndef LEAVES_UNSEEING
		collect();
		summon(NOW);
#endif
		unlock()
	};
	carry_out();
	goto end_unused
}

/* ---- who submits ---- */

/* queue_now */
proctype other()
{
	byte summons;
	bool ok;

	do
	:: others ->
		atomic {
			lock();
			others--;
			collect();
			waiting++;
			summon(NOW);
			unlock()
		};
		carry_out()
	:: else -> break
	od
}

inline hand_over(haste)
{
	do
	:: true ->
		atomic {
			lock();
			collect();
			summon(haste);
#ifdef ALWAYS_SETTLED
			unsettled = false;
#else
			unsettled = !(waiting <= COMING || owed && COMING ||
				IN_SERVICE >= threads_max);
#endif
			again = summons && summons != START;
			if
			:: haste == LATE -> came = COMING
			:: else
			fi;
			unlock()
		};
		carry_out();
		if
		:: again -> again = false
		:: else -> break
		fi
	od
}

/* flush, before the loop sleeps; and else */
inline flush_sleeping()
{
	if
	:: unsettled || waiting -> hand_over(SLEEP)
	:: !unsettled
	fi
}

inline flush_turn()
{
	if
	:: unsettled -> hand_over(TURN)
	:: !unsettled || searching /* and it is not much */
	fi
}

/* tern__port_push */
inline push()
{
	own--;
#ifdef LOOK_BEFORE_PUSH
	looks_awake = awake;
#endif
	outbox++; /* H1 */
	unsettled = true;
#ifndef LOOK_BEFORE_PUSH
	looks_awake = awake > 0; /* H2 */
#endif
	if
	:: looks_awake
	:: true -> flush_turn() /* nobody is, or it is much */
	fi
}

/* retry.c, on_timer */
inline retry()
{
	lock();
	if
	:: DESERTED ->
		d_step { threads++; arriving++; awake++ };
		unlock();
		start(ok);
		lock();
		if
		:: ok -> retrying = false
		:: else -> start_failed(); retrying = DESERTED
		fi
	:: else -> retrying = false
	fi;
	unlock();
	if
	:: summons -> atomic { word[summons - 1] = true; summons = 0 }
	:: else
	fi;
	ok = false
}

#define OVER (finished == items)

proctype loop()
{
	byte summons, seen;
	byte came; /* COMING, when a restless loop last handed over */
	bool ok, unsettled, again, looks_awake;

	do
	:: own -> push(); looks_awake = false
	:: own && turns -> flush_turn()
	:: OVER -> break
	:: !turns && !own && !OVER -> /* in a callback, unless it is called to try again */
		if
		:: OVER
		:: retrying -> retry()
		fi
	:: turns && !OVER ->
		flush_turn();
		if
		:: restless && unsettled -> hand_over(LATE)
		:: restless && !unsettled
		:: !restless -> flush_sleeping()
		fi;
		if
		:: unsettled && !restless /* for a millisecond */
		:: unsettled && restless && COMING != came /* else all would be as it was */
		:: own	     /* something else ends the poll */
		:: finished > seen -> seen = finished
		:: retrying -> retry()
		fi
	od
}

init {
	atomic {
		unused[0] = true;
		unused[1] = true;
		threads_max = WORKERS;
		/* what meets is enough in groups: together it would be too much to search */
		if
		:: turns = true; own = 2; threads_min = WORKERS; idles = true
		:: turns = true; own = 1; others = 1; threads_min = WORKERS; idles = true
		:: turns = true; restless = true; own = 2; threads_min = 1; idles = true
		:: own = 2; threads_max = 1; failures = 1
		:: own = 2; threads_max = 1; idles = true
		:: own = 1; others = 1; threads_min = WORKERS; idles = true
		:: own = 1; others = 1; threads_max = 1
		:: own = 2; threads_max = 1; threads_min = WORKERS; idles = true; lends = true
		:: own = 1; others = 1; threads_max = 1; failures = 1; lends = true
		:: own = 1; others = 1; failures = 1; threads_min = WORKERS; idles = true;
			/* a worker is on its way to an item */
			unused[0] = false; starting[0] = true; threads = 1; arriving = 1; awake = 1;
			waiting = 1
		fi;
		items = own + others + waiting;
		run worker(0);
		run worker(1);
		run other();
		run loop()
	}
}
