/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "link/link.h"

/* A user whom the limit binds; root is above it. */
#define NOBODY 65534

/* 0: the sentence is right; other numbers say what is not. */
static int
listen_within(rlim_t processes)
{
	static const struct link_ops ops = {.opened = NULL};
	struct rlimit limit = {.rlim_cur = processes, .rlim_max = processes};
	struct cadre_error err = CADRE_ERROR_INIT;
	struct link_listener *listener;
	int rc;

	if (getuid() == 0 && setuid(NOBODY) < 0)
		return 2;
	if (setrlimit(RLIMIT_NPROC, &limit) < 0)
		return 3;
	rc = link_listen("tcp://127.0.0.1:0", &ops, NULL, &listener, &err);
	if (rc != CADRE_ESYS)
		return 4;
	return strstr(err.text, "ulimit -u") == NULL ? 5 : 0;
}

/* In a process of its own: the transport starts its threads only once. */
static void
too_few_processes_are_one_sentence(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	for (rlim_t processes = 1; processes <= 8; processes++) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(listen_within(processes));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_few_processes_are_one_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
