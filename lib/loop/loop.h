/* SPDX-License-Identifier: MIT */
/*
 * The loop as the library sees it: what pools need to bring items home, and the one hook by which
 * whoever batches a loop's submissions is told that the loop is about to sleep.
 */
#ifndef TERN__LOOP_H
#define TERN__LOOP_H

#include <pthread.h>
#include <tern/loop.h>

#include "../base/atomic.h"
#include "../base/clock.h"
#include "../base/fork.h"
#include "../base/gap.h"
#include "../base/mpsc.h"
#include "../base/timer.h"
#include "../base/tsan.h"

/*
 * Something that rides on a loop: a pool's port, where the loop's submissions wait. All calls come
 * on the loop's thread, detach on the one that destroys the loop.
 */
struct tern__rider {
	struct tern__rider *next;
	const struct tern__rider_ops *ops;
	/*
	 * More waits than somebody has been called for, because it should not take long: whoever
	 * hands over looks after it again.
	 */
	bool unsettled;
};

/* Why a loop hands over what waits. */
enum tern__flush {
	TERN__FLUSH_FULL,     /* enough has come together, or nobody is awake to take it */
	TERN__FLUSH_LOOKING,  /* the loop goes on looking: only what cannot wait for that long */
	TERN__FLUSH_TURN,     /* the end of a turn: others run on this thread now */
	TERN__FLUSH_SLEEPING, /* the loop may block next, but comes back soon while unsettled */
	TERN__FLUSH_NOW,      /* nobody may look after it again */
};

struct tern__rider_ops {
	void (*flush)(struct tern__rider *rider, enum tern__flush why);
	/*
	 * How many CPUs it has a use for: threads that are awake, and one more that should be. No
	 * loop looks before it sleeps when that takes all.
	 */
	uint32_t (*busy)(struct tern__rider *rider);
	/*
	 * How many items wait while its threads are all busy, or take every CPU; 0: another would
	 * run at once.
	 */
	uint32_t (*backlog)(struct tern__rider *rider);
	/* An item of this loop that is still out, for the fatal line; NULL: none known. */
	const void *(*find_item)(struct tern__rider *rider);
	/* The loop goes; the rider is off its list already. */
	void (*detach)(struct tern__rider *rider, struct tern_loop *loop);
};

/*
 * Something whose completions are fetched on the loop's own thread: an I/O ring. The kernel writes
 * the loop's descriptor when something has come; those writes are in nobody's count (gate.c). All
 * calls come on the loop's thread, detach on the one that destroys the loop.
 */
struct tern__source {
	struct tern__source *next;
	const struct tern__source_ops *ops;
	/* It wants to start something a little later, and the loop has no prepare to come to. */
	bool unsettled;
};

struct tern__source_ops {
	/* Hands over what was started; the loop may sleep next. */
	void (*flush)(struct tern__source *source);
	/* Whether fetch would find something. Cheap: asked at each look. */
	bool (*ready)(struct tern__source *source);
	/* Pushes what is over to the loop, as its own. */
	void (*fetch)(struct tern__source *source);
	/* Something of it that is still out, for the fatal line; NULL: none known. */
	const void *(*find_item)(struct tern__source *source);
	/* The loop goes, or is a forked child's; the source is off its list already. */
	void (*detach)(struct tern__source *source);
};

struct tern_loop {
	/* the gate: producers and the loop */
	TERN__LINE struct tern__mpsc inbox;
	uint32_t armed; /* after so many completions a producer writes the descriptor; gate.c */
	int fd;
	uint64_t rung_ns; /* when a producer last did; see base/wake.h */

	/* other threads, now and then */
	TERN__LINE uint32_t pins; /* threads that may touch the gate; destroy waits for them */
	uint32_t holds;
	uint64_t submitted_elsewhere; /* items handed in by other threads, ever */

	/* the loop's thread; `owner` is read by all: only its own thread can find itself there */
	TERN__LINE pthread_t owner;
	uint32_t made_in;   /* generation in which it was made or adopted; see fork.c */
	uint32_t bound;	    /* owner is set */
	bool sourced;	    /* has, or had, a source that may write the descriptor */
	bool prepares;	    /* has called prepare: submissions may wait for the next one */
	bool alive;	    /* as last told to the binding */
	bool listening;	    /* armed by us and not taken back: producers may clear `armed` */
	uint32_t depth;	    /* dispatches on the stack */
	uint32_t cpus;	    /* this process may use */
	uint32_t batch_max; /* completions in a row */
	uint64_t due;	    /* writes of the descriptor that we know of and have not read */
	bool maybe_rung;    /* there may be others, of sources */
	uint64_t submitted_here;
	uint64_t completed;
	uint64_t out_by_sources; /* of those out: no reason to look, which spoils their batches */
	struct tern_node *ready, **ready_tail; /* taken from the inbox, not yet delivered */
	uint32_t ready_count;
	struct tern__timers timers;
	uint32_t timers_own;  /* of these, the library's own: no reason to refuse destroy */
	bool timers_first;    /* who gets the odd place in a batch, in turn */
	uint64_t turn_ns;     /* when somebody first asked in this turn; 0: nobody has */
	uint64_t moved;	      /* bytes that data movers have moved on this thread, this turn */
	uint64_t coalesce_ns; /* how long completions may wait for each other; see coalesce.c */
	uint32_t came_lately; /* completions in that time, when the loop last slept */
	struct tern__gap gap; /* since it had nothing to do, with items out */
	struct tern__rider *riders;
	struct tern__source *sources;
	struct tern_loop_binding binding;
	void *binding_user;
};

/* loop.c: whether some thread has, or had, more than one loop; never false again. */
extern uint32_t tern__loops_share_threads;

/* gate.c: how other threads reach the loop, and how it stops listening and starts again */

/* [any, pinned] Delivers on the loop's thread, in order of arrival. node->prev: see mpsc.h. */
void tern__loop_push(struct tern_loop *loop, struct tern_node *node);
/* [loop] The same from the loop's own thread: never now, always later. */
void tern__loop_push_own(struct tern_loop *loop, struct tern_node *node);
/* [any] Whichever of the two it takes; mine: from the loop's own thread. */
void tern__loop_give(struct tern_loop *loop, struct tern_node *node, bool mine);
/* [any, pinned] The same for an item that has run: it may wait for others (coalesce.c). */
void tern__loop_bring(struct tern_loop *loop, struct tern_node *node);
/* [any, pinned] Makes the loop come round, with nothing to deliver. */
void tern__loop_ring(struct tern_loop *loop);
/* [loop] Producers need not write the descriptor from here on: the loop will look. */
void tern__gate_close(struct tern_loop *loop);
/*
 * [loop] They must again, after so many completions: 1, or a few if the loop comes round by itself
 * soon. True: something came meanwhile.
 */
bool tern__gate_open(struct tern_loop *loop, uint32_t awaited);
/* [loop] Moves the inbox behind what is ready. */
void tern__gate_collect(struct tern_loop *loop);
/* [loop] Reads what was written to the descriptor, if anything was. */
void tern__gate_drain(struct tern_loop *loop);
/* [loop] Makes the descriptor readable, for what is left over. */
void tern__gate_leave_readable(struct tern_loop *loop);

/*
 * Pins: whoever touches the gate from another thread holds one from before it publishes until
 * after its last touch, else the item it publishes could let the loop be destroyed under it. Take
 * one only while an item of this loop is out, or by right of the caller's own call.
 */
static inline void tern__loop_pin(struct tern_loop *loop)
{
	tern__add(&loop->pins, 1);
}

static inline void tern__loop_unpin(struct tern_loop *loop)
{
	tern__hand_over(&loop->pins);
	tern__sub_acq_rel(&loop->pins, 1); /* pairs with destroy: our touches come before */
}

/* source.c */

/* [loop; any, before the loop is used] writes: it may write the descriptor, or is to be flushed. */
void tern__source_attach(struct tern_loop *loop, struct tern__source *source, bool writes);
void tern__source_detach(struct tern_loop *loop, struct tern__source *source);
void tern__sources_detach_all(struct tern_loop *loop);

/* [loop] What the table above says, for all of a loop's; most loops have none. */
void tern__sources_flush_all(struct tern__source *first);
bool tern__sources_any_ready(struct tern__source *first);
void tern__sources_fetch_all(struct tern_loop *loop);
static inline void tern__sources_flush(struct tern_loop *loop)
{
	if (loop->sources)
		tern__sources_flush_all(loop->sources);
}
static inline bool tern__sources_ready(struct tern_loop *loop)
{
	return loop->sources && tern__sources_any_ready(loop->sources);
}
static inline void tern__sources_fetch(struct tern_loop *loop)
{
	if (loop->sources)
		tern__sources_fetch_all(loop);
}

/* part.c: for who brings home a part of what comes, while the rest of the loop stands still */

/* [loop] How many of those that have come home lie in [begin, end). */
uint32_t tern__part_count(struct tern_loop *loop, const void *begin, const void *end);
/* [loop] Delivers the first of them; false: there is none. */
bool tern__part_run(struct tern_loop *loop, const void *begin, const void *end);
/*
 * [loop] Hands over all there is, and sleeps until something comes, of that source (NULL: of none)
 * or by the inbox; -1: however long.
 */
void tern__part_await(struct tern_loop *loop, struct tern__source *source, int64_t ns);

/* spin.c */

/* [loop] Whether there is a CPU to look with. */
bool tern__spin_has_cpu(struct tern_loop *loop);
/* [loop] Looks at the inbox until it fills, or until the deadline; keeps *now_ns about right. */
bool tern__spin_look(struct tern_loop *loop, uint64_t deadline_ns, uint64_t *now_ns);

/* [the only thread] Nobody looks. */
void tern__spin_reset(void);

/* coalesce.c */

/* [loop] How many completions a loop that goes to sleep waits for: at least one. */
uint32_t tern__coalesce_awaited(struct tern_loop *loop);
/* [loop] The loop slept, and so many came after that time. */
void tern__coalesce_note(struct tern_loop *loop, uint32_t ran, uint64_t ns);

/* traced.c */

/* [loop] A batch that ran something has ended. */
void tern__loop_traced(uint32_t session, const struct tern_loop *loop, uint64_t start_ns,
		       uint32_t completions, uint32_t timers);

/* timers.c */

/* What the user of such timers points to. */
extern const char tern__timer_own __attribute__((visibility("hidden")));

/* [loop, or who destroys it] What tern_timer_start does, for a timer that has a function. */
void tern__timer_arm(struct tern_loop *loop, struct tern_timer *timer, uint64_t delay_ns);
/*
 * [loop] The same for a timer of the library's own, of an item that is out: it does not keep
 * anybody from destroying the loop, and a child of fork has it no more. When it fires timers_own is
 * its fn's to lower.
 */
void tern__timer_arm_own(struct tern_loop *loop, struct tern_timer *timer, uint64_t deadline_ns);
void tern__timer_disarm_own(struct tern_timer *timer);
/* [in the child, the heap being whole] */
void tern__timers_forget_own(struct tern_loop *loop);
/* [loop] Runs at most max due timers; returns how many. */
uint32_t tern__timers_run(struct tern_loop *loop, uint32_t max);
/* [loop] Nanoseconds to the next timer: 0, one is due; -1, none is armed. */
int64_t tern__timers_wait(struct tern_loop *loop);

/* fork.c */

/* Fatal: in a child a loop of its parent's. */
__attribute__((noreturn)) void tern__loop_lost(const struct tern_loop *loop, const char *call);
/* [in the child] Whether no other thread can have been in the loop, but in its gate. */
bool tern__loop_is_whole(const struct tern_loop *loop);
/* [any] The part of destroy that lets go of what the loop holds, for a loop of the parent's. */
void tern__loop_abandon(struct tern_loop *loop);

/* [any] Fatal in a child where the loop is still its parent's. */
static inline void tern__loop_check_fork(const struct tern_loop *loop, const char *call)
{
	if (__builtin_expect(tern__forked(tern__load(&loop->made_in)), false))
		tern__loop_lost(loop, call);
}

/* loop.c */

/* [the thread that gets it] The loop is this thread's from here on. */
void tern__loop_take(struct tern_loop *loop);

/* [any] Whether this is the thread the loop is bound to. */
static inline bool tern__loop_is_mine(const struct tern_loop *loop)
{
	return tern__load_acquire(&loop->bound) && pthread_equal(loop->owner, pthread_self());
}

/* [loop] Tells the binding when the loop comes to life or has nothing left. */
void tern__loop_note_alive(struct tern_loop *loop);

/* [any] Counts n items whose completions will come home. */
static inline void tern__loop_submitted(struct tern_loop *loop, uint64_t n, bool mine)
{
	if (!mine) {
		tern__add(&loop->submitted_elsewhere, n);
		return;
	}
	loop->submitted_here += n;
	if (!loop->alive)
		tern__loop_note_alive(loop);
}

/*
 * [loop] The time, as event loops have it: what is home in one turn came at one time, and what a
 * callback begins began at that time, too. Outside of a turn it is now. It never goes back.
 */
static inline uint64_t tern__loop_turn_ns(struct tern_loop *loop)
{
	if (!loop->turn_ns || !loop->depth)
		loop->turn_ns = tern__now_ns();
	return loop->turn_ns;
}

/* [loop] One of them is home; call it before its callback. */
static inline void tern__loop_completed(struct tern_loop *loop)
{
	loop->completed++;
}

/* [loop] Items out, as far as the loop knows. */
static inline uint64_t tern__loop_outstanding(struct tern_loop *loop)
{
	return loop->submitted_here + tern__load(&loop->submitted_elsewhere) - loop->completed;
}

/* [loop] */
void tern__loop_attach(struct tern_loop *loop, struct tern__rider *rider);
void tern__loop_detach(struct tern_loop *loop, struct tern__rider *rider);
void tern__loop_detach_all(struct tern_loop *loop);

/* [the loop's thread, or to be] Binds the loop to this thread if it is bound to none. */
void tern__loop_enter(struct tern_loop *loop, const char *call);
/* [loop] Hands over what waits for that, but for one source; nobody may look after it again. */
void tern__loop_hand_over(struct tern_loop *loop, struct tern__source *but);
/* Fatal unless this is the loop's thread, or the loop is bound to none yet; in this process. */
void tern__loop_check(struct tern_loop *loop, const char *call);

#endif
