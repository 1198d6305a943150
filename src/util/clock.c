/* SPDX-License-Identifier: MIT */
#include "util/clock.h"

#include <time.h>

static uint64_t
read_clock(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t
clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
clock_now_ms(void)
{
	return clock_now_ns() / 1000000u;
}

int64_t
clock_unix_ns(void)
{
	return (int64_t)read_clock(CLOCK_REALTIME);
}

int64_t
clock_unix_tick_ns(void)
{
	return (int64_t)read_clock(CLOCK_REALTIME_COARSE);
}
