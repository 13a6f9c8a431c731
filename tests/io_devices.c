/* SPDX-License-Identifier: MIT */
/*
 * Block devices and file systems for a test, of this process alone: loop devices that clear
 * themselves with their last user, and mounts in a name space of its own.
 */
#include "io_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char said[160];

static const char *why(const char *what)
{
	snprintf(said, sizeof(said), "%s: %s", what, strerror(errno));
	return said;
}

static int backing_file(size_t size)
{
	char path[] = "/tmp/tern-backing-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return -1;
	unlink(path);
	if (ftruncate(fd, (off_t)size)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Another process may take the free one first. */
static int configure(struct loop_device *loop, const struct loop_config *config)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), e = -1;

	for (int attempt = 0; attempt < 20 && control >= 0; attempt++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		if (n < 0)
			break;
		snprintf(loop->path, sizeof(loop->path), "/dev/loop%d", n);
		loop->fd = open(loop->path, O_RDWR | O_CLOEXEC);
		if (loop->fd < 0)
			break;
		e = ioctl(loop->fd, LOOP_CONFIGURE, config);
		if (!e || errno != EBUSY)
			break;
		close(loop->fd);
	}
	if (control >= 0)
		close(control);
	return e;
}

const char *loop_device(struct loop_device *loop, size_t size, uint32_t block, int read_only)
{
	struct loop_config config = {
		.block_size = block,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0),
	};

	*loop = (struct loop_device){.fd = -1, .backing = backing_file(size)};
	if (loop->backing < 0)
		return why("no file for a loop device");
	config.fd = (uint32_t)loop->backing;
	if (!configure(loop, &config))
		return NULL;
	return why("no loop device");
}

void loop_device_end(struct loop_device *loop)
{
	close(loop->fd);
	close(loop->backing);
}

const char *mount_here(const char *type, const char *source, const char *options)
{
	static int alone;

	if (!alone && unshare(CLONE_NEWNS))
		return why("no mounts of our own");
	if (!alone && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return why("mounts cannot be made private");
	alone = 1;
	if (mount(source, MOUNTED, type, 0, options)) {
		snprintf(said, sizeof(said), "no %s at " MOUNTED ": %s", type, strerror(errno));
		return said;
	}
	return NULL;
}

int unmount_here(void)
{
	return umount2(MOUNTED, 0) ? -errno : 0;
}

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), e;

	if (fd < 0)
		return -1;
	e = write(fd, text, strlen(text)) < 0;
	close(fd);
	return e ? -1 : 0;
}

/* A process that outlives this one and its children, and nothing else. */
static void remove_when_all_have_ended(int (*remove)(const char *what), const char *what)
{
	char byte;
	int fds[2];

	if (pipe(fds) || fork())
		return; /* both ends stay open */
	setsid();
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	close(fds[1]);
	while (read(fds[0], &byte, 1) < 0 && errno == EINTR)
		;
	for (int attempt = 0; attempt < 100000 && remove(what); attempt++)
		sched_yield(); /* others look at new devices, too */
	_exit(0);
}

static int remove_zram(const char *number)
{
	return write_to("/sys/class/zram-control/hot_remove", number);
}

const char *zram_device(char path[32], size_t size)
{
	char text[64] = "";
	int fd = open("/sys/class/zram-control/hot_add", O_RDONLY | O_CLOEXEC), zram;
	char number[16];

	if (fd < 0)
		return why("no zram");
	if (read(fd, text, sizeof(text) - 1) <= 0) {
		close(fd);
		return why("no new zram device");
	}
	close(fd);
	zram = atoi(text);
	snprintf(number, sizeof(number), "%d", zram);
	remove_when_all_have_ended(remove_zram, number);
	snprintf(path, 32, "/dev/zram%d", zram);
	snprintf(text, sizeof(text), "/sys/block/zram%d/disksize", zram);
	snprintf(said, sizeof(said), "%zu", size);
	if (write_to(text, said))
		return why("no size for a zram device");
	return access(path, R_OK | W_OK) ? why("no node of a zram device") : NULL;
}

/* By a control group of this process, which ends with it. */
const char *slow_device(const char *path, unsigned reads_per_second)
{
	char group[64], file[128], text[64];
	const char *refused = mount_here("cgroup", "tern", "blkio");
	struct stat st;

	if (refused)
		return refused;
	if (stat(path, &st))
		return why("no device to slow down");
	snprintf(group, sizeof(group), MOUNTED "/tern-slow-%d", (int)getpid());
	if (mkdir(group, 0700))
		return why("no control group");
	remove_when_all_have_ended(rmdir, group);
	snprintf(file, sizeof(file), "%s/blkio.throttle.read_iops_device", group);
	snprintf(text, sizeof(text), "%u:%u %u", major(st.st_rdev), minor(st.st_rdev),
		 reads_per_second);
	if (write_to(file, text))
		return why("no throttle");
	snprintf(file, sizeof(file), "%s/cgroup.procs", group);
	return write_to(file, "0") ? why("not in the control group") : NULL;
}
