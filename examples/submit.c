/* SPDX-License-Identifier: MIT */
/* Submit and complete: blocking work leaves a libev loop and its result comes home. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <tern/ev.h>
#include <tern/pool.h>

struct lookup {
	struct tern_work work;
	const char *name;
	int error;
	char address[64];
};

/* On a thread of the pool: may block, here on the name service. */
static void look_up(struct tern_work *work)
{
	struct lookup *lookup = tern_container_of(work, struct lookup, work);
	struct addrinfo *info;

	lookup->error = getaddrinfo(lookup->name, NULL, NULL, &info);
	if (lookup->error)
		return;
	getnameinfo(info->ai_addr, info->ai_addrlen, lookup->address, sizeof(lookup->address), NULL,
		    0, NI_NUMERICHOST);
	freeaddrinfo(info);
}

/* On the loop's thread again: the item is ours, and so is everything the loop owns. */
static void show(struct tern_work *work)
{
	struct lookup *lookup = tern_container_of(work, struct lookup, work);

	printf("%s: %s\n", lookup->name,
	       lookup->error ? gai_strerror(lookup->error) : lookup->address);
	free(lookup);
}

int main(void)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "no such name"};
	struct ev_loop *ev = ev_default_loop(EVFLAG_AUTO);
	struct tern_loop *loop;
	struct tern_pool *pool;

	if (!ev || tern_loop_create_ev(&loop, ev, NULL) || tern_pool_create(&pool, NULL))
		return 1;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct lookup *lookup = calloc(1, sizeof(*lookup));

		if (!lookup)
			return 1;
		lookup->name = names[i];
		tern_work_init(&lookup->work, look_up, show);
		tern_pool_submit(pool, loop, &lookup->work);
	}
	puts("the loop is free while names are looked up");
	ev_run(ev, 0); /* returns when nothing is outstanding */
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	ev_loop_destroy(ev);
	return 0;
}
