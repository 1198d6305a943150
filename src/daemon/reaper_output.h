/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_REAPER_OUTPUT_H
#define DAEMON_REAPER_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include <cadre/error.h>

#include "util/buf.h"

/*
 * One output stream of a command: a pipe, the bytes kept in memory and, once
 * there are more than the limit, a file with all of them.
 */
struct reaper_output {
	int fd;		 /* read end; -1: closed or not there */
	struct buf kept; /* capture: up to limit; stream: not yet sent */
	uint64_t limit;
	uint64_t total;
	bool streamed;
	const char *dir;  /* borrowed for the task: where the file goes */
	const char *name; /* "stdout" or "stderr" */
	char *file;	  /* NULL until there is one */
	int file_fd;
	struct cadre_error failed; /* why the rest was lost */
};

/* Once per process. */
void reaper_output_init(struct reaper_output *o, const char *name);
void reaper_output_fini(struct reaper_output *o);
/* Empty for the next task; the memory is kept if it is not much. */
void reaper_output_reset(struct reaper_output *o);
/* Makes the pipe; *ret_write is the command's end. */
int reaper_output_open(struct reaper_output *o, int *ret_write,
		       struct cadre_error *err);
/* Reads once, after poll said that something is there; closes the pipe at its
 * end. */
void reaper_output_read(struct reaper_output *o);
void reaper_output_close(struct reaper_output *o);

#endif
