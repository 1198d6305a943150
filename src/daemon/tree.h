/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_TREE_H
#define DAEMON_TREE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The processes below the calling one.  The caller is a subreaper, so whatever
 * its children leave behind comes back to it, processes in sessions of their
 * own too.  Reads /proc.
 */

/* Look through all processes, as kernels without lists of children need it. */
extern bool tree_search;

/*
 * Sends sig to every process below root, parents before their children, but not
 * to spare (0: nobody) and what is below it.  Returns how many there were.  New
 * processes may appear meanwhile: repeat SIGKILL until none is left.
 */
int tree_signal(pid_t root, pid_t spare, int sig);
/* Whether the calling process has children other than spare, zombies
 * included. */
bool tree_has_children(pid_t spare);

#endif
