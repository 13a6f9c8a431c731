/* SPDX-License-Identifier: MIT */
/* A word a thread sleeps on until another sets it (Linux' futex). */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"
#include "clock.h"
#include "park.h"

/* Where time_t has outgrown long (32-bit, 64-bit time), only the newer call takes our timespec. */
static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
#ifdef SYS_futex_time64
	if (sizeof(time_t) > sizeof(long))
		return syscall(SYS_futex_time64, word, op, value, timeout, NULL, 0);
#endif
#ifdef SYS_futex
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
#else
	errno = ENOSYS;
	return -1;
#endif
}

void tern__park_clear(struct tern__park *park)
{
	tern__store(&park->word, 0);
}

bool tern__park_wait(struct tern__park *park, uint64_t ns)
{
	uint64_t deadline = ns == UINT64_MAX ? UINT64_MAX : tern__now_ns() + ns;

	/* acquire: what the waker did before it woke us is ours to see */
	while (!tern__load_acquire(&park->word)) {
		struct timespec left, *timeout = NULL;

		if (deadline != UINT64_MAX) {
			uint64_t now = tern__now_ns();

			if (now >= deadline)
				return false;
			left.tv_sec = (time_t)((deadline - now) / 1000000000u);
			left.tv_nsec = (long)((deadline - now) % 1000000000u);
			timeout = &left;
		}
		futex(&park->word, FUTEX_WAIT_PRIVATE, 0, timeout);
	}
	return true;
}

void tern__park_wake(struct tern__park *park)
{
	tern__store(&park->woken_ns, tern__now_ns());
	tern__store_release(&park->word, 1);
	futex(&park->word, FUTEX_WAKE_PRIVATE, 1, NULL);
}
