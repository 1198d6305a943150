/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <cadre/native.h>

#include "util/buf.h"

/* What lasts from one call to the next. */
struct call_context {
	struct call_state *states; /* by name */
	/* May be NULL. */
	void (*progress)(void *arg, const char *message);
	bool (*cancelled)(void *arg);
	void *arg;
};

/* One call of a native function; all zero but for the first members. */
struct cadre_call {
	struct call_context *context;
	const struct cadre_value *args;
	uint64_t task;
	uint32_t attempt;

	bool failed;
	struct cadre_value *owned;	  /* the result, to be freed */
	const struct cadre_value *result; /* owned, or borrowed */
	char *message; /* of the failure; NULL: memory ran out */
};

/* Destroys all states. */
void call_context_fini(struct call_context *context);
void call_fini(struct cadre_call *call);

#endif
