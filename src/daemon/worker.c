/* SPDX-License-Identifier: MIT */
#include "daemon/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cadre/task.h>

#include "engine/engine.h"
#include "util/error.h"
#include "util/log.h"

#define PIECES 16
/* About what the socket takes at once. */
#define WRITE_MAX (256u * 1024u)
#define SOCKET_BUFFER (512 * 1024)
/* Deaths in a row without an answer before spawning slows down. */
#define FAILURES_MAX 3
#define REST_MS 1000u
#define REST_MAX_MS 30000u

static void on_batch(void *arg);
static void on_writable(void *arg);

static const struct channel_ops worker_ops = {
	.frame = answer_frame,
	.batch = on_batch,
	.ended = worker_ended,
	.writable = on_writable,
};

void
worker_init(struct slot *slot)
{
	channel_init(&slot->worker.channel, &worker_ops, slot);
}

/* --- start and end --- */

static int
dup_high(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 16);
}

/* Asks the reaper for a worker that has these descriptors. */
static int
ask_reaper(struct slot *slot, int socket_fd, struct cadre_error *err)
{
	struct worker *w = &slot->worker;
	struct shared *s = w->shared;
	struct wire_frame frame = {
		.type = WIRE_SPAWN, .slot = slot->index, .worker = w->number};
	const int fds[CHANNEL_FDS] = {socket_fd, dup_high(s->page_fd),
				      dup_high(s->in_fd), dup_high(s->out_fd)};
	struct buf fields;

	for (int i = 1; i < CHANNEL_FDS; i++) {
		int errnum = errno;

		if (fds[i] >= 0)
			continue;
		for (int k = 1; k < CHANNEL_FDS; k++)
			if (fds[k] >= 0)
				close(fds[k]);
		return error_sys(err, errnum, "too few descriptors");
	}
	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	wire_put_str(&fields, WIRE_TAG_ARGV, slot->daemon->native_path);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	frame.fields = fields.data;
	frame.fields_len = fields.len;
	channel_attach(&slot->control.channel, fds, CHANNEL_FDS);
	channel_put(&slot->control.channel, &frame);
	channel_flush(&slot->control.channel);
	buf_fini(&fields);
	return 0;
}

/* Fewer and larger batches: less waking.  Only a wish. */
static void
enlarge(int fd)
{
	const int size = SOCKET_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int
spawn(struct slot *slot, struct cadre_error *err)
{
	struct worker *w = &slot->worker;
	int pair[2], rc;

	rc = shared_new(&w->shared, err);
	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, errno, "cannot make a socket");
	enlarge(pair[0]);
	enlarge(pair[1]);
	rc = channel_open(&w->channel, &slot->daemon->loop, pair[0], err);
	if (rc < 0) {
		close(pair[0]);
		close(pair[1]);
		return rc;
	}
	rc = ask_reaper(slot, pair[1], err);
	if (rc < 0)
		close(pair[1]);
	return rc;
}

/* The rest that the slot takes before it spawns again. */
static void
note_failure(struct slot *slot, const char *reason)
{
	struct worker *w = &slot->worker;
	uint32_t over = ++w->failures - FAILURES_MAX;
	uint64_t rest = REST_MAX_MS;
	struct queue_entry *e;

	if (w->failures < FAILURES_MAX)
		return;
	if (over < 5)
		rest = (uint64_t)REST_MS << over;
	log_warn("slot %u: %u workers in a row ended before they had done "
		 "anything: %s; next one in %u ms",
		 slot->index + 1, w->failures, reason, (unsigned int)rest);
	slot->rest_until = uv_now(&slot->daemon->loop) + rest;
	slot_arm(slot);
	/* It is the worker, not the task; but who waits has to know. */
	e = queue_head(&slot->queue);
	if (e == NULL || e->engine == WIRE_ENGINE_COMMAND)
		return;
	slot_answer(slot, e->task, e->attempt, CADRE_OUTCOME_ERROR, reason);
	queue_pop(&slot->queue);
	slot_count(slot);
}

static void
release(struct worker *w)
{
	channel_close(&w->channel);
	shared_unref(&w->shared);
	w->state = WORKER_NONE;
	w->pid = 0;
	w->exited = false;
	w->inflight = 0;
	w->epoch_running = false;
	w->stale = false;
}

bool
worker_ensure(struct slot *slot)
{
	struct worker *w = &slot->worker;
	struct cadre_error err = CADRE_ERROR_INIT;

	if (w->state == WORKER_UP)
		return true;
	if (w->state == WORKER_ENDING || slot->rest_until != SLOT_NEVER)
		return false;
	w->number++;
	w->written = w->begun_seen = 0;
	w->taken = w->answered = 0;
	w->epoch_next = 0;
	queue_restart(&slot->queue);
	if (spawn(slot, &err) < 0) {
		char text[600];

		release(w);
		(void)snprintf(text, sizeof(text), "cannot start a worker: %s",
			       err.text);
		note_failure(slot, text);
		daemon_touch(slot->daemon, slot);
		return false;
	}
	w->state = WORKER_UP;
	if (slot->daemon->congested)
		channel_pause(&w->channel, true);
	return true;
}

void
worker_stop(struct slot *slot)
{
	struct worker *w = &slot->worker;

	w->state = WORKER_ENDING;
	/* That it ends is no failure, however little it did. */
	w->answered++;
	(void)shutdown(w->channel.fd, SHUT_WR);
	/* One that does not end by itself is made to. */
	slot->cancel = (struct cancel){.step = 1};
	slot->cancel_at = uv_now(&slot->daemon->loop) +
			  (uint64_t)slot->daemon->settings->grace_ms;
	slot_arm(slot);
}

void
worker_signal(struct slot *slot, int sig)
{
	struct wire_frame frame = {.type = WIRE_KILL,
				   .code = (uint8_t)sig,
				   .slot = slot->index,
				   .worker = slot->worker.number};

	/* Sent from here it is pending before the next frame is written, so
	 * that it cannot hit the next task. */
	if (sig == SIGINT && slot->worker.pid > 0) {
		(void)kill(slot->worker.pid, SIGINT);
		return;
	}
	channel_put(&slot->control.channel, &frame);
	channel_flush(&slot->control.channel);
}

void
worker_spawned(struct slot *slot, const struct wire_frame *frame)
{
	if (slot->worker.state != WORKER_NONE)
		slot->worker.pid = (pid_t)wire_u64(frame, WIRE_TAG_PID, 0);
}

void
worker_exited(struct slot *slot, const struct wire_frame *frame)
{
	struct worker *w = &slot->worker;
	int sig = (int)wire_u64(frame, WIRE_TAG_SIGNAL, 0);
	char *message = wire_str(frame, WIRE_TAG_MESSAGE);

	if (w->state == WORKER_NONE) {
		free(message);
		return;
	}
	w->exited = true;
	if (message != NULL)
		(void)snprintf(w->death, sizeof(w->death),
			       "the worker could not be started: %s", message);
	else if (sig != 0)
		(void)snprintf(w->death, sizeof(w->death),
			       "worker died: %s (signal %d)", strsignal(sig),
			       sig);
	else
		(void)snprintf(w->death, sizeof(w->death),
			       "worker ended with status %llu",
			       (unsigned long long)wire_u64(
				       frame, WIRE_TAG_STATUS, 0));
	free(message);
}

/* The task that it had begun when it died. */
static void
lose(struct slot *slot, struct queue_entry *e, const char *reason)
{
	if (!cancel_answers(slot, e->task, e->attempt))
		slot_answer(slot, e->task, e->attempt, CADRE_OUTCOME_LOST,
			    reason);
	queue_drop(&slot->queue, e);
}

void
worker_dead(struct slot *slot, const char *reason)
{
	struct worker *w = &slot->worker;
	uint32_t begun = engine_begun(w->shared->page);
	struct wire_frame nothing = {0};
	bool idle = w->answered == 0;
	uint32_t lost = 0;
	struct queue_entry *e;

	log_info("slot %u: %s", slot->index + 1, reason);
	if (w->epoch_running)
		answer_epoch(slot, CADRE_OUTCOME_LOST, &nothing);
	for (uint32_t i = 0; (e = queue_at(&slot->queue, i)) != NULL; i++) {
		int32_t ahead = (int32_t)(e->number - begun);

		if (e->dropped || !e->written || ahead > 0)
			continue;
		/* An earlier one had ended, but its answer died with the
		 * worker: it may run again if it says so. */
		if (ahead != 0 && (e->flags & WIRE_IDEMPOTENT) != 0)
			continue;
		lose(slot, e, reason);
		lost++;
	}
	(void)queue_head(&slot->queue);
	queue_restart(&slot->queue);
	release(w);
	slot->cancel = (struct cancel){0};
	slot->cancel_at = slot->timeout_at = SLOT_NEVER;
	if (idle && begun == 0)
		note_failure(slot, reason);
	else if (!idle)
		w->failures = 0;
	while (lost-- > 0)
		slot_count(slot);
	daemon_touch(slot->daemon, slot);
}

void
worker_ended(void *arg, const char *reason)
{
	struct slot *slot = arg;
	struct worker *w = &slot->worker;

	if (w->exited)
		return;
	log_debug("worker of slot %u: %s", slot->index + 1, reason);
	w->state = WORKER_ENDING;
	worker_signal(slot, SIGKILL);
}

/* --- to the worker --- */

static bool
may_write_tasks(const struct slot *slot)
{
	const struct worker *w = &slot->worker;

	return w->state == WORKER_UP && !w->epoch_running && !w->stale &&
	       slot->cancel.step == 0 && !slot->held && !slot->retired &&
	       !worker_has_epoch(slot);
}

/* Tasks that may still be written to this worker. */
static uint32_t
allowance(const struct slot *slot)
{
	const struct settings *s = slot->daemon->settings;
	const struct worker *w = &slot->worker;
	uint64_t used =
		s->maxtasks_retire ? slot->finished + w->inflight : w->taken;

	if (!may_write_tasks(slot))
		return 0;
	if (s->maxtasks == 0)
		return UINT32_MAX;
	if (used >= s->maxtasks)
		return 0;
	return s->maxtasks - used > UINT32_MAX ? UINT32_MAX
					       : (uint32_t)(s->maxtasks - used);
}

/* A large payload that is next goes into the shared memory if it is free. */
static void
place_payload(struct slot *slot)
{
	struct queue *q = &slot->queue;
	struct queue_entry *e = queue_unsent(q);
	struct cadre_error err = CADRE_ERROR_INIT;

	if (e == NULL || e->payload == NULL || e->placed || q->placed > 0 ||
	    e->engine == WIRE_ENGINE_COMMAND)
		return;
	if (shared_place(slot->worker.shared, e->payload, e->payload_len,
			 &err) == 0) {
		queue_place(q, e);
		return;
	}
	slot_answer(slot, e->task, e->attempt, CADRE_OUTCOME_ERROR, err.text);
	queue_drop(q, e);
	(void)queue_head(q);
}

void
worker_start_timeout(struct slot *slot)
{
	struct queue_entry *e = queue_head(&slot->queue);

	slot->timeout_at = SLOT_NEVER;
	if (e == NULL || !e->written || e->timeout_ms == 0)
		return;
	slot->timeout_at = uv_now(&slot->daemon->loop) + e->timeout_ms;
	slot_arm(slot);
}

void
worker_write(struct slot *slot)
{
	struct worker *w = &slot->worker;
	uint32_t left = allowance(slot), before = w->inflight;
	struct iovec iov[PIECES];
	size_t sent;

	do {
		uint32_t begun;
		size_t total = 0;
		int n;

		if (left > 0)
			place_payload(slot);
		n = queue_gather(&slot->queue, iov, PIECES, WRITE_MAX, left);
		for (int i = 0; i < n; i++)
			total += iov[i].iov_len;
		sent = channel_write(&w->channel, iov, n);
		begun = queue_wrote(&slot->queue, sent, &w->written);
		w->inflight += begun;
		w->taken += begun;
		left -= begun;
		if (sent < total)
			break;
	} while (sent > 0);
	if (before > 0 || w->inflight == 0)
		return;
	worker_start_timeout(slot);
	daemon_watch(slot->daemon);
}

static void
on_writable(void *arg)
{
	struct slot *slot = arg;

	daemon_touch(slot->daemon, slot);
}

uint32_t
worker_revoke(struct slot *slot)
{
	struct worker *w = &slot->worker;
	uint32_t begun, revoked;

	/* No task is written while an epoch is under way, and that one must
	 * be answered. */
	if (w->epoch_running)
		return engine_begun(w->shared->page);
	begun = engine_revoke(w->shared->page, w->written);
	revoked = queue_rewind(&slot->queue, begun);
	w->inflight -= revoked;
	w->taken -= revoked;
	return begun;
}

bool
worker_has_epoch(const struct slot *slot)
{
	const struct worker *w = &slot->worker;
	size_t from = w->state == WORKER_NONE ? 0 : w->epoch_next, next;

	return epochs_next(&slot->daemon->epochs, WIRE_ENGINE_NATIVE, from,
			   w->epoch_seen, &next) != NULL;
}

bool
worker_epoch(struct slot *slot)
{
	struct worker *w = &slot->worker;
	const struct epoch *epoch;

	epoch = epochs_next(&slot->daemon->epochs, WIRE_ENGINE_NATIVE,
			    w->epoch_next, w->epoch_seen, &w->epoch_next);
	if (epoch == NULL)
		return false;
	if (queue_insert(&slot->queue, epoch->frame->data, epoch->frame->len) <
	    0) {
		slot_hold(slot, "out of memory");
		return false;
	}
	w->written++;
	w->epoch_running = true;
	w->epoch_once = epoch->once;
	w->epoch = epoch->id;
	worker_write(slot);
	return true;
}

static void
on_batch(void *arg)
{
	(void)arg;
}

void
worker_tick(struct slot *slot)
{
	struct worker *w = &slot->worker;
	struct queue_entry *e;
	uint32_t begun;

	if (w->state != WORKER_UP || w->inflight == 0)
		return;
	begun = engine_begun(w->shared->page);
	if (begun != w->begun_seen) {
		w->begun_seen = begun;
		w->hinted = false;
		return;
	}
	/* What it had answered before may lie in its buffer for as long as this
	 * task runs: a hint to send it. */
	e = queue_head(&slot->queue);
	if (e != NULL && e->written && e->number != begun && w->pid > 0 &&
	    !w->hinted) {
		w->hinted = true;
		(void)kill(w->pid, SIGURG);
	}
	for (uint32_t i = 0; (e = queue_at(&slot->queue, i)) != NULL; i++) {
		struct wire_frame frame = {.type = WIRE_STARTED,
					   .slot = slot->index,
					   .worker = w->number,
					   .task = e->task,
					   .attempt = e->attempt};

		if (e->dropped || !e->written || e->number != begun)
			continue;
		if (!e->started)
			daemon_send(slot->daemon, &frame);
		e->started = true;
		return;
	}
}
