/* SPDX-License-Identifier: MIT */
#ifndef HOST_EVENT_H
#define HOST_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include <cadre/task.h>

struct task_extra;

/*
 * What waits for the caller: callbacks to be run, completions to be handed
 * out.  One queue for each pool, filled where outcomes and output arrive,
 * emptied inside cadre_* calls.
 */
struct event {
	struct event *next;
	struct cadre_task *task; /* counted */
	int which;		 /* 0: done; else as in cadre_output_fn */
	size_t len;
	unsigned char data[];
};

struct event_list {
	struct event *head;
	struct event *tail;
	size_t bytes;
};

/* Frees what is left; drops its references to tasks. */
void event_list_free(struct event_list *list);
/* A piece of output arrived (pool's mutex held). */
void event_output(struct cadre_task *t, int which, const void *data,
		  size_t len);
/* The task has just been resolved (pool's mutex held). */
void event_done(struct cadre_task *t);
/* Runs what is due of a task that was found resolved; it may not be queued yet.
 */
void event_settle(struct cadre_task *t);
/* Runs the callbacks that are due, unless another thread is at it.  Returns how
 * many ran. */
int event_process(struct cadre_pool *pool);
/* Whether callbacks are due. */
bool event_pending(struct cadre_pool *pool);
/* The next completed task that was tracked; NULL if there is none.  *ret_open
 * tells whether more may come.  Returns a reference. */
struct cadre_task *event_next(struct cadre_pool *pool, bool *ret_open);
/* Forgets the completions that nobody fetched. */
void event_forget(struct cadre_pool *pool);

#endif
