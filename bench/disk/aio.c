/* SPDX-License-Identifier: MIT */
/* libaio: what was there before io_uring. */
#include "disk.h"

#include <errno.h>
#include <libaio.h>
#include <stdlib.h>

const char system_name[] = "libaio";
const char *disk_how = "";

static io_context_t context;
static struct iocb *blocks, **batch;
static struct io_event *events;
static long batched;

void disk_start(void)
{
	int error = io_setup((int)disk.depth, &context);

	blocks = calloc(disk.depth, sizeof(*blocks));
	batch = calloc(disk.depth, sizeof(*batch));
	events = calloc(disk.depth, sizeof(*events));
	if (error || !blocks || !batch || !events) {
		errno = error ? -error : ENOMEM;
		die("io_setup");
	}
}

void disk_watch(int fd)
{
	errno = ENOTSUP;
	die("probe: no loop");
}

static void put(struct io *io)
{
	struct iocb *iocb = &blocks[io - ios];

	if (!disk_next(io))
		return;
	if (disk.write)
		io_prep_pwrite(iocb, disk.fd, io->buffer, disk.block, (long long)io->offset);
	else
		io_prep_pread(iocb, disk.fd, io->buffer, disk.block, (long long)io->offset);
	iocb->data = io;
	batch[batched++] = iocb;
}

static void submit(void)
{
	long done = 0;

	while (done < batched) {
		int n = io_submit(context, batched - done, batch + done);
		if (n < 0 && n != -EAGAIN && n != -EINTR) {
			errno = -n;
			die("io_submit");
		}
		done += n > 0 ? n : 0;
	}
	batched = 0;
}

void disk_run(void)
{
	for (uint64_t i = 0; i < disk.depth; i++)
		put(&ios[i]);
	while (disk.flying) {
		int n;
		submit();
		n = io_getevents(context, 1, (long)disk.depth, events, NULL);
		if (n < 0 && n != -EINTR) {
			errno = -n;
			die("io_getevents");
		}
		for (int i = 0; i < n; i++) {
			struct io *io = events[i].data;
			disk_over(io, (long)events[i].res);
			put(io);
		}
	}
}
