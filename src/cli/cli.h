/* SPDX-License-Identifier: MIT */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <cadre/error.h>

#include "cli/option.h"

/* The sub-commands; one file each. */
extern const struct command run_command;
extern const struct command map_command;
extern const struct command eval_command;
extern const struct command start_command;
extern const struct command stop_command;
extern const struct command info_command;
extern const struct command status_command;

/* Exit status of cadre's own failures in run and eval, as with env and
 * timeout; that of map is parallel's. */
#define CLI_FAILURE 125
#define CLI_FAILURE_MAP 255

/* "cadre NAME: text" on standard error; returns the command's status for own
 * failures. */
int cli_fail(const struct command *command, const struct cadre_error *err);
void cli_warn(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Parses the options of command.  *ret_status is the exit status if the
 * command is over (help was printed, or an option is wrong): then false.
 */
bool cli_options(const struct command *command, int argc, char **argv,
		 void *target, int *ret_first, int *ret_status);

#endif
