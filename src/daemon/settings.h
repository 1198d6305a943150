/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <cadre/error.h>

#include "launch/launch.h"

/*
 * The settings of cadred.  One table serves the command line ("--name value" or
 * "--name=value"), the launch record ("name", "value") and --help.
 */

#define SETTINGS_FOREVER INT64_MAX

/* What to do when the connection ends; positive: raise that signal. */
enum { SETTINGS_AUTOEXIT_NO = 0, SETTINGS_AUTOEXIT_YES = -1 };

struct settings {
	char *url;
	char *session;
	char *auth;
	char *id;
	char *rs;
	char *scratch; /* directory below which scratch directories are made */
	char *log;
	uint32_t index;
	uint32_t slots;
	uint32_t cores;	  /* per slot; 0: say nothing to threaded programs */
	uint32_t engines; /* 1 << enum wire_engine, or'ed */
	uint32_t cleanup;
	uint32_t timerstart;
	uint32_t silence;  /* heartbeats of silence that count as a loss */
	uint64_t maxtasks; /* 0: no limit */
	uint64_t memory_limit;
	int64_t idletime_ms;
	int64_t walltime_ms;
	int64_t grace_ms;
	int64_t end_unix; /* when the job ends; 0: never */
	int autoexit;
	int log_level;
	bool asyncdial;
	bool maxtasks_retire;
	bool output;
	bool in_process;
	bool record; /* read a launch record from standard input */
};

/* The defaults. */
int settings_init(struct settings *s, struct cadre_error *err);
void settings_fini(struct settings *s);
/* CADRE_EINVAL with a sentence for an unknown name or a malformed value. */
int settings_set(struct settings *s, const char *name, const char *value,
		 struct cadre_error *err);
int settings_record(struct settings *s, const struct launch_record *record,
		    struct cadre_error *err);
/* Command line without the program's name.  *ret_stop (0 if nothing): 'h' for
 * --help, 'V' for --version. */
int settings_args(struct settings *s, int argc, char **argv, int *ret_stop,
		  struct cadre_error *err);
/* Whether what is set fits together. */
int settings_check(const struct settings *s, struct cadre_error *err);
void settings_help(FILE *out);

#endif
