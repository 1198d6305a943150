/* SPDX-License-Identifier: MIT */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

/* Monotonic time in nanoseconds; its zero means nothing. */
uint64_t clock_now_ns(void);
/* Monotonic milliseconds, for timers. */
uint64_t clock_now_ms(void);
/* Nanoseconds since 1970, for records. */
int64_t clock_unix_ns(void);
/* The same as of the last tick of the kernel, a few milliseconds ago at most:
 * costs next to nothing. */
int64_t clock_unix_tick_ns(void);

#endif
