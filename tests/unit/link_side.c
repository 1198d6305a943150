/* SPDX-License-Identifier: MIT */
#include "link_side.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void *
on_opened(void *arg, struct link_conn *conn)
{
	struct side *s = arg;

	(void)pthread_mutex_lock(&s->lock);
	if (!s->refuse) {
		link_unref(&s->conn);
		s->conn = link_ref(conn);
		link_set_max(conn, s->max);
	}
	s->opened++;
	(void)pthread_cond_broadcast(&s->cond);
	(void)pthread_mutex_unlock(&s->lock);
	return s->refuse ? NULL : s;
}

static void
on_batch_begin(void *user)
{
	struct side *s = user;

	(void)pthread_mutex_lock(&s->lock);
	s->batches++;
}

static void
on_batch_end(void *user)
{
	struct side *s = user;

	if (s->echo)
		link_flush(s->conn);
	(void)pthread_cond_broadcast(&s->cond);
	(void)pthread_mutex_unlock(&s->lock);
}

static int
on_frame(void *user, const struct wire_frame *frame)
{
	struct side *s = user;

	if (s->keep_order && frame->task != s->frames)
		s->order_bad = true;
	s->frames++;
	s->payload += frame->payload_len;
	s->owned += frame->owner != NULL;
	if (s->echo && link_send(s->conn, frame) < 0)
		return CADRE_ECLOSED;
	if (s->pause)
		link_pause(s->conn, true);
	if (s->close_after != 0 && s->frames == s->close_after)
		link_close(s->conn, "enough", s->close_flush);
	return s->frame_rc;
}

static struct blob *
on_alloc(void *user, const struct wire_frame *head, size_t len)
{
	struct side *s = user;

	return s->alloc == NULL ? NULL : s->alloc(head, len);
}

static void
on_sent(void *user)
{
	struct side *s = user;

	(void)pthread_mutex_lock(&s->lock);
	s->sent++;
	(void)pthread_cond_broadcast(&s->cond);
	(void)pthread_mutex_unlock(&s->lock);
}

static void
on_closed(void *user, const char *reason)
{
	struct side *s = user;

	(void)pthread_mutex_lock(&s->lock);
	s->closed++;
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
	(void)pthread_cond_broadcast(&s->cond);
	(void)pthread_mutex_unlock(&s->lock);
}

static void
on_dial_failed(void *arg, const char *reason)
{
	struct side *s = arg;

	(void)pthread_mutex_lock(&s->lock);
	s->failed++;
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
	(void)pthread_cond_broadcast(&s->cond);
	(void)pthread_mutex_unlock(&s->lock);
}

const struct link_ops side_ops = {
	.opened = on_opened,
	.batch_begin = on_batch_begin,
	.frame = on_frame,
	.batch_end = on_batch_end,
	.alloc = on_alloc,
	.sent = on_sent,
	.closed = on_closed,
	.dial_failed = on_dial_failed,
};

void
side_init(struct side *s)
{
	*s = (struct side){.max = WIRE_MAX_FRAME};
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->cond, NULL);
}

void
side_fini(struct side *s)
{
	link_unref(&s->conn);
	(void)pthread_cond_destroy(&s->cond);
	(void)pthread_mutex_destroy(&s->lock);
}

static struct timespec
deadline(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 30;
	return ts;
}

bool
side_wait(struct side *s, const int *count, int n)
{
	struct timespec until = deadline();
	bool ok;
	int rc = 0;

	(void)pthread_mutex_lock(&s->lock);
	while (*count < n && rc == 0)
		rc = pthread_cond_timedwait(&s->cond, &s->lock, &until);
	ok = *count >= n;
	(void)pthread_mutex_unlock(&s->lock);
	return ok;
}

bool
side_wait_frames(struct side *s, uint64_t n)
{
	struct timespec until = deadline();
	bool ok;
	int rc = 0;

	(void)pthread_mutex_lock(&s->lock);
	while (s->frames < n && rc == 0)
		rc = pthread_cond_timedwait(&s->cond, &s->lock, &until);
	ok = s->frames >= n;
	(void)pthread_mutex_unlock(&s->lock);
	return ok;
}

const char *
side_url(const char *scheme)
{
	static char url[128];
	static int n;
	const char *dir = getenv("TMPDIR");

	if (strcmp(scheme, "tcp") == 0)
		return "tcp://127.0.0.1:0";
	if (dir == NULL || dir[0] != '/' || strlen(dir) > 60)
		dir = "/tmp";
	(void)snprintf(url, sizeof(url), "%s://%s/cadre-test-link-%d-%d",
		       scheme, dir, (int)getpid(), n++);
	return url;
}

int
side_send(struct link_conn *conn, uint64_t task, struct blob *owner, size_t len)
{
	struct wire_frame frame = {
		.type = WIRE_OUTPUT,
		.code = 1,
		.task = task,
		.payload = owner == NULL ? NULL : owner->data,
		.payload_len = len,
		.owner = owner,
	};

	return link_send(conn, &frame);
}
