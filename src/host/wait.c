/* SPDX-License-Identifier: MIT */
#include "host/wait.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#define NS_PER_S UINT64_C(1000000000)

static _Atomic uint32_t generation;

uint32_t
wait_ticket(void)
{
	return atomic_load(&generation);
}

void
wait_wake(uint32_t bits)
{
	atomic_fetch_add(&generation, 1);
	(void)syscall(SYS_futex, &generation,
		      FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT_MAX, NULL,
		      NULL, bits);
}

bool
wait_sleep(uint32_t ticket, uint32_t bits, uint64_t deadline_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};
	bool forever = deadline_ns == WAIT_FOREVER;

	if (!forever && clock_now_ns() >= deadline_ns)
		return false;
	/* With a bit set, the timeout is a point of the monotonic clock. */
	(void)syscall(SYS_futex, &generation,
		      FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, ticket,
		      forever ? NULL : &until, NULL, bits);
	return true;
}

uint64_t
wait_deadline(int64_t timeout_ms)
{
	uint64_t now = clock_now_ns();

	if (timeout_ms < 0 ||
	    (uint64_t)timeout_ms > (WAIT_FOREVER - now) / 1000000)
		return WAIT_FOREVER;
	return now + (uint64_t)timeout_ms * 1000000;
}
