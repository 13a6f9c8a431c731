/* SPDX-License-Identifier: MIT */
/*
 * Bells: what the wakers that the runtime and tern_compat_miniasync_run give out lead to. An old
 * future may call its waker after the poll that found it complete, when the runtime, the run and
 * its loop may all be gone. So bells are never freed, but used again: a late ring then is one too
 * many for somebody else, which harms nobody.
 */
#include <stdlib.h>

#include "private.h"

struct bell {
	pthread_mutex_t lock;
	struct tern_future *future; /* NULL: nobody listens */
	struct bell *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bell *unused;

static struct bell *make(void)
{
	struct bell *b = malloc(sizeof(*b));

	if (!b)
		return NULL;
	*b = (struct bell){0};
	if (!pthread_mutex_init(&b->lock, NULL))
		return b;
	free(b);
	return NULL;
}

struct bell *tern__miniasync_bell_get(struct tern_future *future)
{
	struct bell *b;

	pthread_mutex_lock(&lock);
	b = unused;
	if (b)
		unused = b->next;
	pthread_mutex_unlock(&lock);
	if (!b)
		b = make();
	if (!b)
		return NULL;
	pthread_mutex_lock(&b->lock);
	b->future = future;
	pthread_mutex_unlock(&b->lock);
	return b;
}

void tern__miniasync_bell_put(struct bell *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->future = NULL;
	pthread_mutex_unlock(&b->lock);
	pthread_mutex_lock(&lock);
	b->next = unused;
	unused = b;
	pthread_mutex_unlock(&lock);
}

void tern__miniasync_bell_ring(void *bell)
{
	struct bell *b = bell;

	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	if (b->future)
		tern_future_wake(b->future); /* enters no code of the program's */
	pthread_mutex_unlock(&b->lock);
}
