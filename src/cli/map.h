/* SPDX-License-Identifier: MIT */
#ifndef CLI_MAP_H
#define CLI_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include <cadre/pool.h>

#include "cli/hosts.h"
#include "cli/input.h"
#include "cli/joblog.h"
#include "cli/mapopts.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/results.h"
#include "cli/template.h"
#include "util/buf.h"

/* A task of the map from its arguments to its end. */
struct job {
	struct map *map;
	uint64_t seq;
	uint32_t slot; /* {%}; 0 if slots are not told apart */
	bool direct;   /* run without the shell */
	bool dropped;  /* cancelled by us: not an outcome */
	struct args args;
	struct buf line; /* the command, NUL-terminated */
	char *tag;
	struct cadre_task *task;
	struct output_task output;
	struct job *prev, *next; /* among those in flight */
	struct job *done_next;	 /* in map->done */
};

/* One run of cadre map. */
struct map {
	struct mapopts o;
	struct input *input;
	struct template *command, *tag;
	const char *shell;
	bool direct; /* the shell is not needed */
	struct cadre_pool *pool;
	struct hosts hosts;
	struct output *output;
	struct results *results;
	struct joblog *joblog;
	struct joblog_done earlier;
	struct progress progress;
	struct cadre_error fatal; /* the first failure of our own */

	struct args *queue; /* arguments read ahead, if all must be known */
	size_t queue_n, queue_cap, queue_at;
	bool read_ahead;
	struct args next; /* arguments being read */
	bool input_done;
	uint64_t seq;
	bool stopping; /* no new tasks */

	bool number_slots;
	bool *slots; /* in use */
	uint32_t n_slots;
	struct job *running;
	uint32_t in_flight, limit;
	struct job *done, **done_last; /* resolved, not yet looked at */
};

/* Refuses options of tasks that are wrong, before anything runs. */
int job_check_opts(const struct map *map, struct cadre_error *err);
/* Makes the job of map->next and submits it (--dry-run: prints it). */
int job_start(struct map *map, struct cadre_error *err);
/* Looks at a resolved job and frees it, or submits it anew. */
int job_finish(struct job *job, struct cadre_error *err);
/* Cancels what is in flight; started: what runs, too. */
void job_cancel_all(struct map *map, bool started);
/* Frees a job without looking at it. */
void job_free(struct job *job);

/* Notes the first failure of cadre's own and stops the map. */
void map_fail(struct map *map, const struct cadre_error *err);

#endif
