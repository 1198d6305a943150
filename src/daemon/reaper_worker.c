/* SPDX-License-Identifier: MIT */
#include "daemon/reaper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/spawn.h"
#include "daemon/tree.h"
#include "engine/engine.h"
#include "util/clock.h"
#include "util/error.h"

#define SWEEP_MS 5
#define SWEEP_LIMIT_MS 3000

static void
send_exited(struct reaper *r, const struct wire_frame *head)
{
	struct wire_frame frame = *head;

	frame.type = WIRE_EXITED;
	frame.fields = r->fields.data;
	frame.fields_len = r->fields.len;
	reaper_send(r, &frame);
}

static void
refuse(struct reaper *r, const struct wire_frame *head, int status,
       const char *message)
{
	buf_reset(&r->fields);
	wire_put_u64(&r->fields, WIRE_TAG_STATUS, (uint64_t)status);
	wire_put_str(&r->fields, WIRE_TAG_MESSAGE, message);
	send_exited(r, head);
}

static int
start(struct reaper *r, const struct wire_frame *frame, int *ret_status,
      struct cadre_error *err)
{
	struct spawn s;
	int rc;

	spawn_init(&s);
	if (r->worker.pid != 0)
		return error_set(err, CADRE_EINVAL,
				 "the slot has a worker already");
	if (r->passed_len != 4)
		return error_set(err, CADRE_EPROTO,
				 "a worker needs 4 descriptors, %d came",
				 r->passed_len);
	rc = reaper_env_build(&r->env, frame, err);
	if (rc < 0)
		return rc;
	s.argv = r->env.argv;
	s.envp = r->env.envp;
	s.path = r->env.path;
	s.cwd = r->env.cwd;
	s.memory_limit = r->memory_limit;
	/* What a worker prints, on either, goes to the daemon's place. */
	s.fds[2] = STDOUT_FILENO;
	for (int i = 0; i < 4; i++)
		s.fds[ENGINE_FD + i] = r->passed[i];
	return spawn_run(&s, &r->worker.pid, ret_status, err);
}

void
reaper_worker_spawn(struct reaper *r, const struct wire_frame *frame)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct wire_frame head = *frame;
	int status = 127;
	int rc;

	head.flags = 0;
	head.code = 0;
	head.fields = head.payload = NULL;
	head.fields_len = head.payload_len = 0;
	head.owner = NULL;
	rc = start(r, frame, &status, &err);
	for (int i = 0; i < r->passed_len; i++)
		close(r->passed[i]);
	r->passed_len = 0;
	if (rc < 0) {
		refuse(r, &head, status, err.text);
		return;
	}
	r->alone = false;
	r->worker.head = head;
	r->worker.ended = false;
	r->worker.step_ms = REAPER_NEVER;
	buf_reset(&r->fields);
	wire_put_u64(&r->fields, WIRE_TAG_PID, (uint64_t)r->worker.pid);
	head.type = WIRE_SPAWNED;
	head.fields = r->fields.data;
	head.fields_len = r->fields.len;
	reaper_send(r, &head);
}

/* The group first: it cannot escape by forking. */
void
reaper_worker_signal(struct reaper *r, int sig)
{
	pid_t pid = r->worker.pid;

	if (pid == 0 || r->worker.ended)
		return;
	if (sig == SIGKILL)
		(void)tree_signal(pid, 0, SIGKILL);
	(void)kill(-pid, sig);
}

void
reaper_worker_ended(struct reaper *r, int status, const struct rusage *usage)
{
	struct reaper_worker *w = &r->worker;

	w->ended = true;
	w->status = status;
	w->usage = *usage;
	w->step_ms = 0;
	w->sweep_until_ms = clock_now_ms() + SWEEP_LIMIT_MS;
}

static void
finish(struct reaper *r)
{
	struct reaper_worker *w = &r->worker;
	struct buf *b = &r->fields;

	buf_reset(b);
	if (WIFEXITED(w->status))
		wire_put_u64(b, WIRE_TAG_STATUS,
			     (uint64_t)WEXITSTATUS(w->status));
	else
		wire_put_u64(b, WIRE_TAG_SIGNAL, (uint64_t)WTERMSIG(w->status));
	if (WIFSIGNALED(w->status) && WCOREDUMP(w->status))
		wire_put_u64(b, WIRE_TAG_CORE, 1);
	wire_put_u64(b, WIRE_TAG_PID, (uint64_t)w->pid);
	wire_put_u64(b, WIRE_TAG_PEAK, (uint64_t)w->usage.ru_maxrss * 1024u);
	w->pid = 0;
	send_exited(r, &w->head);
}

/* A worker's orphans come to us and are killed before its end is told; while a
 * command runs they cannot be told from the command's own, and go with them. */
void
reaper_worker_step(struct reaper *r)
{
	struct reaper_worker *w = &r->worker;
	uint64_t now;

	if (w->pid == 0 || !w->ended)
		return;
	now = clock_now_ms();
	if (r->task.phase != REAPER_IDLE || !reaper_has_others(r) ||
	    now >= w->sweep_until_ms) {
		finish(r);
		return;
	}
	if (now < w->step_ms)
		return;
	(void)tree_signal(getpid(), 0, SIGKILL);
	w->step_ms = now + SWEEP_MS;
}

uint64_t
reaper_worker_next_ms(const struct reaper *r)
{
	return r->worker.pid != 0 && r->worker.ended ? r->worker.step_ms
						     : REAPER_NEVER;
}
