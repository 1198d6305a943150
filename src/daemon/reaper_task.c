/* SPDX-License-Identifier: MIT */
#include "daemon/reaper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cadre/task.h>

#include "daemon/spawn.h"
#include "daemon/tree.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"

/* Streamed output goes out when so much has gathered or so long has passed. */
#define STREAM_BYTES 65536u
#define STREAM_MS 50
/* How long those whom the main process left behind may finish writing. */
#define DRAIN_MS 100
/* More than the largest pipe holds: an outsider may write for ever. */
#define DRAIN_READS 32
/* How often SIGKILL is repeated, for those who are just forking, and when a
 * process that cannot be killed is given up. */
#define SWEEP_MS 5
#define SWEEP_LIMIT_MS 3000

#define DEFAULT_LIMIT (UINT64_C(16) << 20)
/* After so much output the memory of this process shows in the peak of what it
 * starts, unless it is reset. */
#define HEAVY_BYTES (UINT64_C(1) << 20)

static const int ladder[] = {SIGINT, SIGTERM, SIGKILL};
#define LADDER_KILL 3

void
reaper_task_init(struct reaper *r)
{
	reaper_output_init(&r->task.out, "stdout");
	reaper_output_init(&r->task.err, "stderr");
}

void
reaper_task_fini(struct reaper *r)
{
	reaper_output_fini(&r->task.out);
	reaper_output_fini(&r->task.err);
}

static struct wire_frame
answer(const struct reaper_task *t, uint16_t type, uint8_t code)
{
	struct wire_frame frame = t->head;

	frame.type = type;
	frame.flags = 0;
	frame.code = code;
	return frame;
}

static void
refuse(struct reaper *r, int status, const char *message)
{
	struct wire_frame frame =
		answer(&r->task, WIRE_RESULT, CADRE_OUTCOME_ERROR);

	buf_reset(&r->fields);
	if (status != 0)
		wire_put_u64(&r->fields, WIRE_TAG_STATUS, (uint64_t)status);
	wire_put_str(&r->fields, WIRE_TAG_MESSAGE, message);
	frame.fields = r->fields.data;
	frame.fields_len = r->fields.len;
	reaper_send(r, &frame);
}

/* Standard input from bytes: a file in memory needs no further attention. */
static int
open_payload(const struct wire_frame *frame, struct spawn *s,
	     struct cadre_error *err)
{
	size_t done = 0;
	int fd;

	if (frame->payload_len == 0 || s->stdin_file != NULL)
		return 0;
	fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd < 0)
		return error_sys(err, errno, "cannot keep standard input");
	s->fds[0] = fd;
	while (done < frame->payload_len) {
		ssize_t n = pwrite(fd, frame->payload + done,
				   frame->payload_len - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return error_sys(err, errno,
					 "cannot keep standard input");
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

static const char *
default_dir(void)
{
	const char *dir = getenv("TMPDIR");

	return dir == NULL || dir[0] == '\0' ? "/tmp" : dir;
}

/* Where standard output and error go, by the frame's OUTPUT and MERGE. */
static int
open_outputs(struct reaper *r, const struct wire_frame *frame, struct spawn *s,
	     struct cadre_error *err)
{
	uint64_t mode = wire_u64(frame, WIRE_TAG_OUTPUT, WIRE_OUTPUT_CAPTURE);
	struct reaper_task *t = &r->task;
	int rc;

	t->streamed = mode == WIRE_OUTPUT_STREAM;
	t->out.streamed = t->err.streamed = t->streamed;
	t->out.limit = t->err.limit =
		wire_u64(frame, WIRE_TAG_OUTPUT_LIMIT, DEFAULT_LIMIT);
	t->dir = wire_str(frame, WIRE_TAG_OUTPUT_DIR);
	t->out.dir = t->err.dir = t->dir != NULL ? t->dir : default_dir();
	if (mode == WIRE_OUTPUT_DISCARD) {
		s->fds[1] = s->fds[2] = STDIN_FILENO;
		return 0;
	}
	rc = reaper_output_open(&t->out, &s->fds[1], err);
	if (rc < 0)
		return rc;
	if (wire_u64(frame, WIRE_TAG_MERGE, 0) == 0)
		return reaper_output_open(&t->err, &s->fds[2], err);
	s->fds[2] = s->fds[1];
	return 0;
}

static void
close_child_ends(struct spawn *s)
{
	if (s->fds[2] > STDERR_FILENO && s->fds[2] != s->fds[1])
		close(s->fds[2]);
	if (s->fds[1] > STDERR_FILENO)
		close(s->fds[1]);
	if (s->fds[0] > STDERR_FILENO)
		close(s->fds[0]);
}

static void
forget(struct reaper_task *t)
{
	reaper_output_reset(&t->out);
	reaper_output_reset(&t->err);
	free(t->dir);
	t->dir = NULL;
}

static int
launch(struct reaper *r, const struct wire_frame *frame, struct spawn *s,
       int *ret_status, struct cadre_error *err)
{
	struct reaper_task *t = &r->task;
	int rc;

	rc = reaper_env_build(&r->env, frame, err);
	if (rc == 0) {
		s->argv = r->env.argv;
		s->envp = r->env.envp;
		s->path = r->env.path;
		s->cwd = r->env.cwd;
		s->stdin_file = r->env.stdin_file;
		rc = open_payload(frame, s, err);
	}
	if (rc == 0)
		rc = open_outputs(r, frame, s, err);
	if (rc < 0)
		return rc;
	t->began_unix_ns = clock_unix_ns();
	t->began_ns = clock_now_ns();
	return spawn_run(s, &t->pid, ret_status, err);
}

void
reaper_task_start(struct reaper *r, const struct wire_frame *frame)
{
	struct reaper_task *t = &r->task;
	struct cadre_error err = CADRE_ERROR_INIT;
	struct wire_frame busy = t->head;
	struct spawn s;
	int status = 0;
	int rc;

	t->head = *frame;
	t->head.fields = t->head.payload = NULL;
	t->head.owner = NULL;
	t->head.fields_len = t->head.payload_len = 0;
	if (t->phase != REAPER_IDLE) {
		refuse(r, 0, "the slot runs another command");
		t->head = busy;
		return;
	}
	if (wire_u64(frame, WIRE_TAG_ENGINE, 0) != WIRE_ENGINE_COMMAND) {
		refuse(r, 0, "a reaper runs commands only");
		return;
	}
	spawn_init(&s);
	s.memory_limit = r->memory_limit;
	rc = launch(r, frame, &s, &status, &err);
	close_child_ends(&s);
	if (rc < 0) {
		refuse(r, status, err.text);
		forget(t);
		return;
	}
	r->alone = false;
	t->phase = REAPER_RUNNING;
	t->ladder = 0;
	t->step_ms = t->flush_ms = REAPER_NEVER;
	t->outcome = CADRE_OUTCOME_VALUE;
}

static void
climb(struct reaper *r)
{
	struct reaper_task *t = &r->task;
	int sig = ladder[t->ladder < LADDER_KILL ? t->ladder : LADDER_KILL - 1];

	if (t->ladder < LADDER_KILL)
		t->ladder++;
	(void)tree_signal(getpid(), r->worker.pid, sig);
	/* A stopped process would not hear it. */
	if (sig == SIGTERM)
		(void)tree_signal(getpid(), r->worker.pid, SIGCONT);
	t->step_ms = clock_now_ms() + (sig == SIGKILL ? SWEEP_MS : r->grace_ms);
}

void
reaper_task_cancel(struct reaper *r, uint8_t outcome)
{
	struct reaper_task *t = &r->task;

	if (t->phase == REAPER_IDLE || t->ladder > 0)
		return;
	t->outcome = outcome;
	if (t->phase == REAPER_RUNNING)
		climb(r);
}

void
reaper_task_kill(struct reaper *r)
{
	if (r->task.phase != REAPER_RUNNING)
		return;
	if (r->task.ladder == 0)
		r->task.outcome = CADRE_OUTCOME_CANCELLED;
	r->task.ladder = LADDER_KILL;
	climb(r);
}

/* What a stream has gathered, or all that was kept of both. */
static void
flush_stream(struct reaper *r, struct reaper_output *o, uint8_t which)
{
	struct wire_frame frame = answer(&r->task, WIRE_OUTPUT, which);

	if (o->kept.len == 0)
		return;
	frame.payload = o->kept.data;
	frame.payload_len = o->kept.len;
	reaper_send(r, &frame);
	buf_reset(&o->kept);
}

static void
step_stream(struct reaper *r)
{
	struct reaper_task *t = &r->task;
	size_t gathered = t->out.kept.len + t->err.kept.len;
	uint64_t now;

	if (!t->streamed || gathered == 0)
		return;
	now = clock_now_ms();
	if (t->flush_ms == REAPER_NEVER)
		t->flush_ms = now + STREAM_MS;
	if (gathered < STREAM_BYTES && now < t->flush_ms)
		return;
	flush_stream(r, &t->out, 1);
	flush_stream(r, &t->err, 2);
	t->flush_ms = REAPER_NEVER;
}

static uint64_t
timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

static uint8_t
outcome_of(const struct reaper_task *t)
{
	if (t->outcome != CADRE_OUTCOME_VALUE)
		return t->outcome;
	if (t->out.failed.code != CADRE_OK || t->err.failed.code != CADRE_OK)
		return CADRE_OUTCOME_ERROR;
	return t->status == 0 ? CADRE_OUTCOME_VALUE : CADRE_OUTCOME_EXIT;
}

static void
put_result(struct buf *b, const struct reaper_task *t)
{
	const char *failed = t->out.failed.code != CADRE_OK
				     ? t->out.failed.text
				     : t->err.failed.text;

	wire_put_u64(b, WIRE_TAG_WALL_NS, t->ended_ns - t->began_ns);
	wire_put_u64(b, WIRE_TAG_USER_NS, timeval_ns(t->usage.ru_utime));
	wire_put_u64(b, WIRE_TAG_SYS_NS, timeval_ns(t->usage.ru_stime));
	wire_put_u64(b, WIRE_TAG_PEAK, (uint64_t)t->usage.ru_maxrss * 1024u);
	wire_put_u64(b, WIRE_TAG_STARTED_UNIX, (uint64_t)t->began_unix_ns);
	wire_put_u64(b, WIRE_TAG_PID, (uint64_t)t->pid);
	if (WIFEXITED(t->status))
		wire_put_u64(b, WIRE_TAG_STATUS,
			     (uint64_t)WEXITSTATUS(t->status));
	else
		wire_put_u64(b, WIRE_TAG_SIGNAL, (uint64_t)WTERMSIG(t->status));
	if (WIFSIGNALED(t->status) && WCOREDUMP(t->status))
		wire_put_u64(b, WIRE_TAG_CORE, 1);
	wire_put_u64(b, WIRE_TAG_OUT_LEN, t->out.kept.len);
	wire_put_u64(b, WIRE_TAG_OUT_TOTAL, t->out.total);
	wire_put_u64(b, WIRE_TAG_ERR_TOTAL, t->err.total);
	if (t->out.file != NULL)
		wire_put_str(b, WIRE_TAG_OUT_FILE, t->out.file);
	if (t->err.file != NULL)
		wire_put_str(b, WIRE_TAG_ERR_FILE, t->err.file);
	if (failed[0] != '\0')
		wire_put_str(b, WIRE_TAG_MESSAGE, failed);
}

static void
finish(struct reaper *r)
{
	struct reaper_task *t = &r->task;
	struct wire_frame frame = answer(t, WIRE_RESULT, outcome_of(t));
	struct cadre_error err = CADRE_ERROR_INIT;
	bool heavy;

	reaper_output_close(&t->out);
	reaper_output_close(&t->err);
	buf_reset(&r->fields);
	put_result(&r->fields, t);
	frame.fields = r->fields.data;
	frame.fields_len = r->fields.len;
	frame.payload = t->out.kept.data;
	frame.payload_len = t->out.kept.len;
	if (t->err.kept.len > 0) {
		size_t out_len = t->out.kept.len;

		/* One run of bytes; the buffer of stdout has room at its end
		 * more often than not. */
		buf_put(&t->out.kept, t->err.kept.data, t->err.kept.len);
		frame.payload = t->out.kept.data;
		frame.payload_len = t->out.kept.len;
		t->out.kept.len = out_len;
	}
	reaper_send(r, &frame);
	t->phase = REAPER_IDLE;
	t->step_ms = t->flush_ms = REAPER_NEVER;
	heavy = t->out.kept.cap + t->err.kept.cap > HEAVY_BYTES;
	forget(t);
	if (heavy)
		reaper_reset_peak();
	if (reaper_scratch_clean(&r->scratch, &err) < 0)
		log_warn("%s", err.text);
}

void
reaper_task_ended(struct reaper *r, int status, const struct rusage *usage)
{
	struct reaper_task *t = &r->task;

	t->ended_ns = clock_now_ns();
	t->status = status;
	t->usage = *usage;
	t->phase = REAPER_DRAINING;
	/* On the ladder the others have as long as the main process would. */
	if (t->ladder == 0)
		t->step_ms = REAPER_NEVER;
}

static void
read_what_is_there(struct reaper_output *o)
{
	struct pollfd p = {.fd = o->fd, .events = POLLIN};

	for (int i = 0; i < DRAIN_READS && o->fd >= 0; i++) {
		if (poll(&p, 1, 0) <= 0)
			return;
		reaper_output_read(o);
	}
}

static void
sweep(struct reaper *r)
{
	struct reaper_task *t = &r->task;
	uint64_t now = clock_now_ms();

	if (t->phase != REAPER_SWEEPING)
		t->sweep_until_ms = now + SWEEP_LIMIT_MS;
	t->phase = REAPER_SWEEPING;
	t->step_ms = now + SWEEP_MS;
	(void)tree_signal(getpid(), r->worker.pid, SIGKILL);
}

/* The main process has ended: the result waits for its output, and for those
 * that it left behind. */
static void
step_ended(struct reaper *r)
{
	struct reaper_task *t = &r->task;
	bool open = t->out.fd >= 0 || t->err.fd >= 0;
	uint64_t now;

	if (!reaper_has_others(r)) {
		/* Who holds the pipes now is none of ours. */
		if (!reaper_congested(r)) {
			read_what_is_there(&t->out);
			read_what_is_there(&t->err);
			finish(r);
		}
		return;
	}
	now = clock_now_ms();
	if (t->phase == REAPER_SWEEPING && now >= t->sweep_until_ms) {
		finish(r);
		return;
	}
	if (t->phase == REAPER_DRAINING && t->ladder > 0 &&
	    t->ladder < LADDER_KILL) {
		if (now >= t->step_ms)
			climb(r);
		return;
	}
	if (t->phase == REAPER_DRAINING && open && t->ladder == 0) {
		if (t->step_ms == REAPER_NEVER)
			t->step_ms = now + DRAIN_MS;
		if (now < t->step_ms)
			return;
	}
	if (t->phase == REAPER_DRAINING || now >= t->step_ms)
		sweep(r);
}

void
reaper_task_step(struct reaper *r)
{
	struct reaper_task *t = &r->task;

	if (t->phase == REAPER_IDLE)
		return;
	step_stream(r);
	if (t->phase != REAPER_RUNNING)
		step_ended(r);
	else if (t->step_ms != REAPER_NEVER && clock_now_ms() >= t->step_ms)
		climb(r);
}

uint64_t
reaper_task_next_ms(const struct reaper *r)
{
	const struct reaper_task *t = &r->task;

	if (t->phase == REAPER_IDLE)
		return REAPER_NEVER;
	return t->step_ms < t->flush_ms ? t->step_ms : t->flush_ms;
}
