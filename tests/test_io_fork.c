/* SPDX-License-Identifier: MIT */
/* fork: a child can do nothing with a queue of its parent's but end it, and the parent notices
 * nothing. */
#include "forking.h"

#define BLOCK 4096
#define OUT   8

/* A queue with requests out, on each engine in turn. */
struct scene {
	struct tern_loop *loop;
	struct tern_pool *pool;
	struct tern_io_queue *queue;
	struct tern_io_file file;
	struct tern_io *io[OUT], *lent;
	bool adopts, is_child;
	unsigned dones, i;
};

static void over(struct tern_io *io)
{
	struct scene *s = io->user;

	ck_assert_int_eq(io->result, BLOCK);
	s->dones++;
	tern_io_release(io);
}

static void scene_open(struct scene *s, const struct tern_io_engine *engine)
{
	const struct tern_io_opts opts = {
		.size = sizeof(opts), .engine = engine, .fallback = tern_io_engine_sync()};
	char path[] = "/tmp/tern-fork-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	unlink(path);
	ck_assert_int_eq(ftruncate(fd, OUT * BLOCK), 0);
	ck_assert_int_eq(tern_io_adopt(&s->file, fd, TERN_IO_BUFFERED), 0);
	ck_assert_int_eq(tern_io_queue_create(&s->queue, s->loop, &opts), 0);
	for (unsigned i = 0; i < OUT; i++) {
		s->io[i] = tern_io_get(s->queue);
		tern_io_prep_read(s->io[i], &s->file, i * BLOCK, BLOCK);
		s->io[i]->done = over;
		s->io[i]->deadline_ns = UINT64_C(3600000000000);
		s->io[i]->user = s;
		ck_assert_int_eq(tern_io_submit(s->io[i]), 0);
	}
	s->lent = tern_io_get(s->queue);
	tern_io_prep_read(s->lent, &s->file, 0, BLOCK);
	s->dones = 0;
}

static void scene_close(struct scene *s)
{
	ck_assert_int_eq(tern_io_queue_destroy(s->queue), -EBUSY);
	ck_assert_int_eq(tern_loop_run(s->loop), 0);
	ck_assert_uint_eq(s->dones, OUT);
	tern_io_release(s->lent);
	ck_assert_int_eq(tern_io_queue_destroy(s->queue), 0);
	close(s->file.fd);
}

static void on_each_engine(void (*fn)(struct scene *s))
{
	struct scene s = {.loop = loop_new(), .pool = pool_new(1, 1)};
	struct tern_io_engine pool;
	const struct tern_io_engine *engines[] = {tern_io_engine_uring(), &pool,
						  tern_io_engine_sync()};

	work_through(s.pool, s.loop); /* its thread has come */
	tern_io_engine_pool(&pool, s.pool, 0);
	for (unsigned i = 0; i < 2 * COUNT(engines); i++) {
		s.adopts = i % 2;
		scene_open(&s, engines[i / 2]);
		fn(&s);
		scene_close(&s);
	}
	tern_loop_destroy(s.loop);
	tern_pool_destroy(s.pool);
}

static void read_with_a_queue_of_its_own(struct scene *s)
{
	const struct tern_io_opts opts = {.size = sizeof(opts), .engine = tern_io_engine_sync()};
	struct tern_io_queue *queue;
	struct tern_io *io;

	MUST(!tern_io_queue_create(&queue, s->loop, &opts));
	io = tern_io_get(queue);
	tern_io_prep_read(io, &s->file, 0, BLOCK);
	MUST(!tern_io_submit(io));
	MUST(tern_io_wait(queue) == io && io->result == BLOCK);
	tern_io_release(io);
	MUST(!tern_io_queue_destroy(queue));
}

static void leave(void *arg)
{
	struct scene *s = arg;

	MUST(!s->adopts || !tern_loop_after_fork(s->loop));
	MUST(!tern_io_queue_destroy(s->queue));
	if (s->adopts) {
		MUST(!tern_loop_run(s->loop)); /* no deadline is left in it */
		read_with_a_queue_of_its_own(s);
	}
	tern_loop_destroy(s->loop);
	MUST(!s->dones);
}

static void end_it_in_a_child(struct scene *s)
{
	in_child(leave, s);
}

static void a_child_ends_the_queue(void)
{
	on_each_engine(end_it_in_a_child);
}

static void fork_and_end(struct tern_io *io)
{
	struct scene *s = io->user;
	pid_t child = fork_child();

	if (child) {
		reap(child);
		return;
	}
	MUST(!tern_loop_after_fork(s->loop));
	MUST(!tern_io_queue_destroy(s->queue));
	s->is_child = true;
}

/* What brought it home finds that the queue is gone. */
static void end_it_in_a_done(struct scene *s)
{
	for (unsigned way = 0; way < 3 && s->adopts; way++) {
		uint64_t n = 0;

		s->lent->done = fork_and_end;
		s->lent->user = s;
		ck_assert_int_eq(tern_io_submit(s->lent), 0);
		while (way == 0 && !s->is_child && tern_io_outstanding(s->queue))
			n = tern_io_poke(s->queue, 0);
		if (way == 1)
			n = tern_io_wait(s->queue) != NULL;
		if (way == 2)
			n = tern_io_drain(s->queue);
		if (!s->is_child)
			continue;
		MUST(!n);
		read_with_a_queue_of_its_own(s);
		tern_loop_destroy(s->loop);
		_exit(EXIT_SUCCESS);
	}
}

static void a_child_ends_the_queue_in_a_done(void)
{
	on_each_engine(end_it_in_a_done);
}

static void do_get(struct scene *s)
{
	tern_io_get(s->queue);
}

static void do_prep(struct scene *s)
{
	tern_io_prep_read(s->lent, &s->file, 0, BLOCK);
}

static void do_submit(struct scene *s)
{
	MUST(tern_io_submit(s->lent));
}

static void do_release(struct scene *s)
{
	tern_io_release(s->lent);
}

static void do_cancel(struct scene *s)
{
	tern_io_cancel(s->io[OUT - 1]);
}

static void do_poke(struct scene *s)
{
	tern_io_poke(s->queue, 0);
}

static void do_wait(struct scene *s)
{
	tern_io_wait(s->queue);
}

static void do_drain(struct scene *s)
{
	tern_io_drain(s->queue);
}

static void do_sync(struct scene *s)
{
	tern_io_sync(s->queue);
}

static void (*const uses[])(struct scene *s) = {
	do_get, do_prep, do_submit, do_release, do_cancel, do_poke, do_wait, do_drain, do_sync,
};

static void is_expected(const char *line)
{
	MUST(strstr(line, "tern_io_") && strstr(line, "is the parent's"));
	_exit(EXIT_SUCCESS);
}

static void misuse(void *arg)
{
	struct scene *s = arg;

	MUST(!s->adopts || !tern_loop_after_fork(s->loop));
	tern_set_fatal(is_expected);
	uses[s->i](s);
	MUST(!"reached");
}

static void misuse_in_children(struct scene *s)
{
	for (s->i = 0; s->i < COUNT(uses); s->i++)
		in_child(misuse, s);
}

static void all_use_is_fatal(void)
{
	on_each_engine(misuse_in_children);
}

static const struct test tests[] = {
	{"a child ends the queue, whatever is out, and its parent's requests come home",
	 a_child_ends_the_queue},
	{"a child may end the queue in a done, whatever call entered that",
	 a_child_ends_the_queue_in_a_done},
	{"all else that a child does with the queue is fatal", all_use_is_fatal},
};

int main(int argc, char **argv)
{
	return run_tests("io_fork", tests, COUNT(tests), argc, argv);
}
