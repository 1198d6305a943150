/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_SCRATCH_H
#define DAEMON_SCRATCH_H

#include <cadre/error.h>

/*
 * The daemon's scratch directory, below which each slot has its own.
 */

/* Makes BASE/cadre-MARK, mode 0700; owned path. */
int scratch_make(const char *base, const char *mark, char **ret_path,
		 struct cadre_error *err);
/* Removes a directory and all below it. */
void scratch_remove(const char *path);
/* Removes those that dead daemons left below base. */
void scratch_sweep(const char *base);

#endif
