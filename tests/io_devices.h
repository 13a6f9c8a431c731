/* SPDX-License-Identifier: MIT */
/*
 * Block devices and file systems for a test, of this process alone: they go when it ends, however
 * it ends, as nothing else holds them. Each returns NULL, or why it cannot be had here.
 */
#ifndef TERN_TESTS_IO_DEVICES_H
#define TERN_TESTS_IO_DEVICES_H

#include <stddef.h>
#include <stdint.h>

#define MOUNTED "/mnt" /* where this process has its file system */

/* A loop device on a file without a name, whose descriptor is at *backing. */
struct loop_device {
	char path[32];
	int fd, backing;
};

/* read_only: the device, not the file. */
const char *loop_device(struct loop_device *loop, size_t size, uint32_t block, int read_only);
void loop_device_end(struct loop_device *loop);

/* Mounts a file system at MOUNTED, where only this process and its children see it. */
const char *mount_here(const char *type, const char *source, const char *options);
int unmount_here(void); /* 0, or a negative errno */

/* A fresh device in memory. */
const char *zram_device(char path[32], size_t size);

/* Lets this process, and its children, read a device but so many times a second. */
const char *slow_device(const char *path, unsigned reads_per_second);

#endif
