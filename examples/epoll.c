/* SPDX-License-Identifier: MIT */
/* Any event loop: three calls attach tern to it, here to a plain epoll loop with a clock in it. */
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <tern.h>
#include <unistd.h>

struct sum {
	struct tern_work work;
	uint64_t upto, result;
};

static void add_up(struct tern_work *work)
{
	struct sum *sum = tern_container_of(work, struct sum, work);

	for (uint64_t i = 1; i <= sum->upto; i++) {
		sum->result += i;
		__asm__ volatile("" ::: "memory"); /* keep the compiler from knowing the answer */
	}
}

static void show(struct tern_work *work)
{
	struct sum *sum = tern_container_of(work, struct sum, work);

	printf("1 + ... + %ju = %ju\n", (uintmax_t)sum->upto, (uintmax_t)sum->result);
}

static int watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Nanoseconds become milliseconds, rounded up; no limit stays -1. */
static int timeout_ms(int64_t ns)
{
	return ns < 0 ? -1 : (int)((ns + 999999) / 1000000);
}

int main(void)
{
	const struct itimerspec tick = {{0, 20000000}, {0, 20000000}};
	struct sum sums[] = {{.upto = 1000000}, {.upto = 100000000}};
	int epoll = epoll_create1(0), clock = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct tern_loop *loop;
	struct tern_pool *pool;
	uint64_t ticks, total = 0;

	if (tern_loop_create(&loop, NULL) || tern_pool_create(&pool, NULL) ||
	    timerfd_settime(clock, 0, &tick, NULL) || watch(epoll, clock) ||
	    watch(epoll, tern_loop_fd(loop))) /* 1: watch its descriptor */
		return 1;
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		tern_work_init(&sums[i].work, add_up, show);
		tern_pool_submit(pool, loop, &sums[i].work);
	}
	for (;;) {
		int wait_ms = timeout_ms(tern_loop_prepare(loop)); /* 2: before each poll */
		struct epoll_event event;

		if (!tern_loop_alive(loop))
			break;
		if (epoll_wait(epoll, &event, 1, wait_ms) < 1)
			continue;
		if (event.data.fd == tern_loop_fd(loop))
			tern_loop_dispatch(loop, 0); /* 3: when it is readable */
		else if (read(clock, &ticks, sizeof(ticks)) == sizeof(ticks))
			total += ticks;
	}
	printf("the clock ticked %ju times meanwhile\n", (uintmax_t)total);
	tern_pool_destroy(pool);
	tern_loop_destroy(loop);
	return close(clock) | close(epoll);
}
