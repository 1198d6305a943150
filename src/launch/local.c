/* SPDX-License-Identifier: MIT */
#include "launch/launch.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/parse.h"

/* What the daemon gets as descriptors 0, 1 and 2. */
struct outfit {
	int record; /* memory file */
	int log;    /* write end */
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static unsigned long
limit_of(__rlimit_resource_t what)
{
	struct rlimit limit = {0};

	(void)getrlimit(what, &limit);
	return (unsigned long)limit.rlim_cur;
}

/* Errors of descriptors and processes, with what the user can do. */
static int
explain(struct cadre_error *err, int errnum, size_t i, size_t n)
{
	if (errnum == EAGAIN)
		return error_set(err, CADRE_ELAUNCH,
				 "cannot start daemon %zu of %zu: the limit of "
				 "processes is reached (ulimit -u is %lu); ask "
				 "for fewer daemons or raise it",
				 i + 1, n, limit_of(RLIMIT_NPROC));
	if (errnum == EMFILE || errnum == ENFILE)
		return error_set(err, CADRE_ELAUNCH,
				 "cannot start daemon %zu of %zu: too many "
				 "open files (ulimit -n is %lu); ask for fewer "
				 "daemons or raise it",
				 i + 1, n, limit_of(RLIMIT_NOFILE));
	return error_sys(err, errnum, "cannot start daemon %zu of %zu", i + 1,
			 n);
}

static int
write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		text += n;
		len -= (size_t)n;
	}
	return lseek(fd, 0, SEEK_SET) == 0 ? 0 : errno;
}

/* The record in a file without a name: unlike a pipe it takes any length and
 * never blocks.  Returns an errno. */
static int
make_record(const struct launch_record *record, int *ret_fd)
{
	char *text;
	int fd, rc;

	if (launch_record_format(record, &text) < 0)
		return ENOMEM;
	fd = memfd_create("cadre-launch-record", MFD_CLOEXEC);
	rc = fd < 0 ? errno : write_all(fd, text, strlen(text));
	free(text);
	if (rc != 0)
		close_fd(&fd);
	else
		*ret_fd = fd;
	return rc;
}

#if !__GLIBC_PREREQ(2, 34)
/* What is open now and not close-on-exec. */
static int
close_others(posix_spawn_file_actions_t *actions)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : errno;
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		uint32_t fd;

		if (parse_uint32(entry->d_name, 3, INT32_MAX, &fd) == 0)
			rc = posix_spawn_file_actions_addclose(actions,
							       (int)fd);
	}
	(void)closedir(dir);
	return rc;
}
#else
static int
close_others(posix_spawn_file_actions_t *actions)
{
	return posix_spawn_file_actions_addclosefrom_np(actions, 3);
}
#endif

static int
set_files(posix_spawn_file_actions_t *actions, const struct outfit *outfit)
{
	int rc;

	rc = posix_spawn_file_actions_adddup2(actions, outfit->record, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, outfit->log, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, outfit->log, 2);
	return rc == 0 ? close_others(actions) : rc;
}

/* No signal of the host's is blocked or ignored there, and Ctrl-C at the host's
 * terminal is the host's business. */
static int
set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int rc;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	rc = posix_spawnattr_setsigmask(attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	if (rc == 0)
		rc = posix_spawnattr_setflags(
			attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
				      POSIX_SPAWN_SETSID);
	return rc;
}

static int
spawn(const char *path, const struct outfit *outfit, pid_t *ret_pid)
{
	char *argv[] = {(char *)(uintptr_t) "cadred",
			(char *)(uintptr_t) "--record", (char *)(uintptr_t) "-",
			NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int rc;

	rc = posix_spawn_file_actions_init(&actions);
	if (rc != 0)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (rc == 0) {
		rc = set_files(&actions, outfit);
		if (rc == 0)
			rc = set_attributes(&attr);
		if (rc == 0)
			rc = posix_spawn(ret_pid, path, &actions, &attr, argv,
					 environ);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* Descriptors 0 to 2 are what the daemon's are made of: if the host has closed
 * its own, new ones must not land there. */
static int
above_standard(int *fd)
{
	int high;

	if (*fd > 2)
		return 0;
	high = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (high < 0)
		return errno;
	(void)close(*fd);
	*fd = high;
	return 0;
}

/* Returns an errno. */
static int
start_one(const char *path, const struct launch_record *record,
	  struct launch_job *ret_job)
{
	struct launch_job job = {.pidfd = -1, .log_fd = -1};
	struct outfit outfit = {-1, -1};
	int log[2], rc;

	rc = make_record(record, &outfit.record);
	if (rc == 0 && pipe2(log, O_CLOEXEC) < 0)
		rc = errno;
	else if (rc == 0) {
		job.log_fd = log[0];
		outfit.log = log[1];
	}
	if (rc == 0)
		rc = above_standard(&outfit.record);
	if (rc == 0)
		rc = above_standard(&outfit.log);
	if (rc == 0)
		rc = spawn(path, &outfit, &job.pid);
	close_fd(&outfit.record);
	close_fd(&outfit.log);
	if (rc != 0) {
		close_fd(&job.log_fd);
		return rc;
	}
	job.pidfd = (int)syscall(SYS_pidfd_open, job.pid, 0);
	*ret_job = job;
	return 0;
}

static void
local_cancel(struct launch_job *job, int kill_it)
{
	int sig = kill_it ? SIGKILL : SIGTERM;

	if (job->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, job->pidfd, sig, NULL, 0);
	else if (job->pid > 0)
		(void)kill(job->pid, sig);
}

static void
end_job(struct launch_job *job)
{
	local_cancel(job, 1);
	while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close_fd(&job->pidfd);
	close_fd(&job->log_fd);
}

static int
local_start(const struct launch_record *records, size_t n,
	    struct launch_job *jobs, struct cadre_error *err)
{
	char *path;
	int rc;

	rc = launch_find_program("cadred", &path, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		int errnum = start_one(path, &records[i], &jobs[i]);

		if (errnum == 0)
			continue;
		rc = explain(err, errnum, i, n);
		while (i > 0)
			end_job(&jobs[--i]);
		break;
	}
	free(path);
	return rc;
}

const struct launch_ops launch_local = {
	.name = "local",
	.start = local_start,
	.cancel = local_cancel,
};
