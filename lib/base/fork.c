/* SPDX-License-Identifier: MIT */
/* How a process knows that it is the child of a fork. */
#include "fork.h"

uint32_t tern__generation;

/* Of the thread that called the last fork, and since which generation it exists. */
static pthread_t forker;
static uint32_t forker_since;

/* The generation that this thread has come into by a fork of its own; 0: it has called none. */
static __thread uint32_t came_into;

static int register_error;

static void in_child(void)
{
	if (came_into != tern__generation)
		forker_since = tern__generation; /* a thread of that process, not its first */
	forker = pthread_self();
	tern__store(&tern__generation, tern__generation + 1);
	came_into = tern__generation;
}

bool tern__fork_was_by(pthread_t thread, uint32_t generation)
{
	/* a thread that came later may have the name of one that was lost */
	return generation >= forker_since && pthread_equal(thread, forker);
}

void tern__fork_register(void (*fn)(void))
{
	int e = pthread_atfork(NULL, NULL, fn);

	if (e)
		register_error = -e;
}

int tern__fork_error(void)
{
	return register_error;
}

/* Here and not at the first create, because another thread may be forking then. */
__attribute__((constructor)) static void watch(void)
{
	tern__fork_register(in_child);
}
