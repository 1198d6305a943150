/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdlib.h>

/*
 * The dispatcher's own life and the events of its process.  The rest:
 *
 *   life.c    a task from submission to outcome; tasks that wait for others
 *   retry.c   what follows from a failed attempt
 *   ready.c   the queues of ready tasks
 *   credit.c  slots, their windows, and which of them gets what
 *   table.c   ids of tasks, and the memory of those that failed
 *   alarm.c   deadlines
 *   peer.c    connections, heartbeats, the limit of waiting without daemons
 *   daemon.c  what daemons say; lost slots
 *   client.c  what hosts say
 *   epoch.c   everywhere
 *   spec.c    the fields of a submitted task
 *   status.c  info and status
 *
 * Every event ends with credit_settle, so that between events no slot idles
 * while it could run a ready task.
 */

/* What malloc adds to a task, on the usual 64-bit machine. */
#define MALLOC_OVERHEAD 8u
#define SCRATCH_MAX (UINT32_C(1) << 30)

void
dispatch_config_default(struct dispatch_config *cfg)
{
	*cfg = (struct dispatch_config){
		.window = 8192,
		.heartbeat_ms = 2000,
		.idle_limit_ms = 30000,
		.first_incarnation = 1,
	};
	cfg->retry[DISPATCH_LOST] = 1;
	cfg->retry[DISPATCH_LEAVE] = DISPATCH_UNLIMITED;
}

struct dispatch *
dispatch_new(const struct dispatch_config *cfg, const struct dispatch_ops *ops,
	     void *arg)
{
	struct dispatch *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->cfg = *cfg;
	d->ops = ops;
	d->arg = arg;
	d->next_id = 1;
	d->next_incarnation =
		cfg->first_incarnation != 0 ? cfg->first_incarnation : 1;
	d->seq_head = d->seq_tail = UINT64_C(1) << 63;
	d->sweep_at = NEVER;
	d->idle_at = NEVER;
	buf_init(&d->scratch, SCRATCH_MAX);
	credit_init(d);
	return d;
}

static void
close_task(struct dispatch *d, struct task *task)
{
	if ((task->bits & TASK_GHOST) != 0)
		return;
	if (task->state == CADRE_ASSIGNED || task->state == CADRE_STARTED)
		credit_release(d, task->slot, task);
	life_finish(d, task, CADRE_OUTCOME_CLOSED, NULL, NULL);
}

void
dispatch_free(struct dispatch **d)
{
	struct dispatch *x = *d;

	*d = NULL;
	if (x == NULL)
		return;
	x->sweeping = true;
	table_each(x, close_task);
	table_each(x, life_free);
	epoch_reset(x, CADRE_OUTCOME_CLOSED);
	while (x->peers != NULL)
		peer_free(x, x->peers);
	ready_fini(x);
	table_fini(x);
	buf_fini(&x->scratch);
	free(x->alarms);
	free(x->after);
	free(x->why);
	free(x);
}

int
dispatch_submit(struct dispatch *d, const struct dispatch_spec *spec,
		const struct dispatch_body *body, void *owner, uint64_t now,
		uint64_t *ret_id)
{
	struct task *task;
	int rc;

	dispatch_advance(d, now);
	rc = life_new(d, spec, body, owner, 0, &task);
	if (rc < 0)
		return rc;
	*ret_id = task->id;
	life_begin(d, task);
	credit_settle(d);
	peer_watch_idle(d);
	return 0;
}

int
dispatch_cancel(struct dispatch *d, uint64_t id, uint64_t now)
{
	struct task *task = table_find(d, id);

	dispatch_advance(d, now);
	if (task == NULL || task->state == CADRE_DONE)
		return CADRE_ENOENT;
	life_stop(d, task, CADRE_OUTCOME_CANCELLED, NULL);
	credit_settle(d);
	peer_watch_idle(d);
	return 0;
}

enum cadre_state
dispatch_state(const struct dispatch *d, uint64_t id)
{
	const struct task *task = table_find(d, id);

	return task == NULL ? CADRE_DONE : (enum cadre_state)task->state;
}

void
dispatch_tick(struct dispatch *d, uint64_t now)
{
	dispatch_advance(d, now);
	alarm_tick(d);
	peer_tick(d);
	credit_settle(d);
	credit_tick(d);
	peer_watch_idle(d);
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
dispatch_deadline(const struct dispatch *d)
{
	uint64_t at =
		sooner(d->recall_at, sooner(d->sweep_at, peer_deadline(d)));

	return d->alarms_n > 0 ? sooner(at, d->alarms[0].at) : at;
}

size_t
dispatch_task_overhead(void)
{
	return sizeof(struct task) + MALLOC_OVERHEAD + table_overhead();
}
