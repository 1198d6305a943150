/* SPDX-License-Identifier: MIT */
#ifndef HOST_HELPER_H
#define HOST_HELPER_H

#include <sys/types.h>

#include <cadre/error.h>

#include "util/buf.h"
#include "wire/wire.h"

/*
 * A reaper of our own, for commands in synchronous mode: started when first
 * needed, one task at a time.
 */
struct helper {
	int fd; /* -1: not started */
	pid_t pid;
	uint64_t grace_ms;
	char *scratch; /* its directory */
	struct buf in;
};

void helper_init(struct helper *h, uint64_t grace_ms);
void helper_fini(struct helper *h);
/*
 * Runs the command of a TASK frame; timeout_ms 0: none.  output gets its live
 * output.  *ret_result borrows from h until the next call.
 */
int helper_run(struct helper *h, const struct wire_frame *task,
	       uint32_t timeout_ms,
	       void (*output)(void *arg, const struct wire_frame *frame),
	       void *arg, struct wire_frame *ret_result,
	       struct cadre_error *err);

#endif
