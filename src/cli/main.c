/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cadre/version.h>

#include "cli/cli.h"

static const struct command *const commands[] = {
	&run_command,  &map_command,  &eval_command,   &start_command,
	&stop_command, &info_command, &status_command,
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

int
cli_fail(const struct command *command, const struct cadre_error *err)
{
	cli_warn(command, "%s",
		 err->text[0] != '\0' ? err->text : cadre_strerror(err->code));
	return command->failure;
}

void
cli_warn(const struct command *command, const char *format, ...)
{
	va_list ap;

	(void)fprintf(stderr, "cadre %s: ", command->name);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

/* Standard output must have taken what was printed. */
static int
finish_stdout(const char *name, int status, int failure)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	if (errno != EPIPE)
		(void)fprintf(stderr,
			      "cadre %s: cannot write to standard output: "
			      "%s\n",
			      name, strerror(errno));
	return failure;
}

bool
cli_options(const struct command *command, int argc, char **argv, void *target,
	    int *ret_first, int *ret_status)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	int rc = option_parse(command, argc, argv, target, ret_first, &err);

	if (rc == 0)
		return true;
	*ret_status = rc > 0 ? 0 : cli_fail(command, &err);
	return false;
}

static void
usage(FILE *out)
{
	(void)fputs("Usage: cadre COMMAND [OPTION]... [ARGUMENT]...\n\n"
		    "Runs tasks on the cores of this machine.\n\n"
		    "Commands:\n",
		    out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		(void)fprintf(out, "  %-8s %s\n", commands[i]->name,
			      commands[i]->summary);
	(void)fputs(
		"\n\"cadre COMMAND --help\" shows the options of a command; "
		"cadre(1) has more.\n"
		"\"cadre --version\" shows the version.\n",
		out);
}

static int
unknown_command(const char *name)
{
	const char *names[N_COMMANDS];
	const char *nearest;

	for (size_t i = 0; i < N_COMMANDS; i++)
		names[i] = commands[i]->name;
	nearest = option_nearest(name, names, N_COMMANDS);
	if (nearest != NULL)
		(void)fprintf(stderr,
			      "cadre: unknown command %s; did you mean %s?\n",
			      name, nearest);
	else
		(void)fprintf(stderr,
			      "cadre: unknown command %s; see cadre --help\n",
			      name);
	return CLI_FAILURE;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int
help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 3) {
		usage(stdout);
		return 0;
	}
	command = find_command(argv[2]);
	if (command == NULL)
		return unknown_command(argv[2]);
	option_help(command, stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct command *command;
	int status;

	if (argc < 2) {
		usage(stderr);
		return CLI_FAILURE;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return finish_stdout("help", help(argc, argv), CLI_FAILURE);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		(void)printf("cadre %s\n", CADRE_VERSION);
		return finish_stdout("--version", 0, CLI_FAILURE);
	}
	command = find_command(argv[1]);
	if (command == NULL)
		return unknown_command(argv[1]);
	(void)signal(SIGPIPE, SIG_IGN);
	status = command->main(argc - 1, argv + 1);
	return finish_stdout(command->name, status, command->failure);
}
