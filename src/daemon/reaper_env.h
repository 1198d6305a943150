/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_REAPER_ENV_H
#define DAEMON_REAPER_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>

#include "wire/wire.h"

/*
 * Arguments and environment of what a reaper starts.  The vectors and the
 * memory behind their strings are reused from one task to the next.
 */
struct reaper_env {
	char **base; /* the reaper's own environment, cleaned */
	size_t base_len;
	size_t fixed_from; /* what follows stays even with CLEAR_ENV */

	char **argv; /* argv[-1] is spare, see spawn.h */
	char **envp;
	const char *path; /* PATH within envp */
	const char *cwd;
	const char *stdin_file;

	/* Storage. */
	char **vec;
	size_t vec_cap;
	char *text;
	size_t text_cap;
	size_t text_len;
	size_t env_len;
};

/*
 * Takes the environment over: without what an outer MPI launch, munge or cadre
 * left in it (a task may call mpirun itself), and with the fixed settings,
 * NULL-terminated "NAME=VALUE" strings that are borrowed for ever.
 */
int reaper_env_init(struct reaper_env *e, char **environment,
		    char *const *fixed, struct cadre_error *err);
void reaper_env_fini(struct reaper_env *e);
/*
 * Builds argv, envp and the other strings from the frame's ARGV, ENV,
 * CLEAR_ENV, CWD and STDIN_FILE.  What a task's ENV says has the last word,
 * but for the variables that tell a task about itself.
 */
int reaper_env_build(struct reaper_env *e, const struct wire_frame *frame,
		     struct cadre_error *err);

#endif
