/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_INPROC_H
#define DAEMON_INPROC_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/wire.h"

/*
 * Native tasks called within the daemon (setting in-process): on the loop, one
 * at a time, without protection.  Meanwhile a thread of its own sends the
 * heartbeats, and what the transport's threads receive is looked at for the end
 * of the task that runs.
 */
struct daemon;
struct slot;
struct inproc;

int inproc_new(struct slot *slot, struct inproc **ret);
void inproc_free(struct inproc **p);
/* Begins with what there is for it; false if that is nothing. */
bool inproc_wake(struct inproc *p);
/* Any thread: a frame has come; cancels what runs if it says so. */
void inproc_notice(struct inproc *p, const struct wire_frame *frame);
/* The connection is up (heartbeats every so many ms; 0: none), or has ended. */
void inproc_up(struct inproc *p, uint32_t heartbeat_ms);
void inproc_down(struct inproc *p);

#endif
