/* SPDX-License-Identifier: MIT */
/* The probe: how long a tick from another process takes there and back. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TICK_NS = 1000000,
	TICKS_AT_ONCE = 64
};

struct outcome {
	struct hist ticks; /* there and back */
	struct hist late;  /* of these, how late the prober itself was */
	bool realtime;
};

static int to_loop[2], from_loop[2];
static struct outcome *outcome;
static pid_t child;

static void charge(uint64_t upto_ns)
{
	uint64_t due[TICKS_AT_ONCE];
	ssize_t n;

	while ((n = read(from_loop[0], due, sizeof(due))) > 0)
		for (size_t i = 0; i < (size_t)n / sizeof(due[0]); i++)
			if (due[i] <= upto_ns)
				hist_add(&outcome->ticks, now_ns() - due[i]);
}

__attribute__((noreturn)) static void probe(uint64_t first_ns, uint64_t end_ns)
{
	struct sched_param param = {.sched_priority = 1};
	struct pollfd back = {.fd = from_loop[0], .events = POLLIN};
	uint64_t due = first_ns, now;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1);
	outcome->realtime = sched_setscheduler(0, SCHED_FIFO, &param) == 0;
	while ((now = now_ns()) < end_ns) {
		struct timespec wait = {.tv_nsec = due > now ? (long)(due - now) : 0};
		if (due > now) {
			if (ppoll(&back, 1, &wait, NULL) > 0)
				charge(end_ns);
			continue;
		}
		hist_add(&outcome->late, now - due);
		if (write(to_loop[1], &due, sizeof(due)) != sizeof(due))
			_exit(1);
		due += TICK_NS;
	}
	/* What has not come back yet is charged too. */
	while (outcome->ticks.count < outcome->late.count && poll(&back, 1, 1000) > 0)
		charge(end_ns);
	_exit(0);
}

int probe_start(uint64_t first_ns, uint64_t end_ns)
{
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (outcome == MAP_FAILED || pipe2(to_loop, O_NONBLOCK) || pipe2(from_loop, O_NONBLOCK))
		die("pipes");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		probe(first_ns, end_ns);
	close(to_loop[1]);
	return to_loop[0];
}

bool probe_answer(int fd)
{
	uint64_t due[TICKS_AT_ONCE];
	ssize_t n = read(fd, due, sizeof(due));

	return n < 0 || (n > 0 && write(from_loop[1], due, (size_t)n) == n);
}

void report_probe(void)
{
	waitpid(child, NULL, 0);
	report_hist(&outcome->ticks);
	report_u64("late_p999_ns", hist_quantile(&outcome->late, 0.999));
	report_u64("sent", outcome->late.count);
	report_u64("realtime", outcome->realtime);
}
