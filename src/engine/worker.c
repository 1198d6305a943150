/* SPDX-License-Identifier: MIT */

/*
 * cadre-native: the worker of native tasks.  Started by a slot's reaper with
 * the descriptors that engine.h describes; ends when the socket does.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/native.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/log.h"
#include "value/codec.h"

#define READ_SIZE (256u * 1024u)
/* Results are held back until no whole frame is left to work on, so many bytes
 * have gathered, or the oldest is so old. */
#define FLUSH_BYTES 32768u
#define FLUSH_NS 200000u

struct mapping {
	int fd;
	uint8_t *data;
	size_t len;
};

/*
 * The frame decoded last.  Most are calls of one function, and what differs in
 * them lies in the rest of the header and in the payload: such a frame needs no
 * second check.
 */
struct pattern {
	bool known;
	uint8_t start[8]; /* header from type to length of the fields */
	struct buf fields;
};

struct worker {
	struct native *native;
	struct engine_page *page;
	struct mapping in_shared;
	struct mapping out_shared;
	struct buf in;
	size_t in_pos;
	struct pattern pattern;
	struct buf out;
	size_t sent;	    /* of out */
	struct buf fields;  /* of a result */
	uint64_t oldest_ns; /* of what is in out */
	uint64_t now_ns;    /* when the last task ended */
	uint32_t number;    /* of the current frame, see engine.h */
	struct wire_frame task;
	bool lost; /* nobody reads our results any more */
};

/* Set while out is at rest: a function is being called. */
static struct worker *volatile calling;

static void
send_out(struct worker *w)
{
	while (w->sent < w->out.len && !w->lost) {
		ssize_t n = send(ENGINE_FD, w->out.data + w->sent,
				 w->out.len - w->sent, MSG_NOSIGNAL);

		if (n > 0)
			w->sent += (size_t)n;
		else if (n < 0 && errno != EINTR)
			w->lost = true;
	}
}

/* The daemon noticed that a function runs for long: what was answered before
 * must not wait for its end. */
static void
on_urge(int sig)
{
	struct worker *w = calling;
	int saved = errno;

	(void)sig;
	if (w != NULL)
		send_out(w);
	errno = saved;
}

static void
flush(struct worker *w)
{
	send_out(w);
	w->sent = 0;
	if (w->out.cap > 2 * READ_SIZE)
		buf_fini(&w->out);
	buf_reset(&w->out);
}

/* Brings len bytes of a memfd into view; the sender has extended it. */
static int
map(struct mapping *m, size_t len, int protection)
{
	struct stat st;
	void *data;

	if (len <= m->len)
		return 0;
	if (fstat(m->fd, &st) < 0 || (uint64_t)st.st_size < len)
		return CADRE_EPROTO;
	data = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, m->fd, 0);
	if (data == MAP_FAILED)
		return CADRE_ENOMEM;
	if (m->data != NULL)
		(void)munmap(m->data, m->len);
	m->data = data;
	m->len = (size_t)st.st_size;
	return 0;
}

/* Large arguments are used where they lie. */
static int
find_payload(struct worker *w, struct wire_frame *frame)
{
	uint64_t len, offset;
	int rc;

	if (frame->payload_len > 0)
		return 0;
	len = wire_u64(frame, WIRE_TAG_SHARED_LEN, 0);
	offset = wire_u64(frame, WIRE_TAG_SHARED_OFFSET, 0);
	if (len == 0)
		return 0;
	if (offset > WIRE_MAX_FRAME || len > WIRE_MAX_FRAME)
		return CADRE_EPROTO;
	rc = map(&w->in_shared, (size_t)(offset + len), PROT_READ);
	if (rc < 0)
		return rc;
	frame->payload = w->in_shared.data + offset;
	frame->payload_len = (size_t)len;
	frame->owner =
		blob_wrap(w->in_shared.data, w->in_shared.len, NULL, NULL);
	return frame->owner == NULL ? CADRE_ENOMEM : 0;
}

/* Puts a large result into the shared memory, if that is free. */
static bool
share_result(struct worker *w, const struct cadre_value *v, size_t size)
{
	struct mapping *m = &w->out_shared;
	struct buf b;

	if (atomic_load(&w->page->out_busy) != 0)
		return false;
	if (size > m->len && ftruncate(m->fd, (off_t)size) < 0)
		return false;
	if (map(m, size, PROT_READ | PROT_WRITE) < 0)
		return false;
	/* A buffer that is as large as it may become never moves. */
	b = (struct buf){.data = m->data, .cap = m->len, .max = m->len};
	value_encode(&b, v);
	if (b.error != 0)
		return false;
	atomic_store(&w->page->out_busy, 1);
	return true;
}

static struct wire_frame
answer_to(const struct wire_frame *task)
{
	struct wire_frame frame = *task;

	frame.type = task->type == WIRE_TASK ? WIRE_RESULT : WIRE_EPOCH;
	frame.flags = 0;
	frame.fields = frame.payload = NULL;
	frame.fields_len = frame.payload_len = 0;
	frame.owner = NULL;
	return frame;
}

static void
put_answer(struct worker *w, const struct native_result *result,
	   uint64_t wall_ns)
{
	struct wire_frame frame = answer_to(&w->task);
	size_t size = 0, padding;

	buf_reset(&w->fields);
	wire_put_u64(&w->fields, WIRE_TAG_WALL_NS, wall_ns);
	frame.code = (uint8_t)result->code;
	if (result->code == CADRE_OUTCOME_VALUE)
		size = value_encoded_size(result->value);
	else
		wire_put_str(&w->fields, WIRE_TAG_MESSAGE, result->message);
	if (size > ENGINE_SHARED_MIN && share_result(w, result->value, size)) {
		wire_put_u64(&w->fields, WIRE_TAG_SHARED_OFFSET, 0);
		wire_put_u64(&w->fields, WIRE_TAG_SHARED_LEN, size);
		size = 0;
	}
	frame.fields = w->fields.data;
	frame.fields_len = w->fields.len;
	frame.payload_len = size;
	padding = wire_encode_head(&w->out, &frame);
	if (size > 0)
		value_encode(&w->out, result->value);
	if (padding > 0)
		buf_put(&w->out, "\0\0\0\0\0\0\0", padding);
}

/* No room for the result: say at least that. */
static void
answer(struct worker *w, const struct native_result *result, uint64_t wall_ns)
{
	size_t before = w->out.len;
	struct native_result failed = {.code = CADRE_OUTCOME_ERROR,
				       .message =
					       "out of memory for the result"};

	put_answer(w, result, wall_ns);
	if (w->out.error == 0)
		return;
	w->out.error = 0;
	w->out.len = before;
	put_answer(w, &failed, wall_ns);
}

static void
evaluate(struct worker *w, struct wire_frame *frame)
{
	struct native_result result = {.code = CADRE_OUTCOME_ERROR,
				       .message = "the arguments cannot be "
						  "read from shared memory"};
	uint64_t began = w->now_ns;

	w->task = *frame;
	if (find_payload(w, frame) == 0) {
		calling = w;
		native_eval(w->native, frame, &result);
		calling = NULL;
	}
	w->now_ns = clock_now_ns();
	if (w->out.len == 0)
		w->oldest_ns = w->now_ns;
	answer(w, &result, w->now_ns - began);
	native_done(w->native);
	if (frame->owner != NULL)
		blob_unref(&frame->owner);
	if (w->out.len >= FLUSH_BYTES || w->now_ns - w->oldest_ns >= FLUSH_NS ||
	    w->now_ns - began >= FLUSH_NS)
		flush(w);
}

static void
handle(struct worker *w, struct wire_frame *frame)
{
	if (frame->type != WIRE_TASK && frame->type != WIRE_EVERYWHERE)
		return;
	w->number++;
	if (engine_claim(w->page, w->number))
		evaluate(w, frame);
}

/* The layout of the header is that of wire.h. */
static bool
decode_alike(const struct pattern *p, const uint8_t *data,
	     struct wire_frame *ret)
{
	uint64_t rest = load_u64(data) - WIRE_HEADER;
	const uint8_t *fields = data + WIRE_HEADER;

	if (!p->known || rest < p->fields.len ||
	    memcmp(data + 8, p->start, sizeof(p->start)) != 0 ||
	    memcmp(fields, p->fields.data, p->fields.len) != 0)
		return false;
	*ret = (struct wire_frame){
		.type = load_u16(data + 8),
		.flags = data[10],
		.code = data[11],
		.task = load_u64(data + 16),
		.attempt = load_u32(data + 24),
		.slot = load_u32(data + 28),
		.incarnation = load_u32(data + 32),
		.worker = load_u32(data + 36),
		.fields = fields,
		.fields_len = p->fields.len,
		.payload = fields + p->fields.len,
		.payload_len = (size_t)rest - p->fields.len,
	};
	return true;
}

static int
decode(struct pattern *p, const uint8_t *data, size_t size,
       struct wire_frame *ret)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	int rc;

	if (decode_alike(p, data, ret))
		return 0;
	rc = wire_decode(data, size, ret, &err);
	if (rc < 0) {
		log_err("bad frame from the daemon: %s", err.text);
		return rc;
	}
	memcpy(p->start, data + 8, sizeof(p->start));
	buf_reset(&p->fields);
	buf_put(&p->fields, ret->fields, ret->fields_len);
	p->known = p->fields.error == 0 && ret->fields_len > 0;
	return 0;
}

/* Works off the whole frames that are there.  False if they are broken. */
static bool
handle_frames(struct worker *w)
{
	w->now_ns = clock_now_ns();
	while (!w->lost) {
		const uint8_t *data = w->in.data + w->in_pos;
		size_t left = w->in.len - w->in_pos;
		struct wire_frame frame;
		uint64_t size;
		int rc = wire_peek(data, left, WIRE_MAX_FRAME, &size);

		if (rc == CADRE_EAGAIN || (rc == 0 && size > left))
			break;
		if (rc < 0) {
			log_err("bad length of a frame from the daemon");
			return false;
		}
		if (decode(&w->pattern, data, (size_t)size, &frame) < 0)
			return false;
		w->in_pos += (size_t)size;
		handle(w, &frame);
	}
	flush(w);
	return true;
}

/* After a failed recv.  One that blocks would wake, too, when the daemon takes
 * results: that makes room to write. */
static bool
await_input(void)
{
	struct pollfd input = {.fd = ENGINE_FD, .events = POLLIN};

	if (errno == EAGAIN)
		return poll(&input, 1, -1) >= 0 || errno == EINTR;
	return errno == EINTR;
}

static bool
read_more(struct worker *w)
{
	ssize_t n;

	buf_consume(&w->in, w->in_pos);
	w->in_pos = 0;
	if (w->in.len == 0 && w->in.cap > 4 * READ_SIZE)
		buf_fini(&w->in);
	if (buf_reserve(&w->in, READ_SIZE) == NULL) {
		log_err("out of memory for a frame from the daemon");
		return false;
	}
	while ((n = recv(ENGINE_FD, w->in.data + w->in.len,
			 w->in.cap - w->in.len, MSG_DONTWAIT)) < 0)
		if (!await_input())
			break;
	if (n > 0)
		buf_commit(&w->in, (size_t)n);
	return n > 0;
}

static void
progress(void *arg, const char *message)
{
	struct worker *w = arg;
	struct wire_frame frame = answer_to(&w->task);

	frame.type = WIRE_OUTPUT;
	frame.code = 3;
	frame.payload = (const uint8_t *)message;
	frame.payload_len = strlen(message);
	calling = NULL;
	wire_encode(&w->out, &frame);
	flush(w);
	calling = w;
}

static bool
cancelled(void *arg)
{
	const struct worker *w = arg;

	return atomic_load_explicit(&w->page->cancel, memory_order_relaxed) ==
	       w->number;
}

/* Only so that a sleeping call returns; the function asks whether it is
 * cancelled. */
static void
on_interrupt(int sig)
{
	(void)sig;
}

static bool
prepare(struct worker *w)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	struct sigaction urge = {.sa_handler = on_urge, .sa_flags = SA_RESTART};
	const struct native_hooks hooks = {
		.progress = progress, .cancelled = cancelled, .arg = w};

	for (int fd = ENGINE_FD; fd <= ENGINE_OUT_FD; fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
			log_err("descriptor %d is not open: cadre-native is "
				"started by cadred",
				fd);
			return false;
		}
	}
	/* No SA_RESTART. */
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGURG, &urge, NULL);
	/* What a task prints must not be lost when it is killed. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	w->in_shared.fd = ENGINE_IN_FD;
	w->out_shared.fd = ENGINE_OUT_FD;
	buf_init(&w->in, SIZE_MAX);
	buf_init(&w->out, SIZE_MAX);
	buf_init(&w->fields, 1 << 24);
	buf_init(&w->pattern.fields, 1 << 24);
	w->page = mmap(NULL, sizeof(*w->page), PROT_READ | PROT_WRITE,
		       MAP_SHARED, ENGINE_PAGE_FD, 0);
	if (w->page == MAP_FAILED) {
		log_err("cannot map the shared page: %s", strerror(errno));
		return false;
	}
	w->native = native_new(&hooks);
	return w->native != NULL;
}

int
main(void)
{
	static struct worker w;
	bool sound;

	log_open("native", LOG_LEVEL_WARN);
	if (!prepare(&w))
		return 1;
	do {
		sound = read_more(&w) && handle_frames(&w);
	} while (sound && !w.lost);
	native_free(&w.native);
	buf_fini(&w.in);
	buf_fini(&w.out);
	buf_fini(&w.fields);
	buf_fini(&w.pattern.fields);
	return 0;
}
