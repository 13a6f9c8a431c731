/* SPDX-License-Identifier: MIT */
/*
 * Deadline: read this block, sum it on the pool, copy it there, write it back behind itself, and
 * give up after 2 s. One chain, in which each step is prepared from what the one before has found.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern.h>
#include <unistd.h>

#define BLOCK_SIZE 65536
#define PATIENCE   2000 /* ms */

enum {
	READ,
	SUM,
	COPY,
	WRITE,
	STEPS
};

static struct job {
	struct tern_io_file file;
	struct tern_io *from, *to;
	struct tern_io_future read, write;
	struct tern_vdm *vdm;
	struct tern_vdm_op sum, copy;
	struct tern_step steps[STEPS];
	struct tern_chain chain;
	struct tern_timeout timeout;
	struct tern_future_run run;
	struct tern_loop *loop;
} job;

static int prepare_sum(struct tern_chain *chain, struct tern_step *step,
		       const struct tern_future *before)
{
	if (before->result < BLOCK_SIZE)
		return -ENODATA; /* the file is shorter: all that follows is left out */
	tern_vdm_prep_crc32c(&job.sum, job.vdm, job.from->buffer, BLOCK_SIZE, 0, 0);
	return 0;
}

static int prepare_copy(struct tern_chain *chain, struct tern_step *step,
			const struct tern_future *before)
{
	tern_vdm_prep_memcpy(&job.copy, job.vdm, job.to->buffer, job.from->buffer, BLOCK_SIZE, 0);
	return 0;
}

static void released(struct tern_future *future, void *user)
{
	tern_io_release(job.from);
	tern_io_release(job.to);
}

/* In time or not: the buffers are still in use until the timeout is released. */
static void done(struct tern_future *future, void *user)
{
	if (future->result < 0)
		printf("%s\n", strerror(-(int)future->result));
	else
		printf("%" PRId64 " bytes written back, crc32c %08" PRIx32 "\n", future->result,
		       job.sum.crc32c);
	tern_future_run(&job.run, job.loop, &job.timeout.select.released, released, NULL);
}

static void start(struct tern_io_queue *queue, uint64_t patience_ms)
{
	job.from = tern_io_get(queue);
	job.to = tern_io_get(queue);
	tern_io_prep_read(job.from, &job.file, 0, BLOCK_SIZE);
	tern_io_prep_write(job.to, &job.file, BLOCK_SIZE, BLOCK_SIZE);
	tern_io_future_init(&job.read, job.from);
	tern_io_future_init(&job.write, job.to);
	job.steps[READ] = (struct tern_step){.future = &job.read.future};
	job.steps[SUM] = (struct tern_step){.future = &job.sum.future, .map = prepare_sum};
	job.steps[COPY] = (struct tern_step){.future = &job.copy.future, .map = prepare_copy};
	job.steps[WRITE] = (struct tern_step){.future = &job.write.future};
	tern_chain_init(&job.chain, job.steps, STEPS);
	tern_timeout_init(&job.timeout, &job.chain.future, patience_ms * 1000000);
	tern_future_run(&job.run, job.loop, &job.timeout.future, done, NULL);
}

int main(int argc, char **argv)
{
	const struct tern_io_opts opts = {
		.size = sizeof(opts), .buffer_size = BLOCK_SIZE, .fallback = tern_io_engine_sync()};
	char path[] = "/tmp/deadline.XXXXXX";
	struct tern_io_queue *queue;
	struct tern_pool *pool;
	int fd = argc > 1 ? open(argv[1], O_RDWR) : mkstemp(path);

	if (fd < 0 || (argc < 2 && (unlink(path) || ftruncate(fd, BLOCK_SIZE))))
		return 1;
	if (tern_io_adopt(&job.file, fd, TERN_IO_DIRECT_PREFER) ||
	    tern_loop_create(&job.loop, NULL) || tern_pool_create(&pool, NULL) ||
	    tern_vdm_pool_create(&job.vdm, pool, NULL) ||
	    tern_io_queue_create(&queue, job.loop, &opts))
		return 1;
	start(queue, argc > 2 ? strtoull(argv[2], NULL, 10) : PATIENCE);
	tern_loop_run(job.loop);
	tern_io_queue_destroy(queue);
	tern_loop_destroy(job.loop);
	tern_vdm_pool_destroy(job.vdm);
	tern_pool_destroy(pool);
	return close(fd);
}
