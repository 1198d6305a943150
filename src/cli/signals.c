/* SPDX-License-Identifier: MIT */
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "util/error.h"

static int wake[2] = {-1, -1};
static volatile sig_atomic_t caught;

static void
handle(int signo)
{
	int errnum = errno;

	if (caught != 0)
		_exit(130);
	caught = signo;
	(void)!write(wake[1], "", 1);
	errno = errnum;
}

int
signals_open(struct cadre_error *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction old, action = {.sa_handler = handle};

	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_sys(err, errno, "cannot make a pipe");
	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (sigaction(signals[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		(void)sigaction(signals[i], &action, NULL);
	}
	return 0;
}

int
signals_fd(void)
{
	return wake[0];
}

int
signals_caught(void)
{
	return caught;
}
