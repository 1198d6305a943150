/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdio.h>

/* What follows from a failed attempt.  A task whose own fault it was goes to
 * the end of the queue, one that lost its place to the head. */
static const struct {
	enum cadre_outcome outcome;
	bool at_head;
	bool took; /* a worker or daemon was lost with it */
} causes[DISPATCH_CAUSES] = {
	[DISPATCH_ERROR] = {CADRE_OUTCOME_ERROR, false, false},
	[DISPATCH_EXIT] = {CADRE_OUTCOME_EXIT, false, false},
	[DISPATCH_TIMEOUT] = {CADRE_OUTCOME_TIMEOUT, false, false},
	[DISPATCH_CRASH] = {CADRE_OUTCOME_LOST, true, true},
	[DISPATCH_LOST] = {CADRE_OUTCOME_LOST, true, true},
	[DISPATCH_LEAVE] = {CADRE_OUTCOME_LOST, true, false},
};

bool
retry_poisoned(struct dispatch *d, struct task *task)
{
	struct task_extra *extra = life_extra(task);
	char text[160];

	if (extra == NULL || ++extra->took < DISPATCH_POISON)
		return false;
	(void)snprintf(text, sizeof(text),
		       "connection reset: task %llu was stopped because it "
		       "took %u workers or daemons with it",
		       (unsigned long long)task->id, extra->took);
	life_finish(d, task, CADRE_OUTCOME_LOST, NULL, text);
	return true;
}

void
retry_failed(struct dispatch *d, struct task *task, enum dispatch_cause cause,
	     const struct wire_frame *result, const char *message)
{
	uint32_t limit = task->class->key.retry[cause];

	if (causes[cause].took && retry_poisoned(d, task))
		return;
	if (limit == DISPATCH_UNLIMITED) {
		d->info.retried++;
		life_again(d, task, causes[cause].at_head);
		return;
	}
	if (limit > 0 && life_extra(task) != NULL &&
	    task->extra->used[cause] < limit) {
		task->extra->used[cause]++;
		d->info.retried++;
		life_again(d, task, causes[cause].at_head);
		return;
	}
	life_finish(d, task, causes[cause].outcome, result, message);
}
