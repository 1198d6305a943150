/* SPDX-License-Identifier: MIT */
#include "cli/shell.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* What a shell treats on its own instead of running a program; the programs
 * of the same names may act differently. */
static const char *const builtins[] = {
	"!",	   "[",		"[[",	    "alias",	"autoload", "bg",
	"bind",	   "break",	"builtin",  "caller",	"case",	    "cd",
	"chdir",   "command",	"compgen",  "complete", "compopt",  "continue",
	"coproc",  "declare",	"dirs",	    "disown",	"do",	    "done",
	"echo",	   "elif",	"else",	    "enable",	"esac",	    "eval",
	"exec",	   "exit",	"export",   "false",	"fc",	    "fg",
	"fi",	   "for",	"function", "getopts",	"hash",	    "help",
	"history", "if",	"in",	    "jobs",	"kill",	    "let",
	"limit",   "local",	"login",    "logout",	"mapfile",  "newgrp",
	"noglob",  "popd",	"print",    "printf",	"pushd",    "pwd",
	"read",	   "readarray", "readonly", "rehash",	"repeat",   "return",
	"select",  "set",	"shift",    "shopt",	"source",   "suspend",
	"test",	   "then",	"time",	    "times",	"trap",	    "true",
	"type",	   "typeset",	"ulimit",   "umask",	"unalias",  "unset",
	"until",   "wait",	"where",    "whence",	"which",    "while",
};

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool
reads_sh(const char *shell)
{
	static const char *const names[] = {"sh",  "bash", "dash", "ksh",
					    "zsh", "mksh", "ash"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(base_name(shell), names[i]) == 0)
			return true;
	return false;
}

const char *
shell_path(void)
{
	const char *shell = getenv("CADRE_SHELL");

	if (shell != NULL && shell[0] != '\0')
		return shell;
	shell = getenv("SHELL");
	if (shell != NULL && shell[0] == '/' && reads_sh(shell) &&
	    access(shell, X_OK) == 0)
		return shell;
	return "/bin/sh";
}

/* "BASH_FUNC_name%%=() ..." */
static bool
is_exported_function(const char *program)
{
	static const char prefix[] = "BASH_FUNC_";
	size_t len;

	program += strspn(program, " \t");
	len = strcspn(program, " \t");
	for (char **e = environ; *e != NULL; e++) {
		const char *p = *e;

		if (strncmp(p, prefix, sizeof(prefix) - 1) != 0)
			continue;
		p += sizeof(prefix) - 1;
		if (strncmp(p, program, len) == 0 &&
		    strncmp(p + len, "%%=", 3) == 0)
			return true;
	}
	return false;
}

bool
shell_may_be_skipped(const char *shell, const char *line)
{
	const char *name = base_name(shell);

	/* zsh reads a file of the user's each time; ksh reads $ENV. */
	if (strcmp(name, "dash") != 0 && strcmp(name, "bash") != 0 &&
	    strcmp(name, "sh") != 0)
		return false;
	if (getenv("BASH_ENV") != NULL || getenv("CADRE_SHELL") != NULL)
		return false;
	return !is_exported_function(line);
}

bool
shell_runs_program(const char *s, size_t len)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz"
				   "0123456789_./+-";

	if (len == 0 || strspn(s, safe) < len || s[0] == '-')
		return false;
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
		if (strlen(builtins[i]) == len &&
		    memcmp(builtins[i], s, len) == 0)
			return false;
	/* "." and ":"-like one-character commands are the shell's. */
	return !(len == 1 && s[0] == '.');
}
