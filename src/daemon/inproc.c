/* SPDX-License-Identifier: MIT */
#include "daemon/inproc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include <cadre/task.h>

#include "daemon/slot.h"
#include "engine/native.h"
#include "link/link.h"
#include "util/clock.h"
#include "value/codec.h"

/* Tasks called in a row before the loop looks at its events. */
#define TURN_NS 1000000u

struct inproc {
	struct slot *slot;
	struct native *native;
	uv_idle_t *idle;
	struct buf payload;
	struct buf fields;
	/* Of the task that runs; what the transport's threads may look at. */
	_Atomic uint64_t task;
	_Atomic uint32_t attempt;
	_Atomic int ended; /* enum cadre_outcome that was asked for; 0 */
	uint64_t deadline_ns;
	/* The thread that sends heartbeats. */
	bool beating;
	bool stop;
	uint32_t beat_ms;
	struct link_conn *conn;
	uint32_t incarnation;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

static void on_idle(uv_idle_t *idle);

static void
on_progress(void *arg, const char *message)
{
	struct inproc *p = arg;
	struct wire_frame frame = {.type = WIRE_OUTPUT,
				   .code = 3,
				   .task = atomic_load(&p->task),
				   .attempt = atomic_load(&p->attempt),
				   .slot = p->slot->index,
				   .payload = (const uint8_t *)message,
				   .payload_len = strlen(message)};

	daemon_send(p->slot->daemon, &frame);
	uplink_flush(&p->slot->daemon->uplink);
}

static bool
on_cancelled(void *arg)
{
	struct inproc *p = arg;

	if (p->deadline_ns > 0 && clock_now_ns() > p->deadline_ns)
		atomic_store(&p->ended, CADRE_OUTCOME_TIMEOUT);
	return atomic_load(&p->ended) != 0;
}

int
inproc_new(struct slot *slot, struct inproc **ret)
{
	struct native_hooks hooks = {.progress = on_progress,
				     .cancelled = on_cancelled};
	struct inproc *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return CADRE_ENOMEM;
	hooks.arg = p;
	p->slot = slot;
	p->native = native_new(&hooks);
	p->idle = calloc(1, sizeof(*p->idle));
	if (p->native == NULL || p->idle == NULL) {
		native_free(&p->native);
		free(p->idle);
		free(p);
		return CADRE_ENOMEM;
	}
	buf_init(&p->payload, SIZE_MAX / 2);
	buf_init(&p->fields, SIZE_MAX / 2);
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->cond, NULL);
	(void)uv_idle_init(&slot->daemon->loop, p->idle);
	p->idle->data = p;
	*ret = p;
	return 0;
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

void
inproc_free(struct inproc **pp)
{
	struct inproc *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	inproc_down(p);
	native_free(&p->native);
	uv_close((uv_handle_t *)p->idle, free_handle);
	buf_fini(&p->payload);
	buf_fini(&p->fields);
	(void)pthread_cond_destroy(&p->cond);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct epoch *
next_epoch(const struct inproc *p, size_t *ret_next)
{
	size_t from = p->slot->worker.epoch_seen;

	return epochs_next(&p->slot->daemon->epochs, WIRE_ENGINE_NATIVE, from,
			   from, ret_next);
}

static struct queue_entry *
next_task(struct inproc *p)
{
	struct queue_entry *e = queue_head(&p->slot->queue);

	return e == NULL || e->engine == WIRE_ENGINE_COMMAND ? NULL : e;
}

bool
inproc_wake(struct inproc *p)
{
	size_t next;

	if (next_epoch(p, &next) == NULL && next_task(p) == NULL)
		return false;
	(void)uv_idle_start(p->idle, on_idle);
	return true;
}

void
inproc_notice(struct inproc *p, const struct wire_frame *frame)
{
	int code = frame->code == WIRE_CANCEL_TIMEOUT ? CADRE_OUTCOME_TIMEOUT
						      : CADRE_OUTCOME_CANCELLED;

	if (frame->type == WIRE_EXIT ||
	    (frame->type == WIRE_CANCEL &&
	     frame->task == atomic_load(&p->task) &&
	     frame->attempt == atomic_load(&p->attempt)))
		atomic_store(&p->ended, code);
}

/* Calls the function that an encoded frame names and sends what came of it as a
 * frame of that type.  Returns the outcome. */
static uint8_t
call(struct inproc *p, const uint8_t *bytes, size_t size, uint16_t type)
{
	struct native_result result = {.code = CADRE_OUTCOME_ERROR,
				       .message = "the task cannot be read"};
	struct wire_frame frame, out;
	uint64_t began = clock_now_ns(), timeout_ms;

	if (wire_decode(bytes, size, &frame, NULL) < 0)
		return CADRE_OUTCOME_ERROR;
	timeout_ms = wire_u64(&frame, WIRE_TAG_TIMEOUT_MS, 0);
	p->deadline_ns = timeout_ms > 0 ? began + timeout_ms * 1000000u : 0;
	atomic_store(&p->ended, 0);
	atomic_store(&p->attempt, frame.attempt);
	atomic_store(&p->task, frame.task);
	native_eval(p->native, &frame, &result);
	(void)on_cancelled(p);
	atomic_store(&p->task, 0);
	buf_reset(&p->payload);
	buf_reset(&p->fields);
	wire_put_u64(&p->fields, WIRE_TAG_WALL_NS, clock_now_ns() - began);
	out = (struct wire_frame){.type = type,
				  .code = (uint8_t)result.code,
				  .task = frame.task,
				  .attempt = frame.attempt,
				  .slot = p->slot->index};
	if (atomic_load(&p->ended) != 0)
		out.code = (uint8_t)atomic_load(&p->ended);
	else if (result.code == CADRE_OUTCOME_VALUE)
		value_encode(&p->payload, result.value);
	else
		wire_put_str(&p->fields, WIRE_TAG_MESSAGE, result.message);
	if (p->payload.error != 0) {
		buf_fini(&p->payload);
		out.code = CADRE_OUTCOME_ERROR;
		wire_put_str(&p->fields, WIRE_TAG_MESSAGE,
			     "out of memory for the result");
	}
	native_done(p->native);
	out.fields = p->fields.data;
	out.fields_len = p->fields.len;
	out.payload = p->payload.data;
	out.payload_len = p->payload.len;
	daemon_send(p->slot->daemon, &out);
	return out.code;
}

/* One epoch, if there is one. */
static bool
epoch(struct inproc *p)
{
	const struct epoch *next = next_epoch(p, &p->slot->worker.epoch_seen);
	char reason[96];
	uint8_t code;

	if (next == NULL)
		return false;
	code = call(p, next->frame->data, next->frame->len, WIRE_EPOCH);
	if (code == CADRE_OUTCOME_VALUE)
		return true;
	if (next->once) {
		slot_announce(p->slot);
		return true;
	}
	(void)snprintf(reason, sizeof(reason),
		       "everywhere call %llu failed (outcome %u)",
		       (unsigned long long)next->id, code);
	slot_hold(p->slot, reason);
	return true;
}

/* One task, if there is one. */
static bool
task(struct inproc *p)
{
	struct slot *slot = p->slot;
	struct queue_entry *e = next_task(p);
	struct wire_frame frame = {.type = WIRE_STARTED, .slot = slot->index};

	if (e == NULL)
		return false;
	frame.task = e->task;
	frame.attempt = e->attempt;
	/* What must not run twice is reported before it begins. */
	if ((e->flags & WIRE_IDEMPOTENT) == 0) {
		daemon_send(slot->daemon, &frame);
		uplink_flush(&slot->daemon->uplink);
	}
	(void)call(p, queue_bytes(&slot->queue, e), (size_t)e->size,
		   WIRE_RESULT);
	queue_pop(&slot->queue);
	slot_count(slot);
	return true;
}

static void
on_idle(uv_idle_t *idle)
{
	struct inproc *p = idle->data;
	uint64_t until = clock_now_ns() + TURN_NS;

	while (!p->slot->held && !p->slot->retired && (epoch(p) || task(p)))
		if (clock_now_ns() > until)
			return;
	(void)uv_idle_stop(idle);
	daemon_touch(p->slot->daemon, p->slot);
	/* Results do not wait for the rest of the loop. */
	uplink_flush(&p->slot->daemon->uplink);
}

/* --- heartbeats --- */

static void *
beat(void *arg)
{
	struct inproc *p = arg;
	const struct wire_frame frame = {.type = WIRE_HEARTBEAT,
					 .incarnation = p->incarnation};
	struct timespec next;

	(void)clock_gettime(CLOCK_REALTIME, &next);
	(void)pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		next.tv_sec += p->beat_ms / 1000;
		next.tv_nsec += (long)(p->beat_ms % 1000) * 1000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		while (!p->stop &&
		       pthread_cond_timedwait(&p->cond, &p->lock, &next) == 0)
			;
		if (p->stop)
			break;
		(void)link_send(p->conn, &frame);
		link_flush(p->conn);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

void
inproc_up(struct inproc *p, uint32_t heartbeat_ms)
{
	if (heartbeat_ms == 0)
		return;
	p->beat_ms = heartbeat_ms;
	p->stop = false;
	p->incarnation = p->slot->daemon->incarnation;
	p->conn = link_ref(p->slot->daemon->uplink.conn);
	p->beating = pthread_create(&p->thread, NULL, beat, p) == 0;
	if (!p->beating)
		link_unref(&p->conn);
}

void
inproc_down(struct inproc *p)
{
	if (!p->beating)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->stop = true;
	(void)pthread_cond_signal(&p->cond);
	(void)pthread_mutex_unlock(&p->lock);
	(void)pthread_join(p->thread, NULL);
	link_unref(&p->conn);
	p->beating = false;
}
