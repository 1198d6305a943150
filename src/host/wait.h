/* SPDX-License-Identifier: MIT */
#ifndef HOST_WAIT_H
#define HOST_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One event count for all waits of the process.  A waiter takes a ticket,
 * then looks whether what it waits for is there, then sleeps: whatever happens
 * after the ticket ends the sleep.  Bits say what a waiter waits for, so that
 * a wake-up reaches only those concerned.
 */
#define WAIT_EVENT (UINT32_C(1) << 31) /* anything but a single task */
#define WAIT_FOREVER UINT64_MAX

uint32_t wait_ticket(void);
/* Async-signal-safe. */
void wait_wake(uint32_t bits);
/* Sleeps until a wake-up with one of bits, a signal or the deadline (monotonic
 * nanoseconds); may return early.  False once the deadline is over. */
bool wait_sleep(uint32_t ticket, uint32_t bits, uint64_t deadline_ns);
/* The deadline that is timeout_ms from now; negative: never. */
uint64_t wait_deadline(int64_t timeout_ms);

#endif
