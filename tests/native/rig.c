/* SPDX-License-Identifier: MIT */

/* Native functions for the tests. */
#include <cadre/native.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int inits;

int
cadre_native_init(void)
{
	inits++;
	return getenv("RIG_INIT_FAILS") != NULL ? 7 : 0;
}

/* Leaves a line in the file that the tests name. */
static void
note(const char *line)
{
	const char *path = getenv("RIG_NOTES");
	FILE *f = path == NULL ? NULL : fopen(path, "ae");

	if (f == NULL)
		return;
	(void)fprintf(f, "%s\n", line);
	(void)fclose(f);
}

void
cadre_native_fini(void)
{
	note("fini");
}

CADRE_NATIVE(noop)
{
	return cadre_call_return(call, cadre_value_null());
}

CADRE_NATIVE(nothing)
{
	(void)call;
	return 0;
}

CADRE_NATIVE(echo)
{
	return cadre_call_return_borrowed(call, cadre_call_args(call));
}

CADRE_NATIVE(first)
{
	return cadre_call_return_borrowed(call, cadre_call_arg_at(call, 0));
}

CADRE_NATIVE(square)
{
	double x;

	if (cadre_value_double_at(cadre_call_arg(call, "x"), 0, &x) < 0)
		return cadre_call_fail(call, "x must be a number");
	return cadre_call_return(call, cadre_value_of_double(x * x));
}

CADRE_NATIVE(zeros)
{
	int64_t n = 0;

	if (cadre_value_int64_at(cadre_call_arg_at(call, 0), 0, &n) < 0)
		return cadre_call_fail(call, "how many?");
	return cadre_call_return(call, cadre_value_double(NULL, (size_t)n));
}

CADRE_NATIVE(who)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%llu %u", cadre_call_task_id(call),
		       cadre_call_attempt(call));
	return cadre_call_return(call, cadre_value_of_string(text));
}

CADRE_NATIVE(silent_failure)
{
	(void)call;
	return 3;
}

/* A message that points into the result that it replaces. */
CADRE_NATIVE(fails_late)
{
	struct cadre_value *v = cadre_value_of_string("gone");

	(void)cadre_call_return(call, v);
	return cadre_call_fail(call, "was %s", cadre_value_string_at(v, 0));
}

CADRE_NATIVE(out_of_memory)
{
	return cadre_call_return(call, NULL);
}

CADRE_NATIVE(crash)
{
	(void)call;
	abort();
}

CADRE_NATIVE(says)
{
	cadre_call_progress(call, "one");
	cadre_call_progress(call, "two");
	return 0;
}

static void
destroyed(void *state)
{
	note(state);
	free(state);
}

CADRE_NATIVE(set_state)
{
	const char *text = cadre_value_string_at(cadre_call_arg_at(call, 0), 0);
	char *state = text == NULL ? NULL : strdup(text);

	if (cadre_call_set_state(call, "text", state,
				 state == NULL ? NULL : destroyed) < 0)
		return cadre_call_fail(call, "out of memory");
	return 0;
}

CADRE_NATIVE(get_state)
{
	const char *state = cadre_call_state(call, "text");

	if (state == NULL)
		return 0;
	return cadre_call_return(call, cadre_value_of_string(state));
}

CADRE_NATIVE(count_inits)
{
	return cadre_call_return(call, cadre_value_of_int64(inits));
}

/* Sleeps until it is cancelled; SIGINT wakes it. */
CADRE_NATIVE(wait_for_cancel)
{
	struct timespec long_time = {.tv_sec = 60};

	cadre_call_progress(call, "waiting");
	while (!cadre_call_cancelled(call)) {
		if (nanosleep(&long_time, NULL) == 0)
			return cadre_call_fail(call, "nobody woke me");
	}
	return cadre_call_return(call, cadre_value_of_string("cancelled"));
}

CADRE_NATIVE(prints)
{
	(void)call;
	printf("printed\n");
	return 0;
}
