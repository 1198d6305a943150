/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_REAPER_SCRATCH_H
#define DAEMON_REAPER_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <cadre/error.h>

/*
 * A slot's scratch directory: made once, emptied after each task that wrote
 * into it, removed in the end.
 */
struct reaper_scratch {
	char *parent;
	char *path;
	int fd;
	/* When it was last known to be empty; 0 if that was too recent for a
	 * later change to show. */
	int64_t empty_ns;
};

/* Makes parent (private) if it is not there, and slot-<slot> in it. */
int reaper_scratch_open(struct reaper_scratch *s, const char *parent,
			uint32_t slot, struct cadre_error *err);
/* After a task.  Costs one system call if nothing was written. */
int reaper_scratch_clean(struct reaper_scratch *s, struct cadre_error *err);
/* Removes it, and parent if that was the last slot's. */
void reaper_scratch_close(struct reaper_scratch *s);

#endif
