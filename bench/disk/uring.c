/* SPDX-License-Identifier: MIT */
/* liburing with nothing around it: submit what there is, wait for one, take all that came. */
#include "ring.h"

#include <errno.h>

const char system_name[] = "liburing";

void disk_start(void)
{
	ring_start();
}

void disk_watch(int fd)
{
	errno = ENOTSUP;
	die("probe: no loop");
}

void disk_run(void)
{
	ring_fill();
	while (disk.flying) {
		int error = io_uring_submit_and_wait(&ring, 1);
		if (error < 0 && error != -EINTR && error != -EAGAIN && error != -EBUSY) {
			errno = -error;
			die("io_uring_enter");
		}
		ring_reap();
	}
}
