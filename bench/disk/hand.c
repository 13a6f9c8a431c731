/* SPDX-License-Identifier: MIT */
/* pread and pwrite on the threads of the pool that users of libev write by hand. */
#include "disk.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

const char *disk_how = "";

static struct item *first_item;
static ssize_t *results;

static size_t index_of(const struct item *item)
{
	return (size_t)((const char *)item - (const char *)first_item) / system_item_size;
}

void run_item(struct item *item)
{
	size_t i = index_of(item);
	off_t offset = (off_t)ios[i].offset;
	ssize_t n = disk.write ? pwrite(disk.fd, ios[i].buffer, disk.block, offset)
			       : pread(disk.fd, ios[i].buffer, disk.block, offset);

	results[i] = n < 0 ? -errno : n;
}

static void done(struct item *item)
{
	size_t i = index_of(item);

	disk_over(&ios[i], results[i]);
	if (disk_next(&ios[i]))
		system_submit(item);
	else if (!disk.flying)
		system_stop();
}

void disk_start(void)
{
	done_item = done;
	system_start();
}

void disk_watch(int fd)
{
	system_watch(fd);
}

void disk_run(void)
{
	first_item = calloc(disk.depth, system_item_size);
	results = calloc(disk.depth, sizeof(*results));
	if (!first_item || !results)
		die("items");
	for (uint64_t i = 0; i < disk.depth; i++)
		if (disk_next(&ios[i]))
			system_submit((struct item *)((char *)first_item + i * system_item_size));
	system_run();
}
