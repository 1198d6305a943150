/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cadre/pool.h>

#include "cli/cli.h"
#include "cli/poolopts.h"
#include "cli/profile.h"
#include "util/error.h"

#define LOOK_MS 50
#define FORCE_WAIT_MS 10000

struct stopopts {
	struct poolopts pool;
	bool force;
};

static int stop_main(int argc, char **argv);

/* clang-format off */
static const struct option table[] = {
	{OPTION_HEADING, 0, NULL, NULL, "Options", 0, NULL},
	POOLOPTS_ROW_NAME(stopopts, pool,
		"name of the dispatcher (default: default)"),
	{OPTION_FLAG, 0, "force", NULL,
	 "stop what runs, instead of waiting until no task is left",
	 offsetof(struct stopopts, force), NULL},
	OPTION_END,
};
/* clang-format on */

const struct command stop_command = {
	.name = "stop",
	.synopsis = "[OPTION]...",
	.summary = "Stop a dispatcher that \"cadre start\" started.",
	.options = table,
	.main = stop_main,
	.failure = CLI_FAILURE,
};

static int
await_idle(struct cadre_pool *pool, struct cadre_error *err)
{
	struct cadre_info info;
	int rc;

	for (;;) {
		rc = cadre_pool_info(pool, &info, err);
		if (rc < 0 || info.awaiting + info.executing == 0)
			return rc;
		(void)poll(NULL, 0, LOOK_MS);
	}
}

/* True once the process is gone. */
static bool
await_end(int pidfd, int timeout_ms)
{
	struct pollfd pfd = {.fd = pidfd, .events = POLLIN};
	int n;

	while ((n = poll(&pfd, 1, timeout_ms)) < 0 && errno == EINTR)
		;
	return n > 0;
}

static int
send_signal(int pidfd, int signo, const struct profile *p,
	    struct cadre_error *err)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0 &&
	    errno != ESRCH)
		return error_sys(err, errno, "cannot signal process %ld",
				 (long)p->pid);
	return 0;
}

/* The signal ends it as a request would; a dispatcher that hangs is killed. */
static int
force_end(int pidfd, const struct profile *p, struct cadre_error *err)
{
	int rc = send_signal(pidfd, SIGTERM, p, err);

	if (rc < 0 || await_end(pidfd, FORCE_WAIT_MS))
		return rc;
	rc = send_signal(pidfd, SIGKILL, p, err);
	if (rc == 0)
		(void)await_end(pidfd, FORCE_WAIT_MS);
	return rc;
}

static int
ask(const struct stopopts *o, struct cadre_error *err)
{
	struct cadre_pool *pool = NULL;
	int rc = poolopts_open(&o->pool, &pool, err);

	if (rc == 0)
		rc = await_idle(pool, err);
	if (rc == 0)
		rc = cadre_pool_shutdown(pool, err);
	cadre_pool_close(&pool);
	return rc;
}

static int
stop(const struct stopopts *o, struct cadre_error *err)
{
	struct profile p;
	int pidfd;
	int rc = profile_read(o->pool.name, &p, err);

	if (rc < 0)
		return rc;
	pidfd = (int)syscall(SYS_pidfd_open, p.pid, 0);
	if (pidfd < 0)
		rc = error_sys(err, errno, "cannot watch process %ld",
			       (long)p.pid);
	else if (o->force)
		rc = force_end(pidfd, &p, err);
	else
		rc = ask(o, err);
	if (rc == 0 && !o->force)
		(void)await_end(pidfd, -1);
	if (pidfd >= 0)
		(void)close(pidfd);
	if (rc == 0)
		profile_remove(o->pool.name);
	profile_fini(&p);
	return rc;
}

static int
stop_main(int argc, char **argv)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct stopopts o = {.pool = {.name = PROFILE_DEFAULT}};
	int first, rc, status = 0;

	if (!cli_options(&stop_command, argc, argv, &o, &first, &status))
		return status;
	rc = profile_check_name(o.pool.name, &err);
	if (rc == 0 && first < argc)
		rc = error_set(&err, CADRE_EINVAL, "\"%.60s\" is not an option",
			       argv[first]);
	if (rc == 0)
		rc = stop(&o, &err);
	return rc < 0 ? cli_fail(&stop_command, &err) : 0;
}
