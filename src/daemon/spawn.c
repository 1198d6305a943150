/* SPDX-License-Identifier: MIT */
#include "daemon/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* What the child writes into the parent's memory before it ends: the parent
 * sleeps until then. */
struct failure {
	enum {
		FAIL_NONE,
		FAIL_CWD,
		FAIL_STDIN,
		FAIL_LIMIT,
		FAIL_FDS,
		FAIL_EXEC
	} step;
	int errnum;
};

void
spawn_init(struct spawn *s)
{
	*s = (struct spawn){0};
	for (int i = 0; i < SPAWN_FDS; i++)
		s->fds[i] = -1;
}

/* A program without an interpreter line is a script for the shell, as execvp
 * has it. */
static int
exec_file(const struct spawn *s, const char *file)
{
	(void)execve(file, s->argv, s->envp);
	if (errno != ENOEXEC)
		return errno;
	s->argv[-1] = (char *)"/bin/sh";
	s->argv[0] = (char *)file;
	(void)execve("/bin/sh", s->argv - 1, s->envp);
	return errno;
}

/* Only what another directory may still cure lets the search go on. */
static bool
search_goes_on(int errnum)
{
	return errnum == ENOENT || errnum == ENOTDIR || errnum == EACCES ||
	       errnum == ESTALE || errnum == ENODEV || errnum == ETIMEDOUT;
}

static int
exec_search(const struct spawn *s)
{
	const char *name = s->argv[0];
	const char *dir = s->path == NULL ? DEFAULT_PATH : s->path;
	size_t name_len = strlen(name);
	int result = ENOENT;
	char file[PATH_MAX];

	if (name_len == 0 || strchr(name, '/') != NULL)
		return name_len == 0 ? ENOENT : exec_file(s, name);
	for (const char *end; dir != NULL; dir = end == NULL ? NULL : end + 1) {
		size_t dir_len;
		int errnum;

		end = strchr(dir, ':');
		dir_len = end == NULL ? strlen(dir) : (size_t)(end - dir);
		if (dir_len + name_len + 2 > sizeof(file))
			continue;
		memcpy(file, dir, dir_len);
		if (dir_len > 0)
			file[dir_len++] = '/';
		memcpy(file + dir_len, name, name_len + 1);
		errnum = exec_file(s, file);
		if (!search_goes_on(errnum))
			return errnum;
		/* "Permission denied" tells more than "no such file". */
		if (errnum == EACCES)
			result = EACCES;
	}
	return result;
}

static bool
open_stdin(const char *file)
{
	/* A FIFO without a writer must not hold up the parent. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return false;
	(void)fcntl(fd, F_SETFL, 0);
	return dup2(fd, STDIN_FILENO) == STDIN_FILENO;
}

static bool
place_fds(const int fds[SPAWN_FDS])
{
	/* Downwards: 1 and 2 may be copies of what 0 was. */
	for (int i = SPAWN_FDS - 1; i >= 0; i--) {
		if (fds[i] >= 0 && dup2(fds[i], i) < 0)
			return false;
	}
	return true;
}

static bool
limit_memory(uint64_t bytes)
{
	struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};

	return bytes == 0 || setrlimit(RLIMIT_AS, &limit) == 0;
}

/* Runs in the parent's memory: system calls only, and no return. */
static void __attribute__((noreturn, noinline))
child(const struct spawn *s, pid_t parent, volatile struct failure *failure)
{
	sigset_t none;

	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (!place_fds(s->fds))
		failure->step = FAIL_FDS;
	else if (s->cwd != NULL && chdir(s->cwd) < 0)
		failure->step = FAIL_CWD;
	else if (s->stdin_file != NULL && !open_stdin(s->stdin_file))
		failure->step = FAIL_STDIN;
	else if (!limit_memory(s->memory_limit))
		failure->step = FAIL_LIMIT;
	failure->errnum = errno;
	if (failure->step == FAIL_NONE) {
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		failure->errnum = exec_search(s);
		failure->step = FAIL_EXEC;
	}
	_exit(127);
}

static int
too_long(const struct spawn *s, struct cadre_error *err)
{
	size_t bytes = 0;

	for (char **arg = s->argv; *arg != NULL; arg++)
		bytes += strlen(*arg) + 1;
	for (char *const *env = s->envp; *env != NULL; env++)
		bytes += strlen(*env) + 1;
	return error_set(
		err, CADRE_ETOOBIG,
		"cannot run '%.100s': its arguments and environment take %zu "
		"bytes; this system allows %ld in all and 131072 for one "
		"argument: pass long data on standard input or in a file",
		s->argv[0], bytes, sysconf(_SC_ARG_MAX));
}

static int
explain(const struct spawn *s, const struct failure *failure,
	struct cadre_error *err)
{
	switch (failure->step) {
	case FAIL_CWD:
		return error_sys(err, failure->errnum,
				 "cannot change to the working directory '%s'",
				 s->cwd);
	case FAIL_STDIN:
		return error_sys(err, failure->errnum,
				 "cannot open '%s' as standard input",
				 s->stdin_file);
	case FAIL_LIMIT:
		return error_sys(err, failure->errnum,
				 "cannot limit memory to %llu bytes",
				 (unsigned long long)s->memory_limit);
	case FAIL_FDS:
		return error_sys(err, failure->errnum,
				 "cannot set up descriptors of '%s'",
				 s->argv[0]);
	default:
		break;
	}
	if (failure->errnum == E2BIG)
		return too_long(s, err);
	return error_sys(err, failure->errnum, "cannot run '%s'", s->argv[0]);
}

int
spawn_run(const struct spawn *s, pid_t *ret_pid, int *ret_status,
	  struct cadre_error *err)
{
	/* Written by the child, behind the compiler's back. */
	volatile struct failure failure = {FAIL_NONE, 0};
	/* A failed attempt to run a script replaces it. */
	char *program = s->argv[0];
	pid_t parent = getpid();
	struct failure seen;
	pid_t pid;

	/* The child shares this memory, and a forked copy would cost far more
	 * than the exec that follows. */
	pid = vfork();
	if (pid == 0)
		child(s, parent, &failure);
	if (pid > 0 && failure.step == FAIL_NONE) {
		*ret_pid = pid;
		return 0;
	}
	*ret_status = 126;
	if (pid < 0)
		return error_sys(err, errno,
				 "cannot start a process for '%s' (see the "
				 "limit on processes, ulimit -u)",
				 program);
	(void)waitpid(pid, NULL, 0);
	s->argv[0] = program;
	seen.step = failure.step;
	seen.errnum = failure.errnum;
	if (seen.step == FAIL_EXEC && seen.errnum == ENOENT)
		*ret_status = 127;
	return explain(s, &seen, err);
}
