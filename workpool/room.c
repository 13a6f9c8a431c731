/* SPDX-License-Identifier: MIT */
/*
 * How much may wait in a pool, for those who ask: queue_max, try_submit, and word when there is
 * room again.
 *
 * `unstarted` counts what was submitted and neither started nor cancelled, wherever it is, and only
 * in pools that have a bound: else it would cost every item a line that all share.
 *
 * Whoever waits for room looks whether there is some and joins the list under the lock. Whoever
 * makes room counts down under the lock, and looks at the list. So none is overlooked. Whoever is
 * refused does not count, not even for a moment: else it could take the room of another.
 */
#include <errno.h>

#include "../lib/base/fatal.h"
#include "pool.h"

static struct tern_post *post_of(struct tern_node *node)
{
	return node ? tern_container_of(node, struct tern_post, node) : NULL;
}

void tern__room_enter(struct tern_pool *p, size_t n)
{
	if (p->queue_max != TERN_FOREVER)
		tern__add_seq(&p->unstarted, (uint32_t)n);
}

/* All of them, who has waited longest first: whoever finds the room taken asks again. */
static struct tern_post *take_waiters(struct tern_pool *p)
{
	struct tern_node *first = NULL;

	while (p->room_waiters) {
		struct tern_node *node = &p->room_waiters->node;

		p->room_waiters = post_of(node->next);
		node->next = first;
		first = node;
	}
	return post_of(first);
}

struct tern_post *tern__room_leave(struct tern_pool *p)
{
	uint32_t left = tern__sub_seq(&p->unstarted, 1) - 1;

	return left < p->queue_max ? take_waiters(p) : NULL;
}

struct tern_post *tern__room_close(struct tern_pool *p)
{
	return take_waiters(p);
}

/* As with an item: it has kept its loop alive until here. */
static void deliver(struct tern_node *node)
{
	struct tern_post *post = post_of(node);

	tern__loop_completed(node->home);
	tern__store_release(&node->home, NULL);
	post->fn(post);
}

void tern__room_tell(struct tern_post *posts)
{
	while (posts) {
		struct tern_post *post = posts;
		struct tern_loop *home = post->node.home;

		posts = post_of(post->node.next);
		tern__loop_give(home, &post->node, false);
	}
}

void tern_pool_notify_room(struct tern_pool *p, struct tern_loop *home, struct tern_post *post)
{
	static const char call[] = "tern_pool_notify_room";
	struct tern_post *posts = NULL;

	if (!post->fn)
		tern__fatal(call, "post %p has no function", (void *)post);
	tern__loop_check_fork(home, call);
	if (tern__xchg_seq(&post->node.home, home))
		tern__fatal(call, "post %p is already on its way", (void *)post);
	tern__loop_submitted(home, 1, tern__loop_is_mine(home));
	post->node.deliver = deliver;
	if (tern__pool_is_parents(p)) {
		post->node.next = NULL;
		tern__room_tell(post);
		return;
	}
	tern__pool_lock(p);
	post->node.next = p->room_waiters ? &p->room_waiters->node : NULL;
	p->room_waiters = post;
	if (p->closing || tern__load_seq(&p->unstarted) < p->queue_max)
		posts = take_waiters(p);
	tern__pool_unlock(p);
	tern__room_tell(posts);
}

/* False: there is no room, or was none a moment ago. */
static bool enter_if_room(struct tern_pool *p)
{
	uint32_t n;

	if (p->queue_max == TERN_FOREVER)
		return true;
	n = tern__load(&p->unstarted);
	while (n < p->queue_max)
		if (tern__cas_weak_seq(&p->unstarted, &n, n + 1))
			return true;
	return false;
}

int tern_pool_try_submit(struct tern_pool *p, struct tern_loop *home, struct tern_work *w)
{
	const struct tern_lane *lane = tern__lane_of(w);

	if (w->priority > TERN_LOW || (lane && lane->pool != p))
		return -EINVAL;
	if (p && tern__pool_is_parents(p))
		return -ECHILD;
	if (p && !enter_if_room(p))
		return -EAGAIN;
	tern__work_submit(p, home, w, "tern_pool_try_submit");
	return 0;
}
