/* SPDX-License-Identifier: MIT */
/* Submit and complete: blocking work leaves a libev loop and its result comes home. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/ev.h>
#include <tern/pool.h>

struct count {
	struct tern_work work;
	const char *path;
	int error;
	unsigned lines;
};

/* On a thread of the pool: may block, here on the disk. */
static void count_lines(struct tern_work *work)
{
	struct count *count = tern_container_of(work, struct count, work);
	FILE *file = fopen(count->path, "r");
	int c;

	if (!file) {
		count->error = errno;
		return;
	}
	while ((c = getc(file)) != EOF)
		count->lines += c == '\n';
	fclose(file);
}

/* On the loop's thread again: the item is ours, and so is everything the loop owns. */
static void show(struct tern_work *work)
{
	struct count *count = tern_container_of(work, struct count, work);

	if (count->error)
		printf("%s: %s\n", count->path, strerror(count->error));
	else
		printf("%s: %u lines\n", count->path, count->lines);
	free(count);
}

int main(void)
{
	static const char *const paths[] = {"/etc/passwd", "/proc/cpuinfo", "/no/such/file"};
	struct ev_loop *ev = ev_default_loop(EVFLAG_AUTO);
	struct tern_loop *loop;
	struct tern_pool *pool;

	if (!ev || tern_loop_create_ev(&loop, ev, NULL) || tern_pool_create(&pool, NULL))
		return 1;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct count *count = calloc(1, sizeof(*count));

		if (!count)
			return 1;
		count->path = paths[i];
		tern_work_init(&count->work, count_lines, show);
		tern_pool_submit(pool, loop, &count->work);
	}
	puts("the loop is free while files are read");
	ev_run(ev, 0); /* returns when nothing is outstanding */
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	ev_loop_destroy(ev);
	return 0;
}
