/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_LEAVE_H
#define DAEMON_LEAVE_H

#include "daemon/daemon.h"

/*
 * How a daemon ends: it hands back what has not begun, lets what runs finish or
 * hands it back too, says goodbye, and stops its reapers.
 */

enum leave_how {
	LEAVE_PATIENT, /* what runs may finish */
	LEAVE_SOON,    /* it has the grace for that, and is interrupted then */
	LEAVE_AT_ONCE
};

/* Starts the timers of idletime, walltime and the job's end. */
void leave_init(struct daemon *d);
/* A task has ended: these timers may be due to start (timerstart). */
void leave_counted(struct daemon *d);
void leave_begin(struct daemon *d, int exit_code, enum leave_how how,
		 const char *reason);
/* Asked again: no more patience. */
void leave_hurry(struct daemon *d);
/* Tells the dispatcher. */
void leave_announce(struct daemon *d, const char *reason);
/* Looks whether the next step can be taken. */
void leave_progress(struct daemon *d);
/* Stops everything. */
void leave_finish(struct daemon *d, int exit_code);

#endif
