/* SPDX-License-Identifier: MIT */
/* A loop's sources: what completes on the loop's own thread. Most loops have none. */
#include "loop.h"

void tern__source_attach(struct tern_loop *loop, struct tern__source *source, bool writes)
{
	source->next = loop->sources;
	loop->sources = source;
	if (writes)
		loop->sourced = true;
}

void tern__source_detach(struct tern_loop *loop, struct tern__source *source)
{
	struct tern__source **link = &loop->sources;

	while (*link != source)
		link = &(*link)->next;
	*link = source->next;
}

void tern__sources_detach_all(struct tern_loop *loop)
{
	while (loop->sources) {
		struct tern__source *s = loop->sources;

		loop->sources = s->next;
		s->ops->detach(s);
	}
}

void tern__sources_flush_all(struct tern__source *first)
{
	for (struct tern__source *s = first; s; s = s->next)
		s->ops->flush(s);
}

bool tern__sources_any_ready(struct tern__source *first)
{
	for (struct tern__source *s = first; s; s = s->next)
		if (s->ops->ready(s))
			return true;
	return false;
}

void tern__sources_fetch_all(struct tern_loop *loop)
{
	for (struct tern__source *s = loop->sources; s; s = s->next) {
		if (!s->ops->ready(s))
			continue;
		loop->maybe_rung = true;
		s->ops->fetch(s);
	}
}
