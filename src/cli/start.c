/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cadre/pool.h>

#include "cli/cli.h"
#include "cli/poolopts.h"
#include "cli/profile.h"
#include "cli/signals.h"
#include "util/error.h"

#define NOTIFY_FD 3
#define MESSAGE_MAX 600

extern char **environ;

struct startopts {
	struct poolopts pool;
	const char *log;
	bool foreground, notify;
};

static int start_main(int argc, char **argv);

/* clang-format off */
static const struct option table[] = {
	{OPTION_HEADING, 0, NULL, NULL, "Options", 0, NULL},
	POOLOPTS_ROW_NAME(startopts, pool,
		"name of the dispatcher, for -p of the other commands "
		"(default: default)"),
	POOLOPTS_ROW_SLOTS(startopts, pool,
		"tasks that may run at once: N, +N or -N beside the cores, N% "
		"of them (default: the cores less one, at least one)"),
	{OPTION_FLAG, 0, "foreground", NULL,
	 "stay in the foreground until a signal or \"cadre stop\" comes",
	 offsetof(struct startopts, foreground), NULL},
	{OPTION_TEXT, 0, "log", "FILE",
	 "where messages go once it runs (default: nowhere)",
	 offsetof(struct startopts, log), NULL},
	POOLOPTS_ROWS(startopts, pool),
	OPTION_END,
};
/* clang-format on */

const struct command start_command = {
	.name = "start",
	.synopsis = "[OPTION]...",
	.summary = "Start a dispatcher with its daemons, for many commands to "
		   "use.",
	.epilogue = "Returns when its daemons are connected.  \"cadre stop\" "
		    "ends it.",
	.options = table,
	.main = start_main,
	.failure = CLI_FAILURE,
};

/* To the process that waits for this one: "+" and the URL, or "-" and why not.
 */
static void
notify(char sign, const char *text)
{
	char message[MESSAGE_MAX];
	int n = snprintf(message, sizeof(message), "%c%s", sign, text);

	if (n >= (int)sizeof(message))
		n = (int)sizeof(message) - 1;
	(void)!write(NOTIFY_FD, message, (size_t)n);
	(void)close(NOTIFY_FD);
}

static int
open_pool(const struct startopts *o, const char *name, struct cadre_pool **ret,
	  struct cadre_error *err)
{
	struct poolopts options = o->pool;
	struct cadre_config *cfg;
	uint32_t slots;
	int rc;

	options.name = NULL;
	rc = poolopts_config(&options, &cfg, err);
	if (rc < 0)
		return rc;
	rc = cadre_config_set(cfg, "profile", name, err);
	if (rc == 0)
		rc = cadre_config_set(cfg, "serve", "yes", err);
	if (rc == 0)
		rc = cadre_pool_open(cfg, ret, err);
	cadre_config_free(&cfg);
	if (rc < 0 ||
	    (o->pool.launcher != NULL && strcmp(o->pool.launcher, "none") == 0))
		return rc;
	slots = poolopts_open_slots(&o->pool, *ret);
	rc = cadre_pool_wait_ready(*ret, slots, -1, err);
	if (rc < 0)
		cadre_pool_close(ret);
	return rc;
}

/* Until a signal comes or a client asks for the end. */
static void
serve(struct cadre_pool *pool)
{
	struct pollfd pfds[2] = {
		{.fd = signals_fd(), .events = POLLIN},
		{.fd = cadre_pool_fd(pool), .events = POLLIN},
	};

	while (signals_caught() == 0) {
		(void)cadre_pool_process(pool);
		if (cadre_pool_wait(pool, 0) == CADRE_ECLOSED)
			return;
		(void)poll(pfds, 2, -1);
	}
}

static int
foreground(const struct startopts *o, const char *name, struct cadre_error *err)
{
	struct cadre_pool *pool;
	struct profile other, own = {.pid = getpid()};
	int rc = profile_read(name, &other, NULL);

	if (rc == 0) {
		rc = error_set(err, CADRE_EEXIST,
			       "\"%s\" runs already, as process %ld at %s; to "
			       "end it: cadre stop -p %s",
			       name, (long)other.pid, other.url, name);
		profile_fini(&other);
		return rc;
	}
	/* By which stop knows it, whatever the program file is called. */
	(void)prctl(PR_SET_NAME, "cadre");
	rc = signals_open(err);
	if (rc == 0)
		rc = open_pool(o, name, &pool, err);
	if (rc < 0)
		return rc;
	own.url = (char *)cadre_pool_url(pool);
	own.auth = (char *)o->pool.auth;
	rc = profile_write(name, &own, err);
	if (rc == 0) {
		if (o->notify)
			notify('+', cadre_pool_url(pool));
		else
			cli_warn(&start_command, "\"%s\" listens at %s", name,
				 cadre_pool_url(pool));
		serve(pool);
		profile_remove(name);
	}
	cadre_pool_close(&pool);
	return rc;
}

/* The same command line with --notify, in a session of its own. */
static int
spawn_self(int argc, char **argv, const char *log, int notify_fd,
	   pid_t *ret_pid, struct cadre_error *err)
{
	char **args = calloc((size_t)argc + 4, sizeof(*args));
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int n = 0, rc;

	if (args == NULL)
		return error_nomem(err);
	args[n++] = (char *)"cadre";
	for (int i = 0; i < argc; i++)
		args[n++] = argv[i];
	args[n++] = (char *)"--notify";
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null",
					       O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(
		&actions, 1, log != NULL ? log : "/dev/null",
		O_WRONLY | O_CREAT | O_APPEND, 0666);
	(void)posix_spawn_file_actions_adddup2(&actions, 1, 2);
	(void)posix_spawn_file_actions_adddup2(&actions, notify_fd, NOTIFY_FD);
	rc = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attr, args,
			 environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	free(args);
	return rc == 0 ? 0 : error_sys(err, rc, "cannot start a process");
}

/* Reads what the child tells; it is gone if it tells nothing. */
static int
await(int fd, pid_t pid, char *message, size_t size, struct cadre_error *err)
{
	size_t len = 0;
	int status;
	ssize_t n;

	while (len < size - 1 &&
	       ((n = read(fd, message + len, size - 1 - len)) > 0 ||
		(n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	message[len] = '\0';
	if (message[0] == '+')
		return 0;
	if (message[0] == '-') {
		(void)waitpid(pid, &status, 0);
		return error_set(err, CADRE_ELAUNCH, "%s", message + 1);
	}
	(void)waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		return error_set(err, CADRE_ELAUNCH,
				 "the dispatcher was ended by signal %d before "
				 "it listened",
				 WTERMSIG(status));
	return error_set(err, CADRE_ELAUNCH,
			 "the dispatcher ended with status %d before it "
			 "listened",
			 WEXITSTATUS(status));
}

static int
background(int argc, char **argv, const struct startopts *o, const char *name,
	   struct cadre_error *err)
{
	char message[MESSAGE_MAX];
	int fds[2], rc;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_sys(err, errno, "cannot make a pipe");
	/* A descriptor that is NOTIFY_FD already would stay close-on-exec. */
	if (fds[1] == NOTIFY_FD) {
		fds[1] = fcntl(NOTIFY_FD, F_DUPFD_CLOEXEC, NOTIFY_FD + 1);
		(void)close(NOTIFY_FD);
		if (fds[1] < 0)
			return error_sys(err, errno, "cannot make a pipe");
	}
	rc = spawn_self(argc, argv, o->log, fds[1], &pid, err);
	(void)close(fds[1]);
	if (rc == 0)
		rc = await(fds[0], pid, message, sizeof(message), err);
	(void)close(fds[0]);
	if (rc == 0)
		(void)printf("\"%s\" runs as process %ld at %s\n", name,
			     (long)pid, message + 1);
	return rc;
}

static int
start_main(int argc, char **argv)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct startopts o = {.log = NULL};
	const char *name;
	int first, rc, status = 0;

	/* The last word, added by spawn_self, is no option for users. */
	if (strcmp(argv[argc - 1], "--notify") == 0) {
		o.notify = true;
		argc--;
	}
	if (!cli_options(&start_command, argc, argv, &o, &first, &status)) {
		poolopts_fini(&o.pool);
		return status;
	}
	name = o.pool.name != NULL ? o.pool.name : PROFILE_DEFAULT;
	/* It must not live on in daemons: the reader waits for its end. */
	if (o.notify)
		(void)fcntl(NOTIFY_FD, F_SETFD, FD_CLOEXEC);
	rc = profile_check_name(name, &err);
	if (rc == 0 && first < argc)
		rc = error_set(&err, CADRE_EINVAL, "\"%.60s\" is not an option",
			       argv[first]);
	if (rc == 0)
		rc = o.foreground || o.notify
			     ? foreground(&o, name, &err)
			     : background(argc, argv, &o, name, &err);
	if (rc < 0 && o.notify)
		notify('-', err.text);
	if (rc < 0)
		status = cli_fail(&start_command, &err);
	poolopts_fini(&o.pool);
	return status;
}
