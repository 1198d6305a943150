/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_SPAWN_H
#define DAEMON_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

#include <cadre/error.h>

/*
 * Starts a program with vfork and exec.  The caller has blocked all signals and
 * left every disposition at its default; the child unblocks them.  The child
 * leads a session of its own and dies with the calling thread.
 */

#define SPAWN_FDS 7

/* Pointers are borrowed. */
struct spawn {
	/* NULL-terminated; argv[-1] is a spare element, used when the program
	 * is a script without an interpreter line. */
	char **argv;
	char *const *envp;
	const char *path; /* where programs are looked for; NULL: default */
	const char *cwd;  /* NULL: the caller's */
	const char *stdin_file; /* opened in cwd as descriptor 0; NULL: none */
	int fds[SPAWN_FDS];	/* becomes descriptor i; -1: as it is */
	uint64_t memory_limit;	/* of address space; 0: the caller's */
};

/* All descriptors -1, the rest empty. */
void spawn_init(struct spawn *s);
/*
 * Returns when the program has been executed, or failed to be: then
 * *ret_status is what a shell would report, 127 if there is no such program
 * and 126 otherwise.
 */
int spawn_run(const struct spawn *s, pid_t *ret_pid, int *ret_status,
	      struct cadre_error *err);

#endif
