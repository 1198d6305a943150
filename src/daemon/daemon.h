/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/epochs.h"
#include "daemon/mark.h"
#include "daemon/settings.h"
#include "daemon/uplink.h"
#include "wire/wire.h"

/*
 * cadred: one connection, a number of slots, one loop.
 */

struct slot;

/* Exit status of cadred; part of its interface. */
enum daemon_exit {
	DAEMON_EXIT_OK = 0,
	DAEMON_EXIT_FAILED = 1, /* no connection, not let in, no resources */
	DAEMON_EXIT_IDLETIME = 2,
	DAEMON_EXIT_WALLTIME = 3,
	DAEMON_EXIT_MAXTASKS = 4, /* every slot was retired */
	DAEMON_EXIT_USAGE = 64
};

#define DAEMON_SIGNALS 7

enum daemon_state {
	DAEMON_SERVING,
	DAEMON_LEAVING,	 /* finishes what runs, takes nothing more */
	DAEMON_FINISHING /* everything is being stopped */
};

struct daemon {
	uv_loop_t loop;
	struct turn turn;
	const struct settings *settings;
	enum daemon_state state;
	struct uplink uplink;
	struct epochs epochs;
	struct inproc *inproc; /* of the only slot; NULL: not in-process */
	struct slot *slots;
	struct slot *dirty; /* slots that have something to do */
	uint32_t incarnation;
	uint32_t heartbeat_ms;
	uint64_t finished;  /* tasks */
	uint64_t active_ms; /* when a task last came or ended */
	uint64_t began_ms;  /* when walltime began to count */
	uint32_t slots_n;   /* slots that were made */
	int exit_code;
	int raise_signal;  /* at the very end; 0: none */
	bool counting;	   /* idletime and walltime count */
	bool restart;	   /* dial again, whatever autoexit says */
	bool interrupting; /* leaving: the time to finish is over */
	bool congested;	   /* the dispatcher does not read; neither do we */
	bool swept;
	bool stopped;
	char mark[MARK_MAX];
	char *scratch;
	char *reaper_path;
	char *native_path;
	int worker_output; /* where workers' own output goes */
	uv_timer_t tick;   /* while native tasks are under way */
	uv_timer_t heartbeat;
	uv_timer_t limit; /* idletime, walltime, end of the job */
	uv_timer_t leave; /* next step of leaving */
	uv_timer_t sweep;
	uv_timer_t finish;
	uv_signal_t signals[DAEMON_SIGNALS];
};

/* Runs until the end; returns the exit status. */
int daemon_run(const struct settings *settings);

/* Sends a frame with our incarnation. */
void daemon_send(struct daemon *d, struct wire_frame *frame);
/* Queues a slot for slot_step. */
void daemon_touch(struct daemon *d, struct slot *slot);
/* A task of a slot has ended. */
void daemon_count(struct daemon *d);
/* A slot was given up; the last one ends the daemon. */
void daemon_retired(struct daemon *d);
/* Native tasks are under way: watches for their start. */
void daemon_watch(struct daemon *d);
/* A slot's reaper is gone, or a slot has nothing to do any more. */
void daemon_progress(struct daemon *d);
/* Kills processes that came to us when a reaper died. */
void daemon_orphans(struct daemon *d);

#endif
