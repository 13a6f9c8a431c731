/* SPDX-License-Identifier: MIT */
/*
 * A loop in the child of a fork. Its descriptor is the parent's, what it waits for comes home in
 * the parent, and the threads that were in its gate are not there. So the child may only adopt it
 * or destroy it; all else is fatal, else it would write to the parent's descriptor.
 *
 * Both take nothing for granted that another thread may have been in the middle of: inbox, counts
 * and pins are set anew, not worked off. Lists that grow by one store are whole. The heap of timers
 * is so only if the loop's own thread called fork, or none had the loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../base/fatal.h"
#include "loop.h"

void tern__loop_lost(const struct tern_loop *l, const char *call)
{
	tern__fatal(call, "loop %p is the parent's: tern_loop_after_fork comes first in a child",
		    (const void *)l);
}

/* Whether no thread but the caller of fork can have been in the loop, other than in its gate. */
bool tern__loop_is_whole(const struct tern_loop *l)
{
	return !l->bound || tern__fork_was_by(l->owner, l->made_in);
}

/* Under the same number, so that whoever watches it need not know. */
static int replace_descriptor(int number)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), e = 0;

	if (fd < 0)
		return -errno;
	if (fd == number) /* the child has closed it */
		return 0;
	if (dup3(fd, number, O_CLOEXEC) < 0)
		e = -errno;
	close(fd);
	return e;
}

static void forget(struct tern_loop *l)
{
	if (!tern__loop_is_whole(l)) {
		l->timers = (struct tern__timers){.root = NULL};
		l->depth = 0;
	}
	tern__loop_detach_all(l);
	tern__sources_detach_all(l);
	if (l->timers_own)
		tern__timers_forget_own(l);
	l->timers_own = 0;
	l->inbox.top = NULL;
	l->ready = NULL;
	l->ready_tail = &l->ready;
	l->ready_count = 0;
	l->submitted_here = l->submitted_elsewhere = l->completed = l->out_by_sources = 0;
	l->pins = 0;
	/* the gate open, which is right within a dispatch too */
	l->armed = 1;
	l->listening = true;
	l->due = 0;
}

int tern_loop_after_fork(struct tern_loop *l)
{
	int e;

	if (!tern__forked(l->made_in))
		return 0;
	e = replace_descriptor(l->fd);
	if (e)
		return e;
	forget(l);
	if (l->bound)
		tern__loop_take(l);
	tern__store(&l->made_in, tern__fork_generation());
	tern__loop_note_alive(l);
	return 0;
}

void tern__loop_abandon(struct tern_loop *l)
{
	if (l->depth && tern__loop_is_whole(l))
		tern__fatal("tern_loop_destroy", "loop %p is dispatching", (void *)l);
	forget(l);
	if (l->alive && l->binding.alive)
		l->binding.alive(l->binding_user, false);
}

/* Other threads that were looking are not here. */
static void in_child(void)
{
	tern__spin_reset();
}

__attribute__((constructor)) static void watch(void)
{
	tern__fork_register(in_child);
}
