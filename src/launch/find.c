/* SPDX-License-Identifier: MIT */
#include "launch/launch.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"

/* The search: the first place that has the program wins, and the places are
 * remembered for the error message. */
struct search {
	const char *name;
	const char *below; /* where it is within a prefix */
	char *found;
	char places[352];
	bool nomem;
};

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

static void
remember(struct search *s, const char *path)
{
	size_t used = strlen(s->places);

	if (strstr(s->places, path) == NULL)
		(void)snprintf(s->places + used, sizeof(s->places) - used,
			       "%s%s", used == 0 ? "" : ", ", path);
}

static void
look_at(struct search *s, const char *path)
{
	if (s->found != NULL || s->nomem)
		return;
	remember(s, path);
	if (!is_program(path))
		return;
	s->found = realpath(path, NULL);
	s->nomem = s->found == NULL;
}

static void
look_in(struct search *s, const char *dir, const char *below)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s%s", dir, below, s->name);

	if (n > 0 && (size_t)n < sizeof(path))
		look_at(s, path);
}

/* Cuts off the last part of a path; false if none is left. */
static bool
cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return false;
	*slash = '\0';
	return true;
}

/* A program or library at file: next to it, and in its prefix, which is one
 * directory up, or two (lib/x86_64-linux-gnu, libexec/cadre). */
static void
look_near(struct search *s, const char *file)
{
	char path[PATH_MAX];

	if (realpath(file, path) == NULL || !cut(path))
		return;
	look_in(s, path, "");
	for (int up = 0; up < 2 && cut(path); up++)
		look_in(s, path, s->below);
}

static void
look_everywhere(struct search *s, const char *configured)
{
	Dl_info info;

	look_near(s, "/proc/self/exe");
	if (dladdr((void *)(uintptr_t)launch_find_program, &info) != 0 &&
	    info.dli_fname != NULL)
		look_near(s, info.dli_fname);
	look_in(s, configured, "");
}

int
launch_find_program(const char *name, char **ret_path, struct cadre_error *err)
{
	bool daemon = strcmp(name, "cadred") == 0;
	const char *variable = daemon ? "CADRE_CADRED" : "CADRE_LIBEXECDIR";
	const char *value = getenv(variable);
	struct search s = {.name = name,
			   .below = daemon ? "bin/" : "libexec/cadre/"};

	if (value != NULL && *value != '\0' && daemon)
		look_at(&s, value);
	else if (value != NULL && *value != '\0')
		look_in(&s, value, "");
	else
		look_everywhere(&s, daemon ? CADRE_BINDIR : CADRE_LIBEXECDIR);
	if (s.nomem)
		return error_nomem(err);
	if (s.found == NULL)
		return error_set(err, CADRE_ENOENT,
				 "cannot find the program %s (looked at %s); "
				 "set %s to %s",
				 name, s.places, variable,
				 daemon ? "its path" : "its directory");
	*ret_path = s.found;
	return 0;
}
