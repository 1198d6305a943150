/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_REAPER_H
#define DAEMON_REAPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "daemon/reaper_env.h"
#include "daemon/reaper_output.h"
#include "daemon/reaper_scratch.h"
#include "util/buf.h"
#include "wire/wire.h"

/*
 * One reaper per slot: runs its commands, starts its worker, and is the parent
 * to which everything below them comes back.  Single-threaded, all signals
 * blocked; every wait is in the poll of reaper.c.
 */

#define REAPER_NEVER UINT64_MAX

enum reaper_phase {
	REAPER_IDLE,
	REAPER_RUNNING,	 /* the command's main process lives */
	REAPER_DRAINING, /* it ended; others may still write, for a moment */
	REAPER_SWEEPING	 /* the others are being killed */
};

/* The command that runs. */
struct reaper_task {
	enum reaper_phase phase;
	struct wire_frame head; /* of its TASK frame, without fields */
	pid_t pid;
	uint64_t began_ns;
	int64_t began_unix_ns;
	uint64_t ended_ns;
	int status; /* of wait */
	struct rusage usage;
	struct reaper_output out;
	struct reaper_output err;
	char *dir; /* for output over the limit; NULL: $TMPDIR or /tmp */
	bool streamed;
	uint64_t flush_ms; /* stream: when what has gathered goes out */
	uint64_t step_ms;  /* when the phase or the ladder goes on */
	uint64_t sweep_until_ms;
	int ladder;	 /* next step of the kill ladder; 0: not begun */
	uint8_t outcome; /* CANCELLED or TIMEOUT once the ladder began */
};

struct reaper_worker {
	pid_t pid; /* 0: none */
	struct wire_frame head;
	bool ended; /* reaped; what it left behind is being killed */
	int status;
	struct rusage usage;
	uint64_t step_ms;
	uint64_t sweep_until_ms;
};

struct reaper {
	int control;
	int signals;
	uint64_t grace_ms;
	uint64_t memory_limit;
	struct reaper_env env;
	struct reaper_scratch scratch;
	struct reaper_task task;
	struct reaper_worker worker;
	struct buf in;
	struct buf out; /* not yet written to control */
	struct buf fields;
	int passed[4]; /* descriptors that came with SCM_RIGHTS */
	int passed_len;
	bool alone;   /* the last look found no child at all */
	bool leaving; /* the daemon is gone */
};

/* Sends a frame, or keeps what does not fit into the socket. */
void reaper_send(struct reaper *r, const struct wire_frame *frame);
/* No more output is read while the daemon does not read ours. */
bool reaper_congested(const struct reaper *r);
/* After heavy use: the peak of this process would show in its children's. */
void reaper_reset_peak(void);
/* Whether anything but the worker and the command runs below us. */
bool reaper_has_others(const struct reaper *r);

void reaper_task_init(struct reaper *r);
void reaper_task_fini(struct reaper *r);
/* Starts the command, or answers at once. */
void reaper_task_start(struct reaper *r, const struct wire_frame *frame);
/* Begins the ladder; outcome: what the result will say. */
void reaper_task_cancel(struct reaper *r, uint8_t outcome);
/* Skips what is left of the ladder. */
void reaper_task_kill(struct reaper *r);
/* The main process was reaped. */
void reaper_task_ended(struct reaper *r, int status,
		       const struct rusage *usage);
/* Goes on as far as possible; called when anything has happened. */
void reaper_task_step(struct reaper *r);
/* When it must be called at the latest; REAPER_NEVER. */
uint64_t reaper_task_next_ms(const struct reaper *r);

void reaper_worker_spawn(struct reaper *r, const struct wire_frame *frame);
void reaper_worker_signal(struct reaper *r, int sig);
void reaper_worker_ended(struct reaper *r, int status,
			 const struct rusage *usage);
void reaper_worker_step(struct reaper *r);
uint64_t reaper_worker_next_ms(const struct reaper *r);

#endif
