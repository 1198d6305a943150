/* SPDX-License-Identifier: MIT */
#include "host/helper.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/launch.h"
#include "util/clock.h"
#include "util/error.h"

#define CONTROL_FD 3
#define READ_SIZE 65536u

void
helper_init(struct helper *h, uint64_t grace_ms)
{
	*h = (struct helper){.fd = -1, .grace_ms = grace_ms};
	buf_init(&h->in, SIZE_MAX / 4);
}

static void
stop(struct helper *h)
{
	if (h->fd < 0)
		return;
	close(h->fd);
	h->fd = -1;
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)rmdir(h->scratch);
	free(h->scratch);
	h->scratch = NULL;
	buf_reset(&h->in);
}

void
helper_fini(struct helper *h)
{
	stop(h);
	buf_fini(&h->in);
}

static int
spawn(struct helper *h, const char *path, int fd)
{
	char grace[24];
	char *argv[] = {(char *)(uintptr_t)path,
			(char *)(uintptr_t) "--slot",
			(char *)(uintptr_t) "0",
			(char *)(uintptr_t) "--grace",
			grace,
			(char *)(uintptr_t) "--scratch",
			h->scratch,
			NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int rc;

	(void)snprintf(grace, sizeof(grace), "%" PRIu64, h->grace_ms);
	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawn_file_actions_adddup2(&actions, fd, CONTROL_FD);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	(void)posix_spawnattr_setpgroup(&attr, 0);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	rc = posix_spawn(&h->pid, path, &actions, &attr, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	return rc;
}

static int
make_scratch(struct helper *h, struct cadre_error *err)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL || tmp[0] != '/')
		tmp = "/tmp";
	if (asprintf(&h->scratch, "%s/cadre-sync-XXXXXX", tmp) < 0) {
		h->scratch = NULL;
		return error_nomem(err);
	}
	if (mkdtemp(h->scratch) != NULL)
		return 0;
	free(h->scratch);
	h->scratch = NULL;
	return error_sys(err, errno, "cannot make a scratch directory in %s",
			 tmp);
}

static int
start(struct helper *h, struct cadre_error *err)
{
	char *path = NULL;
	int fds[2];
	int rc;

	if (h->fd >= 0)
		return 0;
	rc = launch_find_program("cadre-reaper", &path, err);
	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		rc = error_sys(err, errno, "cannot make a socket pair");
		goto out;
	}
	rc = make_scratch(h, err);
	if (rc == 0) {
		int errnum = spawn(h, path, fds[1]);

		if (errnum != 0) {
			rc = error_sys(err, errnum, "cannot start %s", path);
			(void)rmdir(h->scratch);
			free(h->scratch);
			h->scratch = NULL;
		}
	}
	close(fds[1]);
	if (rc == 0)
		h->fd = fds[0];
	else
		close(fds[0]);
out:
	free(path);
	return rc;
}

static int
send_frame(struct helper *h, const struct wire_frame *frame)
{
	size_t done = 0;
	struct buf out;
	int rc;

	buf_init(&out, SIZE_MAX / 4);
	wire_encode(&out, frame);
	rc = out.error;
	while (rc == 0 && done < out.len) {
		ssize_t n = send(h->fd, out.data + done, out.len - done,
				 MSG_NOSIGNAL);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			rc = CADRE_ELOST;
	}
	buf_fini(&out);
	return rc;
}

/* More bytes; CADRE_ETIMEDOUT when due_ms has come first. */
static int
receive(struct helper *h, uint64_t due_ms)
{
	struct pollfd p = {.fd = h->fd, .events = POLLIN};
	uint64_t now = clock_now_ms();
	uint8_t *to;
	ssize_t n;
	int wait = -1;

	if (due_ms != UINT64_MAX)
		wait = due_ms <= now	      ? 0
		       : due_ms - now > 60000 ? 60000
					      : (int)(due_ms - now);
	n = poll(&p, 1, wait);
	if (n == 0)
		return clock_now_ms() >= due_ms ? CADRE_ETIMEDOUT : 0;
	if (n < 0)
		return errno == EINTR ? 0 : CADRE_ESYS;
	to = buf_reserve(&h->in, READ_SIZE);
	if (to == NULL)
		return CADRE_ENOMEM;
	n = recv(h->fd, to, READ_SIZE, 0);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		return CADRE_ELOST;
	buf_commit(&h->in, (size_t)n);
	return 0;
}

/* The next whole frame at *at, if there is one. */
static int
next_frame(struct helper *h, size_t *at, struct wire_frame *ret)
{
	uint64_t size;
	int rc = wire_peek(h->in.data + *at, h->in.len - *at, WIRE_MAX_FRAME,
			   &size);

	if (rc < 0)
		return rc;
	if (size > h->in.len - *at)
		return CADRE_EAGAIN;
	rc = wire_decode(h->in.data + *at, (size_t)size, ret, NULL);
	if (rc == 0)
		*at += (size_t)size;
	return rc;
}

static int
exchange(struct helper *h, const struct wire_frame *task, uint32_t timeout_ms,
	 void (*output)(void *arg, const struct wire_frame *frame), void *arg,
	 struct wire_frame *ret_result)
{
	uint64_t due =
		timeout_ms == 0 ? UINT64_MAX : clock_now_ms() + timeout_ms;
	struct wire_frame frame;
	size_t at = 0;
	int rc = send_frame(h, task);

	while (rc == 0) {
		rc = h->in.len > at ? next_frame(h, &at, &frame) : CADRE_EAGAIN;
		if (rc == 0 && frame.type == WIRE_OUTPUT)
			output(arg, &frame);
		if (rc == 0 && frame.type == WIRE_RESULT) {
			*ret_result = frame;
			return 0;
		}
		if (rc != CADRE_EAGAIN)
			continue;
		buf_consume(&h->in, at);
		at = 0;
		rc = receive(h, due);
		if (rc != CADRE_ETIMEDOUT)
			continue;
		due = UINT64_MAX;
		rc = send_frame(
			h, &(struct wire_frame){.type = WIRE_CANCEL,
						.code = WIRE_CANCEL_TIMEOUT,
						.task = task->task,
						.attempt = task->attempt});
	}
	return rc;
}

int
helper_run(struct helper *h, const struct wire_frame *task, uint32_t timeout_ms,
	   void (*output)(void *arg, const struct wire_frame *frame), void *arg,
	   struct wire_frame *ret_result, struct cadre_error *err)
{
	int rc;

	/* One that another thread started ended with that thread. */
	if (h->fd >= 0 && waitpid(h->pid, NULL, WNOHANG) != 0)
		stop(h);
	buf_reset(&h->in);
	rc = start(h, err);
	if (rc < 0)
		return rc;
	rc = exchange(h, task, timeout_ms, output, arg, ret_result);
	if (rc == 0)
		return 0;
	stop(h);
	return error_set(err, rc, "cadre-reaper ended while it ran a command");
}
