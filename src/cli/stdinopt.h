/* SPDX-License-Identifier: MIT */
#ifndef CLI_STDINOPT_H
#define CLI_STDINOPT_H

#include <stdbool.h>

#include <cadre/config.h>
#include <cadre/error.h>

/*
 * The standard input of `cadre run` for its command.  A terminal is never
 * passed on.  Where the daemons are this machine's own, the command reads the
 * same pipe or file itself; else all of it is read first, up to a limit.
 */
#define STDINOPT_LIMIT_MIB 64

int stdinopt_set(struct cadre_opts *opts, bool local, struct cadre_error *err);

#endif
