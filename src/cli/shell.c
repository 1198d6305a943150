/* SPDX-License-Identifier: MIT */
#include "cli/shell.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

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
