/* SPDX-License-Identifier: MIT */
#ifndef HOST_JOBS_H
#define HOST_JOBS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "launch/launch.h"

/*
 * The daemons that a pool launched on this machine: started, watched by their
 * pidfds, heard by their standard error, reaped.  One that had dialled back and
 * dies though nobody told it to is launched again: at once, then, while no task
 * is finished in between, after longer and longer times, until that happened
 * "relaunch" times in a row.  Not thread-safe: the pool's mutex is held, or
 * nobody else is left.
 */
struct job {
	struct job *prev, *next;
	struct launch_job launch;
	uint32_t index;
	uint32_t slots;
	uint64_t give_up_ms; /* not dialled back by then: an error */
	uint64_t again_ms;   /* dead, to be launched again then; 0: it lives */
	bool queued;	     /* never launched yet: too many are on their way */
	uint32_t deaths;     /* since a task was last finished */
	bool connected;
	bool given_up;
	bool lasting;	 /* a daemon in its place has once dialled back */
	bool retiring;	 /* it ends of its own will: not to be replaced */
	char tail[1024]; /* the end of its standard error */
	size_t tail_len;
};

struct jobs {
	struct job *list;
	size_t n;
	uint32_t next_index;
	uint32_t expected; /* neither connected nor given up */
	uint32_t queued;   /* of those, not launched yet */
	uint32_t relaunch; /* most relaunches in a row */
	bool met;	   /* any has ever dialled back */
	bool show;	   /* their standard error goes to ours */
	char why[400];	   /* how the last one failed; empty: none did */
};

/* What all of a start have in common; borrowed. */
struct jobs_plan {
	const char *url;
	const char *session;
	const char *auth;
	char **settings;
	uint32_t daemons;
	uint32_t slots; /* over all of them */
	uint64_t give_up_ms;
};

int jobs_start(struct jobs *jobs, const struct jobs_plan *plan,
	       struct cadre_error *err);
/* A daemon dialled back.  False if it is none of them. */
bool jobs_connected(struct jobs *jobs, uint32_t index, int64_t pid);
/* It has finished a task. */
void jobs_proved(struct jobs *jobs, int64_t pid);
/* It is about to leave. */
void jobs_retiring(struct jobs *jobs, int64_t pid);
/* True if jobs_again would launch some that had to wait for others to dial
 * back. */
bool jobs_wait_for_room(const struct jobs *jobs);
/* Launches those again whose time has come, with what plan says beyond slots
 * and daemons.  True if any was due. */
bool jobs_again(struct jobs *jobs, const struct jobs_plan *plan,
		uint64_t now_ms);
/* Slots of those that are connected or on their way. */
uint64_t jobs_slots(const struct jobs *jobs);
/* Reads what they wrote, reaps the dead, gives up the late.  True if expected
 * or why changed. */
bool jobs_look(struct jobs *jobs, uint64_t now_ms);
/* Descriptors that tell when to look; room for 2 * n. */
size_t jobs_pollfds(const struct jobs *jobs, struct pollfd *fds);
/* When to look even if no descriptor says so. */
uint64_t jobs_deadline(const struct jobs *jobs, uint64_t now_ms);
/* Waits until all have ended, with SIGTERM after patience_ms and SIGKILL after
 * once more as long. */
void jobs_end(struct jobs *jobs, uint64_t patience_ms);

#endif
