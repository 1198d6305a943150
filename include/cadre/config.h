/* SPDX-License-Identifier: MIT */
#ifndef CADRE_CONFIG_H
#define CADRE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include <cadre/error.h>

/*
 * Settings: a bag of string keys, the same for C, the command line,
 * configuration files and language bindings.  Two nouns use it: a pool (its
 * daemons, address, trust) and the options of a task.
 *
 * Durations are seconds with an optional fraction, or carry a unit: "250ms",
 * "1.5s", "10m", "2h", "1d"; "inf" or "none" where no limit is possible.
 * Sizes are bytes or carry K, M, G, T (powers of 1024).  Switches are "yes" or
 * "no" ("true", "on", "1" and their opposites are read too).
 *
 * Configs and options are plain data: one thread at a time each.
 */

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct cadre_config;

/*
 * Keys of a pool, default in brackets:
 *
 *   profile      name of the pool ["default"]
 *   launcher     "local" starts daemons on this machine, "none" waits for
 *                daemons started elsewhere ["local"]
 *   slots        tasks that may run at once over all local daemons [the cores
 *                this process may use less one, at least one; with "daemons"
 *                set: that many]
 *   daemons      daemon processes among which the slots are shared [1]
 *   url          where the dispatcher listens: "ipc://PATH", "abstract://NAME",
 *                "tcp://HOST:PORT" (port 0: a free one) [a private socket
 *                below $XDG_RUNTIME_DIR or /tmp]
 *   auth         how peers prove who they are: "peer" (the kernel's word for
 *                local sockets), "none" (loopback only) [peer]
 *   serve        accept other hosts' tasks too [no]
 *   connect      use the dispatcher that listens at this URL or runs under
 *                this profile name; no daemons are started [unset]
 *   sync         evaluate each task in the call that submits it [no]
 *   window       most tasks waiting at one slot; 0 turns windows off [8192]
 *   heartbeat    time between heartbeats; a daemon is lost after 3 [2s]
 *   start-limit  daemons that have not dialled back by then are an error [30s]
 *   relaunch     a local daemon that dies though it was not told to is replaced
 *                by a new one with as many slots: at once, then after longer
 *                and longer times, at most so many times in a row without a
 *                finished task between them; 0: never [5]
 *   idle-limit   with no daemon left and none on its way, waiting tasks fail
 *                with outcome 19 after this time, at once if local daemons
 *                could not be started at all; so do tasks for an engine that
 *                none of the daemons offers [30s]
 *   timeout, deadline, priority, retry.*, idempotent, output, output-limit
 *                defaults for the tasks of this pool (see struct cadre_opts)
 *   seed         seed of the random number streams [unset]
 *
 * Keys handed on to daemons (cadred(8) explains each):
 *   autoexit, cleanup, output-daemon, maxtasks, idletime, walltime, timerstart,
 *   engines, cores, memory-limit, grace, scratch, log, log-level, in-process
 */

/* A config with the defaults.  Returns owned, NULL when memory ran out. */
struct cadre_config *cadre_config_new(void);
/* Frees *cfg (takes) and sets it to NULL.  *cfg may be NULL. */
void cadre_config_free(struct cadre_config **cfg);
/*
 * Sets one key; copies both strings.  The value is checked at once:
 * CADRE_EINVAL with a sentence for an unknown key or a malformed value.
 */
int cadre_config_set(struct cadre_config *cfg, const char *key,
		     const char *value, struct cadre_error *err);
/* The value of a key as text, borrowed until it is set again; NULL if it is
 * unset or unknown. */
const char *cadre_config_get(const struct cadre_config *cfg, const char *key);
/* The i-th key known, with a line that explains it; NULL past the last.
 * Static strings (borrowed). */
const char *cadre_config_key(size_t i, const char **ret_help);

/* What happens to a task when one that it waits for did not succeed. */
enum cadre_after_failed {
	CADRE_AFTER_CANCEL = 0, /* it is cancelled (outcome 20) */
	CADRE_AFTER_RUN = 1	/* it runs all the same */
};

struct cadre_opts;
struct cadre_task;

/*
 * Options of tasks.  The same struct may serve any number of submissions.
 *
 * Keys for every task, default in brackets:
 *   name         shown by status and logs [none]
 *   timeout      longest time to run, from the start of the attempt [none]
 *   deadline     longest time from submission to outcome [none]
 *   priority     higher first, -1000 to 1000 [0]
 *   idempotent   may run twice without harm [yes for native tasks, else no]
 *   retry        attempts after a failure of any cause: a number or "inf"
 *   retry.error, retry.exit, retry.timeout, retry.crash, retry.lost,
 *   retry.leave  the same by cause: evaluation error [0], non-zero exit status
 *                [0], time-out [0], worker crash [0], daemon or node lost [1],
 *                daemon told to leave [inf]
 *   after-failed "cancel" or "run" when a task it waits for failed [cancel]
 *   cores, memory, gpus, tags
 *                what the task needs of its slot; carried to the dispatcher
 * Keys for commands:
 *   cwd          working directory [the host's]
 *   env          "NAME=VALUE" added to the environment, "NAME" removed from
 *                it; each call adds one
 *   clear-env    start from an empty environment [no]
 *   stdin-file   file to read as standard input [/dev/null]
 *   output       "capture": kept, up to output-limit in memory, the rest in a
 *                file; "stream": handed out live, see cadre_task_on_output;
 *                "discard" [capture]
 *   output-limit bytes of each of stdout and stderr kept in memory [16M]
 *   output-dir   directory of the file for what is over the limit [the
 *                host's TMPDIR or /tmp]
 *   merge        stderr goes where stdout goes, in order [no]
 * Keys for native tasks:
 *   cc, cflags   compiler and flags for functions given as source text
 */
struct cadre_opts *cadre_opts_new(void);
void cadre_opts_free(struct cadre_opts **opts);
int cadre_opts_set(struct cadre_opts *opts, const char *key, const char *value,
		   struct cadre_error *err);
const char *cadre_opts_key(size_t i, const char **ret_help);
/* Standard input of commands; copies. */
int cadre_opts_set_stdin(struct cadre_opts *opts, const void *data, size_t len,
			 struct cadre_error *err);
/*
 * Lets the task wait for another one of the same pool, in addition to those
 * named before.  Borrows task; its id is kept, not the handle.
 */
int cadre_opts_after(struct cadre_opts *opts, const struct cadre_task *task,
		     struct cadre_error *err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
