/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdlib.h>

/* Deadlines of tasks: a heap, soonest first.  A task knows its place. */

static void
put(struct dispatch *d, size_t i, struct alarm alarm)
{
	d->alarms[i] = alarm;
	alarm.task->extra->alarm = i + 1;
}

static void
up(struct dispatch *d, size_t i)
{
	struct alarm alarm = d->alarms[i];

	while (i > 0 && alarm.at < d->alarms[(i - 1) / 2].at) {
		put(d, i, d->alarms[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(d, i, alarm);
}

static void
down(struct dispatch *d, size_t i)
{
	struct alarm alarm = d->alarms[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= d->alarms_n)
			break;
		if (child + 1 < d->alarms_n &&
		    d->alarms[child + 1].at < d->alarms[child].at)
			child++;
		if (d->alarms[child].at >= alarm.at)
			break;
		put(d, i, d->alarms[child]);
		i = child;
	}
	put(d, i, alarm);
}

int
alarm_add(struct dispatch *d, struct task *task)
{
	if (d->alarms_n == d->alarms_cap) {
		size_t cap = d->alarms_cap == 0 ? 64 : d->alarms_cap * 2;
		struct alarm *alarms =
			realloc(d->alarms, cap * sizeof(struct alarm));

		if (alarms == NULL)
			return CADRE_ENOMEM;
		d->alarms = alarms;
		d->alarms_cap = cap;
	}
	d->alarms[d->alarms_n] =
		(struct alarm){.at = task->extra->deadline, .task = task};
	up(d, d->alarms_n++);
	return 0;
}

void
alarm_remove(struct dispatch *d, struct task *task)
{
	struct alarm last;
	size_t i;

	if (task->extra == NULL || task->extra->alarm == 0)
		return;
	i = task->extra->alarm - 1;
	task->extra->alarm = 0;
	last = d->alarms[--d->alarms_n];
	if (i == d->alarms_n)
		return;
	put(d, i, last);
	up(d, i);
	down(d, last.task->extra->alarm - 1);
}

void
alarm_tick(struct dispatch *d)
{
	while (d->alarms_n > 0 && d->alarms[0].at <= d->now)
		life_stop(d, d->alarms[0].task, CADRE_OUTCOME_TIMEOUT,
			  "timed out: its deadline has passed");
}
