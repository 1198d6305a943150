/* SPDX-License-Identifier: MIT */

/* Native functions for the tests of the daemon. */
#include <cadre/native.h>

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int state;

CADRE_NATIVE(noop)
{
	return cadre_call_return(call, cadre_value_null());
}

/* Its argument, or nothing. */
CADRE_NATIVE(first)
{
	const struct cadre_value *v = cadre_call_arg_at(call, 0);

	return v == NULL ? 0 : cadre_call_return_borrowed(call, v);
}

CADRE_NATIVE(crash)
{
	(void)call;
	/* Whatever a sanitizer wants to say about it. */
	(void)signal(SIGSEGV, SIG_DFL);
	(void)raise(SIGSEGV);
	return 0;
}

CADRE_NATIVE(quit)
{
	(void)call;
	_exit(3);
}

/* Until it is cancelled; says when it has begun. */
CADRE_NATIVE(polite)
{
	struct timespec pause = {.tv_nsec = 10000000};

	cadre_call_progress(call, "begun");
	while (!cadre_call_cancelled(call))
		(void)nanosleep(&pause, NULL);
	return cadre_call_return(call, cadre_value_null());
}

/* Until it is cancelled, without a word. */
CADRE_NATIVE(mute)
{
	struct timespec pause = {.tv_nsec = 10000000};

	while (!cadre_call_cancelled(call))
		(void)nanosleep(&pause, NULL);
	return cadre_call_return(call, cadre_value_null());
}

/* For ever, whatever is asked of it. */
CADRE_NATIVE(stubborn)
{
	sigset_t set;

	(void)sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	cadre_call_progress(call, "begun");
	for (;;)
		(void)pause();
}

/* Longer than a daemon waits before it reports the start of a task. */
CADRE_NATIVE(nap)
{
	struct timespec pause = {.tv_nsec = 400000000};

	(void)nanosleep(&pause, NULL);
	return cadre_call_return(call, cadre_value_null());
}

CADRE_NATIVE(set_state)
{
	state++;
	return cadre_call_return(call, cadre_value_null());
}

CADRE_NATIVE(get_state)
{
	return cadre_call_return(call, cadre_value_of_int64(state));
}

CADRE_NATIVE(pid)
{
	return cadre_call_return(call, cadre_value_of_int64(getpid()));
}

CADRE_NATIVE(fails)
{
	return cadre_call_fail(call, "it was asked to");
}
