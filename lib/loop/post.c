/* SPDX-License-Identifier: MIT */
/* Posts: a message from any thread that runs on the loop's. */
#include "../base/fatal.h"
#include "loop.h"

void tern_post_init(struct tern_post *post, void (*fn)(struct tern_post *post))
{
	*post = (struct tern_post){.fn = fn};
}

static void deliver(struct tern_node *node)
{
	struct tern_post *post = tern_container_of(node, struct tern_post, node);

	tern__store_release(&node->home, NULL);
	post->fn(post);
}

void tern_loop_post(struct tern_loop *loop, struct tern_post *post)
{
	if (!post->fn)
		tern__fatal("tern_loop_post", "post %p has no function", (void *)post);
	tern__loop_check_fork(loop, "tern_loop_post");
	if (tern__xchg_seq(&post->node.home, loop))
		tern__fatal("tern_loop_post", "post %p is already on its way", (void *)post);
	post->node.deliver = deliver;
	tern__loop_give(loop, &post->node, tern__loop_is_mine(loop));
}
