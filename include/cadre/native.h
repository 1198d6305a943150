/* SPDX-License-Identifier: MIT */
#ifndef CADRE_NATIVE_H
#define CADRE_NATIVE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cadre/value.h>

/*
 * For authors of native tasks: C functions in a shared object that a worker
 * calls.
 *
 *   #include <cadre/native.h>
 *
 *   CADRE_NATIVE (energy)
 *   {
 *           double x;
 *           if (cadre_value_double_at (cadre_call_arg (call, "x"), 0, &x) < 0)
 *                   return cadre_call_fail (call, "x must be a number");
 *           return cadre_call_return (call, cadre_value_of_double (x * x));
 *   }
 *
 * Build it with:
 *   cc -shared -fPIC -o lib.so lib.c $(pkg-config --cflags --libs cadre)
 *
 * A function runs on the worker's main thread, one at a time.  It may keep
 * state between calls (cadre_call_state, static variables); a crash ends only
 * its worker.  Its standard output and standard error go nowhere, or with the
 * pool's setting output-daemon=yes to the daemon's log.
 */

/* Found by name even if the library hides its symbols by default. */
#if defined(__GNUC__)
#define CADRE_NATIVE_EXPORT __attribute__((visibility("default")))
#else
#define CADRE_NATIVE_EXPORT
#endif

#ifdef __cplusplus
#define CADRE_NATIVE(name) \
	extern "C" CADRE_NATIVE_EXPORT int name(struct cadre_call *call); \
	extern "C" int name(struct cadre_call *call)
extern "C" {
#else
#define CADRE_NATIVE(name) \
	CADRE_NATIVE_EXPORT int name(struct cadre_call *call); \
	int name(struct cadre_call *call)
#endif

#pragma GCC visibility push(default)

struct cadre_call;

/* Type of a task's function: 0, or what cadre_call_fail returned. */
typedef int cadre_native_fn(struct cadre_call *call);

/* The arguments: a list (possibly empty), borrowed for the call. */
const struct cadre_value *cadre_call_args(const struct cadre_call *call);
/* The argument of that name, borrowed; NULL if it was not given. */
const struct cadre_value *cadre_call_arg(const struct cadre_call *call,
					 const char *name);
/* The i-th argument, named or not, borrowed; NULL if out of range. */
const struct cadre_value *cadre_call_arg_at(const struct cadre_call *call,
					    size_t i);

/*
 * The result.  Takes *v*; a NULL (memory ran out) fails the call.  Returns what
 * the function has to return.
 */
int cadre_call_return(struct cadre_call *call, struct cadre_value *v);
/* The result is v, borrowed until the function has returned: for arguments
 * handed back and for data kept in the worker. */
int cadre_call_return_borrowed(struct cadre_call *call,
			       const struct cadre_value *v);
/* Fails the call with a message; returns what the function has to return. */
int cadre_call_fail(struct cadre_call *call, const char *format, ...)
#if defined(__GNUC__)
	__attribute__((format(printf, 2, 3)))
#endif
	;

/* Sends a progress message to the host (see cadre_task_on_output). */
void cadre_call_progress(struct cadre_call *call, const char *message);
/* True once the task was cancelled or its time is over: return soon. */
bool cadre_call_cancelled(const struct cadre_call *call);
/* The task's id and the number of this attempt, counted from 1. */
unsigned long long cadre_call_task_id(const struct cadre_call *call);
unsigned int cadre_call_attempt(const struct cadre_call *call);

/*
 * State of this worker under a name, kept between calls until it is replaced
 * or the worker ends; destroy (may be NULL) is called then.
 */
void *cadre_call_state(const struct cadre_call *call, const char *name);
int cadre_call_set_state(struct cadre_call *call, const char *name, void *state,
			 void (*destroy)(void *state));

/*
 * Hooks of a library, found by name, both optional: called when a worker loads
 * it (a non-zero return fails the task that needed it) and when the worker
 * ends in good order.
 */
int cadre_native_init(void);
void cadre_native_fini(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
