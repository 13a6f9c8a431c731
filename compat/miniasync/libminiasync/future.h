/* SPDX-License-Identifier: MIT */
/*
 * Drop-in <libminiasync/future.h>: futures that are structures with their data and output behind
 * them, returned and assigned by value, and chains of them that lie one behind the other.
 *
 * A future may be moved until it is first polled. [poller]: the thread that polls it, one at a
 * time. See tern_compat(7); native futures are in <tern/future.h>.
 */
#ifndef TERN_COMPAT_MINIASYNC_FUTURE_H
#define TERN_COMPAT_MINIASYNC_FUTURE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define future_context_get_data	    tern_compat_future_context_get_data
#define future_context_get_output   tern_compat_future_context_get_output
#define future_context_get_size	    tern_compat_future_context_get_size
#define future_poll		    tern_compat_future_poll
#define future_has_property	    tern_compat_future_has_property
#define future_has_property_default tern_compat_future_has_property_default
#define future_chain_has_property   tern_compat_future_chain_has_property
#define async_chain_impl	    tern_compat_async_chain_impl

enum future_state {
	FUTURE_STATE_IDLE,     /* nothing has been started yet, or could be */
	FUTURE_STATE_COMPLETE, /* its output is there; further polls do nothing */
	FUTURE_STATE_RUNNING,  /* it is to be polled again, as the notifier says */
};

struct future_context {
	size_t data_size;
	size_t output_size;
	enum future_state state;
	uint32_t padding; /* private: what lies between context, data and output; two marks */
};

typedef void (*future_waker_wake_fn)(void *data);

/* Whom to wake. May be called on any thread, and once more after the future is complete. */
struct future_waker {
	void *data;
	future_waker_wake_fn wake;
};

struct future_poller {
	uint64_t *ptr_to_monitor;
};

enum future_notifier_type {
	FUTURE_NOTIFIER_NONE,	/* nobody will call: poll again when you like */
	FUTURE_NOTIFIER_WAKER,	/* the waker is called when it is worth another poll */
	FUTURE_NOTIFIER_POLLER, /* what ptr_to_monitor points to changes then */
};

/* In: the waker of who polls. Out: how the future tells that it can get on. */
struct future_notifier {
	struct future_waker waker;
	struct future_poller poller;
	enum future_notifier_type notifier_used;
	uint32_t padding;
};

enum future_property {
	FUTURE_PROPERTY_ASYNC, /* gets on between its polls: polled before those that do not */
};

#define FUTURE_WAKER_WAKE(_wakerp) ((_wakerp)->wake((_wakerp)->data))

/* [poller] Gets on as far as can be without waiting; the notifier may be NULL. */
typedef enum future_state (*future_task_fn)(struct future_context *context,
					    struct future_notifier *notifier);
typedef int (*future_has_property_fn)(void *future, enum future_property property);

struct future {
	future_task_fn task;
	future_has_property_fn has_property;
	struct future_context context;
};

/* [any] The structures behind a context, and the sum of their sizes. */
void *tern_compat_future_context_get_data(struct future_context *context);
void *tern_compat_future_context_get_output(struct future_context *context);
size_t tern_compat_future_context_get_size(struct future_context *context);

/* [poller] Does nothing if the future is complete. Never looks at what notifier points to. */
enum future_state tern_compat_future_poll(struct future *future, struct future_notifier *notifier);

/* [poller] 1 or 0; 0 where the future has no function for it. */
int tern_compat_future_has_property(struct future *future, enum future_property property);
int tern_compat_future_has_property_default(void *future, enum future_property property);

/* [poller] Polls until the future is complete, without a notifier. */
void tern_compat_future_busy_poll(struct future *future);

/* [any, before it is used] What the macros below prepare a future by. */
void tern_compat_future_init(struct future *future, enum future_state state, future_task_fn task,
			     future_has_property_fn has_property, void *data, size_t data_size,
			     void *output, size_t output_size);

#define FUTURE(_name, _data_type, _output_type)                                                    \
	struct _name {                                                                             \
		struct future base;                                                                \
		_data_type data;                                                                   \
		_output_type output;                                                               \
	}

#define TERN_COMPAT_FUTURE_INIT(_futurep, _state, _taskfn, _propertyfn)                            \
	tern_compat_future_init(&(_futurep)->base, (_state), (_taskfn), (_propertyfn),             \
				&(_futurep)->data, sizeof((_futurep)->data), &(_futurep)->output,  \
				sizeof((_futurep)->output))

#define FUTURE_INIT_EXT(_futurep, _taskfn, _propertyfn)                                            \
	TERN_COMPAT_FUTURE_INIT(_futurep, FUTURE_STATE_IDLE, _taskfn, _propertyfn)
#define FUTURE_INIT(_futurep, _taskfn)                                                             \
	FUTURE_INIT_EXT(_futurep, _taskfn, tern_compat_future_has_property_default)
#define FUTURE_INIT_COMPLETE(_futurep)                                                             \
	TERN_COMPAT_FUTURE_INIT(_futurep, FUTURE_STATE_COMPLETE, NULL,                             \
				tern_compat_future_has_property_default)

#define FUTURE_AS_RUNNABLE(_futurep) (&(_futurep)->base)
#define FUTURE_OUTPUT(_futurep)	     (&(_futurep)->output)
#define FUTURE_DATA(_futurep)	     (&(_futurep)->data)
#define FUTURE_STATE(_futurep)	     ((_futurep)->base.context.state)
#define FUTURE_BUSY_POLL(_futurep)   tern_compat_future_busy_poll(FUTURE_AS_RUNNABLE(_futurep))

/* ---- chains ---- */

/* [poller] Of an entry that is complete, for what comes next, or for the chain after the last. */
typedef void (*future_map_fn)(struct future_context *lhs, struct future_context *rhs, void *arg);
/* [poller] Writes the future of an entry, when it is needed. */
typedef void (*future_init_fn)(void *future, struct future_context *chain_fut, void *arg);

#define FUTURE_CHAIN_FLAG_ENTRY_LAST	  ((uint64_t)1 << 0)
#define FUTURE_CHAIN_FLAG_ENTRY_PROCESSED ((uint64_t)1 << 1)
#define FUTURE_CHAIN_VALID_FLAGS	  (FUTURE_CHAIN_FLAG_ENTRY_LAST | FUTURE_CHAIN_FLAG_ENTRY_PROCESSED)

/* What an entry begins with, whichever future it has. */
struct future_chain_entry {
	future_map_fn map;
	void *map_arg;
	future_init_fn init; /* NULL: the future is initialized */
	void *init_arg;
	uint64_t flags;
	uint64_t size; /* private: of the entry; the next one follows */
	struct future future;
};

enum future_chain_entry_type {
	FUTURE_CHAIN_ENTRY_REGULAR = 1,
	FUTURE_CHAIN_ENTRY_LAST = 2,
};

/*
 * Entries begin with 16 bytes or a multiple, and have such a size, so that none lies after a gap:
 * the next is where one ends. More alignment than that would bring gaps back; it does not compile.
 */
#define TERN_COMPAT_CHAIN_ENTRY(_future_type, _name, _kind)                                        \
	struct {                                                                                   \
		future_map_fn map;                                                                 \
		void *map_arg;                                                                     \
		future_init_fn init;                                                               \
		void *init_arg;                                                                    \
		union {                                                                            \
			uint64_t bits;                                                             \
			uint8_t (*kind)[__alignof__(_future_type) > 16 ? -1 : (_kind)];            \
		} flags;                                                                           \
		uint64_t size;                                                                     \
		_future_type fut;                                                                  \
		char tail[16 - sizeof(_future_type) % 16];                                         \
	} _name

#define FUTURE_CHAIN_ENTRY(_future_type, _name)                                                    \
	TERN_COMPAT_CHAIN_ENTRY(_future_type, _name, FUTURE_CHAIN_ENTRY_REGULAR)
#define FUTURE_CHAIN_ENTRY_LAST(_future_type, _name)                                               \
	TERN_COMPAT_CHAIN_ENTRY(_future_type, _name, FUTURE_CHAIN_ENTRY_LAST)

#define FUTURE_CHAIN_ENTRY_LAZY_INIT(_entry, _init, _init_arg, _map, _map_arg)                     \
	do {                                                                                       \
		(_entry)->map = (_map);                                                            \
		(_entry)->map_arg = (_map_arg);                                                    \
		(_entry)->init = (_init);                                                          \
		(_entry)->init_arg = (_init_arg);                                                  \
		(_entry)->flags.bits = sizeof(*(_entry)->flags.kind) == FUTURE_CHAIN_ENTRY_LAST    \
					       ? FUTURE_CHAIN_FLAG_ENTRY_LAST                      \
					       : 0;                                                \
		(_entry)->size = sizeof(*(_entry));                                                \
	} while (0)

#define FUTURE_CHAIN_ENTRY_INIT(_entry, _fut, _map, _map_arg)                                      \
	do {                                                                                       \
		(_entry)->fut = (_fut);                                                            \
		FUTURE_CHAIN_ENTRY_LAZY_INIT(_entry, NULL, NULL, _map, _map_arg);                  \
	} while (0)

/* Of a struct future_chain_entry. */
#define FUTURE_CHAIN_ENTRY_HAS_FLAG(_entry, _flag) (((_entry)->flags & (_flag)) == (_flag))
#define FUTURE_CHAIN_ENTRY_IS_LAST(_entry)                                                         \
	FUTURE_CHAIN_ENTRY_HAS_FLAG(_entry, FUTURE_CHAIN_FLAG_ENTRY_LAST)
#define FUTURE_CHAIN_ENTRY_IS_PROCESSED(_entry)                                                    \
	FUTURE_CHAIN_ENTRY_HAS_FLAG(_entry, FUTURE_CHAIN_FLAG_ENTRY_PROCESSED)
/* Of any entry. */
#define FUTURE_CHAIN_ENTRY_IS_INITIALIZED(_entry) ((_entry)->init == NULL)

#define FUTURE_CHAIN_INIT(_futurep)                                                                \
	FUTURE_INIT_EXT(_futurep, tern_compat_async_chain_impl,                                    \
			tern_compat_future_chain_has_property)

/* [poller] The task of a chain, and its properties: those of the entry that is next. */
enum future_state tern_compat_async_chain_impl(struct future_context *context,
					       struct future_notifier *notifier);
int tern_compat_future_chain_has_property(void *future, enum future_property property);

#ifdef __cplusplus
}
#endif

#endif
