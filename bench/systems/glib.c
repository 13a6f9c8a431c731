/* SPDX-License-Identifier: MIT */
/* GLib: a GThreadPool, and an idle source to bring each completion to the main loop. */
#include "bench.h"

#include <glib-unix.h>
#include <glib.h>

const char system_name[] = "glib";
const size_t system_item_size = sizeof(struct item);

static GThreadPool *pool;
static GMainLoop *loop;

static gboolean done(gpointer item)
{
	done_item(item);
	return G_SOURCE_REMOVE;
}

static void run(gpointer item, gpointer unused)
{
	run_item(item);
	g_idle_add_full(G_PRIORITY_DEFAULT, done, item, NULL);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer unused)
{
	readable(fd);
	return G_SOURCE_CONTINUE;
}

void system_start(void)
{
	loop = g_main_loop_new(NULL, FALSE);
	pool = g_thread_pool_new(run, NULL, (gint)ask.threads, TRUE, NULL);
}

void system_item_init(struct item *item)
{
}

void system_submit(struct item *item)
{
	g_thread_pool_push(pool, item, NULL);
}

void system_watch(int fd)
{
	g_unix_fd_add(fd, G_IO_IN, on_readable, NULL);
}

void system_run(void)
{
	g_main_loop_run(loop);
}

void system_stop(void)
{
	g_main_loop_quit(loop);
}
