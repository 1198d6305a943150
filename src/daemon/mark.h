/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_MARK_H
#define DAEMON_MARK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The mark of a daemon: carried in the environment of all that it starts
 * (CADRE_MARK) and in the name of its scratch directory, so that a later daemon
 * of the same user on the same node can tell what a dead one left behind.
 *
 * UID.NODE.NAMESPACE.PID.STARTED: the process id with its namespace and start
 * time, since ids are used again.
 */
#define MARK_MAX 384

/* That of the calling process; false if /proc does not tell. */
bool mark_self(char *text, size_t size);
/* Whether its daemon ran on this node, in this process namespace and under this
 * user, and is dead. */
bool mark_is_dead(const char *mark);

#endif
