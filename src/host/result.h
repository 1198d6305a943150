/* SPDX-License-Identifier: MIT */
#ifndef HOST_RESULT_H
#define HOST_RESULT_H

#include "host/task.h"

/* Keeps what an outcome says, its payload too if keep_payload; NULL when
 * memory ran out. */
struct task_result *result_new(const struct dispatch_outcome *outcome,
			       bool keep_payload);
void result_free(struct task_result *r);

#endif
