/* SPDX-License-Identifier: MIT */
#include "cli/record.h"

#include <errno.h>
#include <string.h>

void
record_fill(struct record *r, const struct cadre_task *task)
{
	r->outcome = cadre_task_outcome(task);
	r->error = cadre_task_error(task);
	(void)memset(&r->stats, 0, sizeof(r->stats));
	(void)memset(&r->result, 0, sizeof(r->result));
	(void)cadre_task_stats(task, &r->stats);
	/* A task that was lost before it said that it began. */
	if (r->stats.started_unix_ns == 0)
		r->stats.started_unix_ns = r->stats.submitted_unix_ns;
	(void)cadre_task_command_result(task, &r->result);
}

bool
record_failed(const struct record *r)
{
	return r->outcome != CADRE_OUTCOME_VALUE;
}

static bool
not_found(const char *error)
{
	return error != NULL && (strstr(error, strerror(ENOENT)) != NULL ||
				 strstr(error, "not found") != NULL);
}

int
record_status(const struct record *r)
{
	switch (r->outcome) {
	case CADRE_OUTCOME_VALUE:
		return 0;
	case CADRE_OUTCOME_EXIT:
		return r->result.signal > 0 ? 128 + r->result.signal
					    : r->result.exit_status;
	case CADRE_OUTCOME_ERROR:
		return not_found(r->error) ? 127 : 126;
	case CADRE_OUTCOME_TIMEOUT:
		return 124;
	case CADRE_OUTCOME_INTERRUPT:
	case CADRE_OUTCOME_CANCELLED:
		return 130;
	case CADRE_OUTCOME_CLOSED:
	case CADRE_OUTCOME_LOST:
	case CADRE_OUTCOME_NONE:
		break;
	}
	return 125;
}
