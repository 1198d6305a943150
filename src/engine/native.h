/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_NATIVE_H
#define ENGINE_NATIVE_H

#include <stdbool.h>

#include <cadre/error.h>
#include <cadre/task.h>
#include <cadre/value.h>

#include "wire/wire.h"

/*
 * Evaluation of native tasks: in a worker, in the daemon, or in the host.  One
 * thread at a time.  What it loads stays loaded until native_free.
 */

struct native;

/* Both may be NULL.  Called within native_eval. */
struct native_hooks {
	void (*progress)(void *arg, const char *message);
	bool (*cancelled)(void *arg);
	void *arg;
};

struct native_result {
	enum cadre_outcome code;	 /* VALUE or ERROR */
	const struct cadre_value *value; /* VALUE; NULL is null */
	const char *message;		 /* ERROR */
};

/* Copies hooks (NULL: none).  Returns owned; NULL when memory ran out. */
struct native *native_new(const struct native_hooks *hooks);
/* Destroys the states, then runs the fini hooks and unloads, last first. */
void native_free(struct native **n);

/*
 * Calls the function that the frame names (LIBRARY and FUNCTION, or SOURCE and
 * FUNCTION with CC and CFLAGS) with the arguments in its payload.  The result
 * is borrowed until native_done, which must follow.
 */
void native_eval(struct native *n, const struct wire_frame *frame,
		 struct native_result *ret);
void native_done(struct native *n);

#endif
