/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_EPOCHS_H
#define DAEMON_EPOCHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/blob.h"
#include "wire/wire.h"

/*
 * What was asked of everywhere, in order: each worker that starts applies all
 * of it before its first task.  Pure.
 */
struct epoch {
	uint64_t id;
	uint8_t engine;	    /* enum wire_engine */
	bool once;	    /* not for workers that start later */
	struct blob *frame; /* encoded, for a worker or a reaper */
};

struct epochs {
	struct epoch *list;
	size_t n;
	size_t cap;
};

int epochs_add(struct epochs *e, const struct wire_frame *frame);
/* Forgets all. */
void epochs_reset(struct epochs *e);
/*
 * The next one of an engine for somebody who has applied those before from;
 * those that are meant once are passed over below seen.  NULL: nothing is left.
 * *ret_next is what from will be afterwards.
 */
const struct epoch *epochs_next(const struct epochs *e, uint8_t engine,
				size_t from, size_t seen, size_t *ret_next);

#endif
