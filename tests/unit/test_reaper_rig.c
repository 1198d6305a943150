/* SPDX-License-Identifier: MIT */
#include "test_reaper_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/clock.h"

static void
pause_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	(void)nanosleep(&t, NULL);
}

const char *
rig_built(const char *name)
{
	static char path[4096];

	assert_true((size_t)snprintf(path, sizeof(path), "%s/%s", TEST_BUILDDIR,
				     name) < sizeof(path));
	return path;
}

static void __attribute__((noreturn))
run_reaper(int fd, const char *scratch, const char *const *extra)
{
	const char *argv[32] = {"cadre-reaper", "--slot",  "4",
				"--scratch",	scratch,   "--mark",
				"rig",		"--grace", "100"};
	size_t n = 9;

	while (extra != NULL && *extra != NULL && n < 31)
		argv[n++] = *extra++;
	(void)dup2(fd, 3);
	(void)execv(rig_built("cadre-reaper"), (char **)(uintptr_t)argv);
	_exit(99);
}

void
rig_start(struct rig *g, const char *const *extra)
{
	const char *tmp = getenv("TMPDIR");
	int fds[2];

	memset(g, 0, sizeof(*g));
	(void)snprintf(g->dir, sizeof(g->dir), "%s/cadre-rig-XXXXXX",
		       tmp == NULL || strlen(tmp) > 32 ? "/tmp" : tmp);
	assert_non_null(mkdtemp(g->dir));
	(void)snprintf(g->scratch, sizeof(g->scratch), "%s/scratch", g->dir);
	buf_init(&g->in, SIZE_MAX);
	buf_init(&g->fields, SIZE_MAX);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	g->fd = fds[0];
	g->pid = fork();
	assert_true(g->pid >= 0);
	if (g->pid == 0)
		run_reaper(fds[1], g->scratch, extra);
	close(fds[1]);
}

void
rig_remove(const char *dir)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

static void
tidy(struct rig *g)
{
	buf_fini(&g->in);
	buf_fini(&g->fields);
	rig_remove(g->dir);
}

void
rig_stop(struct rig *g)
{
	int status;

	close(g->fd);
	assert_int_equal(waitpid(g->pid, &status, 0), g->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(access(g->scratch, F_OK), -1);
	tidy(g);
}

void
rig_kill(struct rig *g)
{
	assert_int_equal(kill(g->pid, SIGKILL), 0);
	assert_int_equal(waitpid(g->pid, NULL, 0), g->pid);
	close(g->fd);
	tidy(g);
}

void
rig_argv(struct rig *g, const char *const *argv)
{
	while (*argv != NULL)
		wire_put_str(&g->fields, WIRE_TAG_ARGV, *argv++);
}

void
rig_shell(struct rig *g, const char *script)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};

	rig_argv(g, argv);
}

static void
send_frame(struct rig *g, const struct wire_frame *frame, const int *fds, int n)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control = {0};
	struct msghdr msg = {0};
	struct iovec iov;
	struct buf b;
	size_t done = 0;

	buf_init(&b, SIZE_MAX);
	wire_encode(&b, frame);
	assert_int_equal(b.error, 0);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (n > 0) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, (size_t)n * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
	}
	while (done < b.len) {
		ssize_t sent;

		iov.iov_base = b.data + done;
		iov.iov_len = b.len - done;
		sent = sendmsg(g->fd, &msg, MSG_NOSIGNAL);
		assert_true(sent > 0);
		done += (size_t)sent;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	buf_fini(&b);
	buf_reset(&g->fields);
}

void
rig_task(struct rig *g, const void *payload, size_t len)
{
	struct wire_frame frame = {
		.type = WIRE_TASK, .attempt = 1, .slot = 4, .incarnation = 7};

	wire_put_u64(&g->fields, WIRE_TAG_ENGINE, WIRE_ENGINE_COMMAND);
	frame.task = ++g->task;
	frame.fields = g->fields.data;
	frame.fields_len = g->fields.len;
	frame.payload = payload;
	frame.payload_len = len;
	send_frame(g, &frame, NULL, 0);
}

void
rig_send(struct rig *g, enum wire_type type, uint8_t code, uint64_t task)
{
	struct wire_frame frame = {.type = (uint16_t)type,
				   .code = code,
				   .task = task,
				   .attempt = 1,
				   .slot = 4};

	frame.fields = g->fields.data;
	frame.fields_len = g->fields.len;
	send_frame(g, &frame, NULL, 0);
}

void
rig_send_fds(struct rig *g, enum wire_type type, const int *fds, int n)
{
	struct wire_frame frame = {
		.type = (uint16_t)type, .slot = 4, .worker = 9};

	frame.fields = g->fields.data;
	frame.fields_len = g->fields.len;
	send_frame(g, &frame, fds, n);
}

bool
rig_readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) > 0;
}

bool
rig_next(int fd, struct buf *in, size_t *used, struct wire_frame *ret)
{
	buf_consume(in, *used);
	*used = 0;
	for (;;) {
		struct cadre_error err = CADRE_ERROR_INIT;
		uint64_t size = 0;
		int rc = wire_peek(in->data, in->len, WIRE_MAX_FRAME, &size);
		ssize_t n;

		if (rc == 0 && size <= in->len) {
			*used = (size_t)size;
			rc = wire_decode(in->data, *used, ret, &err);
			if (rc < 0)
				fail_msg("%s", err.text);
			return true;
		}
		assert_true(rc == 0 || rc == CADRE_EAGAIN);
		assert_true(rig_readable(fd, RIG_LIMIT_MS));
		n = read(fd, buf_reserve(in, 65536), 65536);
		if (n <= 0)
			return false;
		buf_commit(in, (size_t)n);
	}
}

void
rig_expect(struct rig *g, enum wire_type type, struct wire_frame *ret)
{
	assert_true(rig_next(g->fd, &g->in, &g->used, ret));
	assert_string_equal(wire_type_name(ret->type),
			    wire_type_name((uint16_t)type));
}

/* A zombie whose parent has not looked yet counts as gone. */
bool
rig_alive(pid_t pid)
{
	char path[64], line[512] = "";
	const char *state;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	(void)!fgets(line, sizeof(line), f);
	(void)fclose(f);
	state = strrchr(line, ')');
	return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

void
rig_wait_gone(pid_t pid)
{
	uint64_t until = clock_now_ms() + RIG_LIMIT_MS;

	while (rig_alive(pid)) {
		assert_true(clock_now_ms() < until);
		pause_ms(1);
	}
}

pid_t
rig_read_pid(const char *path)
{
	uint64_t until = clock_now_ms() + RIG_LIMIT_MS;
	char line[32];
	bool whole;
	FILE *f;

	for (;;) {
		assert_true(clock_now_ms() < until);
		f = fopen(path, "re");
		whole = f != NULL && fgets(line, sizeof(line), f) != NULL &&
			strchr(line, '\n') != NULL;
		if (f != NULL)
			(void)fclose(f);
		if (whole)
			return (pid_t)atoi(line);
		pause_ms(1);
	}
}
