/* SPDX-License-Identifier: MIT */
#ifndef CLI_SHELL_H
#define CLI_SHELL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The shell that runs the command lines of map: $CADRE_SHELL, else $SHELL if it
 * reads sh's language, else /bin/sh.  Borrowed from the environment.
 */
const char *shell_path(void);
/*
 * True if a simple command line may be run without the shell, with the same
 * result: no start-up file of a non-interactive shell, no exported function
 * named like it.
 */
bool shell_may_be_skipped(const char *shell, const char *line);
/* True if a shell takes the len bytes at word, as the first of a line, for the
 * name of a program: neither a builtin nor a keyword, nothing to expand. */
bool shell_runs_program(const char *word, size_t len);

#endif
