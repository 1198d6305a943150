/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_SWEEP_H
#define DAEMON_SWEEP_H

#include <stdbool.h>
#include <sys/types.h>

/* Kills the processes that dead daemons of this user left on this node: those
 * with their mark in the environment.  Returns how many. */
int sweep_leftovers(void);

/* Kills the children of the calling process, and all below them, that keep does
 * not want to keep.  Returns how many children there were. */
int sweep_orphans(bool (*keep)(void *arg, pid_t pid), void *arg);

#endif
