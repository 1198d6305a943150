/* SPDX-License-Identifier: MIT */
#include "launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_record(void **state)
{
	struct launch_record r = {0}, back;
	struct cadre_error err = CADRE_ERROR_INIT;
	char *text;

	(void)state;
	assert_int_equal(launch_record_set(&r, "url", "ipc:///tmp/a=b", &err),
			 0);
	assert_int_equal(launch_record_set(&r, "url", "ipc:///tmp/c=d", &err),
			 0);
	assert_int_equal(launch_record_set(&r, "session", "x\ny\\nz\\", &err),
			 0);
	assert_int_equal(launch_record_set(&r, "index", "4294967295", &err), 0);
	assert_int_equal(launch_record_set(&r, "end", "1700000000000", &err),
			 0);
	assert_int_equal(launch_record_set(&r, "set.maxtasks", "1", &err), 0);
	assert_int_equal(launch_record_set(&r, "set.log", "", &err), 0);
	assert_int_equal(launch_record_set(&r, "set.maxtasks", "100", &err), 0);
	assert_int_equal(launch_record_format(&r, &text), 0);
	assert_string_equal(text, "url=ipc:///tmp/c=d\n"
				  "session=x\\ny\\\\nz\\\\\n"
				  "index=4294967295\n"
				  "end=1700000000000\n"
				  "set.maxtasks=100\n"
				  "set.log=\n");
	assert_int_equal(launch_record_parse(text, strlen(text), &back, &err),
			 0);
	assert_string_equal(back.url, r.url);
	assert_string_equal(back.session, "x\ny\\nz\\");
	assert_null(back.auth);
	assert_int_equal(back.index, UINT32_MAX);
	assert_int_equal(back.slots, 0);
	assert_int_equal(back.end_unix, 1700000000000);
	assert_string_equal(back.settings[0], "maxtasks");
	assert_string_equal(back.settings[1], "100");
	assert_string_equal(back.settings[2], "log");
	assert_string_equal(back.settings[3], "");
	assert_null(back.settings[4]);
	launch_record_fini(&back);
	launch_record_fini(&r);
	free(text);
}

static void
test_record_empty(void **state)
{
	struct launch_record r = {0};
	char *text;

	(void)state;
	assert_int_equal(launch_record_format(&r, &text), 0);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(launch_record_parse("", 0, &r, NULL), 0);
	assert_null(r.url);
	assert_null(r.settings);
}

static void
test_record_bad(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *hint;
	} cases[] = {
		{"url", 3, "key=value"},
		{"=x", 2, "unknown key"},
		{"url=a\nurls=b\n", 13, "\"urls\""},
		{"URL=a", 5, "\"URL\""},
		{"set.=a", 6, "unknown key"},
		{"url=a\\t", 7, "escaped"},
		{"url=a\\", 6, "escaped"},
		{"index=-1", 8, "index"},
		{"index=4294967296", 16, "index"},
		{"slots=two", 9, "slots"},
		{"end=1e9", 7, "end"},
		{"url=a\0b", 7, "byte 0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cadre_error err = CADRE_ERROR_INIT;
		struct launch_record r;

		assert_int_equal(launch_record_parse(cases[i].text,
						     cases[i].len, &r, &err),
				 CADRE_EINVAL);
		assert_non_null(strstr(err.text, cases[i].hint));
	}
}

static void
test_find(void **state)
{
	(void)state;
	assert_ptr_equal(launch_find("local"), &launch_local);
	assert_null(launch_find("Local"));
	assert_null(launch_find(""));
}

/* --- programs --- */

static char dir[64];

static void
write_program(const char *name, const char *text)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static int
make_dir(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/cadre-test-launch-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
	char command[128];

	(void)state;
	(void)unsetenv("CADRE_CADRED");
	(void)unsetenv("CADRE_LIBEXECDIR");
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

/* The daemon of the next tests is this shell script. */
static void
use_daemon(const char *script)
{
	char path[128];

	write_program("cadred", script);
	(void)snprintf(path, sizeof(path), "%s/cadred", dir);
	assert_int_equal(setenv("CADRE_CADRED", path, 1), 0);
}

static void
test_find_program(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	char *path;

	(void)state;
	write_program("cadre-reaper", "#!/bin/sh\n");
	assert_int_equal(setenv("CADRE_LIBEXECDIR", dir, 1), 0);
	assert_int_equal(launch_find_program("cadre-reaper", &path, &err), 0);
	assert_memory_equal(path, dir, strlen(dir));
	assert_non_null(strstr(path, "/cadre-reaper"));
	free(path);
	/* not there, and the message says where it was looked for */
	assert_int_equal(launch_find_program("cadre-native", &path, &err),
			 CADRE_ENOENT);
	assert_non_null(strstr(err.text, dir));
	assert_non_null(strstr(err.text, "CADRE_LIBEXECDIR"));
	/* without the variable: near this program and where it is installed */
	assert_int_equal(unsetenv("CADRE_LIBEXECDIR"), 0);
	err = (struct cadre_error)CADRE_ERROR_INIT;
	assert_int_equal(launch_find_program("cadre-nonesuch", &path, &err),
			 CADRE_ENOENT);
	assert_non_null(strstr(err.text, "/libexec/cadre/cadre-nonesuch"));
	/* neither a directory nor a file that cannot be run will do */
	assert_int_equal(setenv("CADRE_CADRED", dir, 1), 0);
	assert_int_equal(launch_find_program("cadred", &path, NULL),
			 CADRE_ENOENT);
	use_daemon("#!/bin/sh\n");
	assert_int_equal(launch_find_program("cadred", &path, NULL), 0);
	assert_int_equal(chmod(path, 0600), 0);
	free(path);
	assert_int_equal(launch_find_program("cadred", &path, NULL),
			 CADRE_ENOENT);
}

/* All that the job writes until it ends, then its status. */
static int
read_job(struct launch_job *job, char *text, size_t size)
{
	struct pollfd fd = {.fd = job->pidfd, .events = POLLIN};
	size_t len = 0;
	ssize_t n;
	int status;

	while ((n = read(job->log_fd, text + len, size - len - 1)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	if (job->pidfd >= 0)
		assert_int_equal(poll(&fd, 1, 30000), 1);
	assert_int_equal(waitpid(job->pid, &status, 0), job->pid);
	(void)close(job->log_fd);
	if (job->pidfd >= 0)
		(void)close(job->pidfd);
	return status;
}

static void
test_local(void **state)
{
	struct launch_record r[2] = {
		{.url = (char *)(uintptr_t) "ipc:///a", .slots = 3},
		{.url = (char *)(uintptr_t) "ipc:///b", .index = 1}};
	struct cadre_error err = CADRE_ERROR_INIT;
	struct launch_job jobs[2];
	char text[4096];

	(void)state;
	use_daemon("#!/bin/sh\necho \"args $*\"\ncat\necho done >&2\nexit 7\n");
	assert_int_equal(launch_local.start(r, 2, jobs, &err), 0);
	assert_int_equal(WEXITSTATUS(read_job(&jobs[0], text, sizeof(text))),
			 7);
	assert_string_equal(text, "args --record -\nurl=ipc:///a\nslots=3\n"
				  "done\n");
	assert_int_equal(WEXITSTATUS(read_job(&jobs[1], text, sizeof(text))),
			 7);
	assert_string_equal(text, "args --record -\nurl=ipc:///b\nindex=1\n"
				  "done\n");
}

/* The set of ordinary signals in a line of /proc/PID/status. */
static unsigned long
signals_of(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	assert_non_null(at);
	return strtoul(at + strlen(line), NULL, 16) & 0x7fffffff;
}

/* Nothing of the host reaches the daemon: signals, descriptors, session. */
static void
test_local_clean(void **state)
{
	struct launch_record r = {0};
	struct cadre_error err = CADRE_ERROR_INIT;
	struct launch_job job;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	char text[8192], leader[64];
	sigset_t set, before;
	int fd = dup(2);

	(void)state;
	assert_true(fd > 2);
	use_daemon("#!/bin/sh\nexec cat /proc/self/status /proc/self/stat\n");
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, &before), 0);
	assert_int_equal(sigaction(SIGINT, &ignore, &old), 0);
	assert_int_equal(launch_local.start(&r, 1, &job, &err), 0);
	assert_int_equal(read_job(&job, text, sizeof(text)), 0);
	assert_int_equal(signals_of(text, "SigBlk:\t"), 0);
	assert_int_equal(signals_of(text, "SigIgn:\t"), 0);
	/* process group and session are its own */
	(void)snprintf(leader, sizeof(leader), " %d %d ", (int)job.pid,
		       (int)job.pid);
	assert_non_null(strstr(text, leader));
	assert_int_equal(sigaction(SIGINT, &old, NULL), 0);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);

	use_daemon("#!/bin/sh\nfor fd in /proc/self/fd/*; do\n"
		   "case $fd in */0|*/1|*/2) ;; *) readlink $fd ;; esac\ndone\n"
		   "true\n");
	assert_int_equal(launch_local.start(&r, 1, &job, &err), 0);
	assert_int_equal(read_job(&job, text, sizeof(text)), 0);
	assert_null(strstr(text, "pipe:"));
	assert_null(strstr(text, "memfd"));
	assert_null(strstr(text, "/dev/"));
	(void)close(fd);
}

static void
test_local_cancel(void **state)
{
	struct launch_record r[2] = {{0}, {0}};
	struct cadre_error err = CADRE_ERROR_INIT;
	struct launch_job jobs[2];
	char text[256];
	int status;

	(void)state;
	use_daemon("#!/bin/sh\nexec sleep 1000\n");
	assert_int_equal(launch_local.start(r, 2, jobs, &err), 0);
	launch_local.cancel(&jobs[0], 0);
	launch_local.cancel(&jobs[0], 0);
	launch_local.cancel(&jobs[1], 1);
	status = read_job(&jobs[0], text, sizeof(text));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	status = read_job(&jobs[1], text, sizeof(text));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static int
lowest_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	(void)close(fd);
	return fd;
}

/* A limit is hit half way: those already started are ended and collected. */
static void
test_local_limit(void **state)
{
	struct launch_record r[8] = {{0}};
	struct cadre_error err = CADRE_ERROR_INIT;
	struct launch_job jobs[8];
	struct rlimit old, limit;
	int fd = lowest_fd();

	(void)state;
	use_daemon("#!/bin/sh\nexec sleep 1000\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)fd + 8;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(launch_local.start(r, 8, jobs, &err), CADRE_ELAUNCH);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_non_null(strstr(err.text, "of 8"));
	assert_non_null(strstr(err.text, "ulimit -n"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(lowest_fd(), fd);
}

static void
test_local_missing(void **state)
{
	struct launch_record r = {0};
	struct cadre_error err = CADRE_ERROR_INIT;
	struct launch_job job;

	(void)state;
	assert_int_equal(setenv("CADRE_CADRED", "/nonexistent/cadred", 1), 0);
	assert_int_equal(launch_local.start(&r, 1, &job, &err), CADRE_ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/cadred"));
	/* it is there, but the system will not run it */
	use_daemon("#!/nonexistent/interpreter\n");
	err = (struct cadre_error)CADRE_ERROR_INIT;
	assert_int_equal(launch_local.start(&r, 1, &job, &err), CADRE_ESYS);
	assert_non_null(strstr(err.text, "No such file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_record_empty),
		cmocka_unit_test(test_record_bad),
		cmocka_unit_test(test_find),
		cmocka_unit_test_setup_teardown(test_find_program, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_local, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_local_clean, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_local_cancel, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_local_limit, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_local_missing, make_dir,
						remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
