/* SPDX-License-Identifier: MIT */
#ifndef LAUNCH_LAUNCH_H
#define LAUNCH_LAUNCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cadre/error.h>

/*
 * Launchers: ways to start daemons.
 *
 * Every launcher fills the same launch record and delivers it privately (an
 * environment file of mode 0600, standard input, an MPI broadcast), never on a
 * command line.  Its text form is one "key=value" line for each entry, the
 * value with \n and \\ escaped; an unknown key is an error, a missing one its
 * default.  The keys: url, session, auth, index, slots, end (the job's end) and
 * "set.NAME" for the setting NAME of cadred.
 */
struct launch_record {
	char *url;	  /* address to dial */
	char *session;	  /* session id of the pool */
	char *auth;	  /* authenticator's name */
	uint32_t index;	  /* of this daemon within its launch */
	uint32_t slots;	  /* 0: as many as the node offers */
	int64_t end_unix; /* when the job ends, seconds since 1970; 0 never */
	/* Further settings of cadred as it takes them on its command line,
	 * without dashes: "maxtasks", "100", ..., NULL-terminated pairs. */
	char **settings;
};

void launch_record_fini(struct launch_record *r);
/* By key of the text form. */
int launch_record_set(struct launch_record *r, const char *key,
		      const char *value, struct cadre_error *err);
/* Owned text. */
int launch_record_format(const struct launch_record *r, char **ret_text);
int launch_record_parse(const char *text, size_t len, struct launch_record *ret,
			struct cadre_error *err);

/* A launched thing: for "local", one process. */
struct launch_job {
	pid_t pid;  /* local: the daemon */
	int pidfd;  /* readable when it ended; -1 if there is none */
	int log_fd; /* read end of its standard output and error; -1 if
		       inherited */
};

struct launch_ops {
	const char *name;
	/* Starts the n daemons described by records, or none; jobs has room for
	 * n.  Their processes are children of this one: the caller collects
	 * them and closes the descriptors of jobs. */
	int (*start)(const struct launch_record *records, size_t n,
		     struct launch_job *jobs, struct cadre_error *err);
	/* Asks a job to end (SIGTERM), or makes it (kill != 0).  Idempotent
	 * until it was collected. */
	void (*cancel)(struct launch_job *job, int kill);
};

extern const struct launch_ops launch_local;
/* By name; NULL if unknown. */
const struct launch_ops *launch_find(const char *name);

/*
 * Where the installed programs are.  name: "cadre-reaper", "cadre-native",
 * which $CADRE_LIBEXECDIR overrides (their directory), or "cadred", which
 * $CADRE_CADRED overrides (its path).  Without the variable: the directory of
 * the running program or library, libexec/cadre or bin of its prefix, then the
 * configured place.  Owned path.
 */
int launch_find_program(const char *name, char **ret_path,
			struct cadre_error *err);

#endif
