/* SPDX-License-Identifier: MIT */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "util/error.h"

#define MEMORY_LIMIT (32U << 20) /* of held output before it is spooled */
#define PARTIAL_LIMIT (1U << 20) /* of a line before it leaves unfinished */
#define COPY_SIZE (64U << 10)

/* A piece that waits: in memory, or at an offset of the spool. */
struct chunk {
	struct chunk *next;
	int which;
	size_t len;
	off_t offset; /* in the spool, if not in memory */
	bool spooled;
	char data[];
};

struct held {
	uint64_t seq;
	bool ended;
	struct chunk *first, **last;
	UT_hash_handle hh;
};

struct output {
	bool keep_order, lines;
	uint64_t turn; /* of which task may write now */
	struct held *held;
	size_t held_bytes; /* in memory */
	size_t spooled;	   /* chunks in the spool */
	int spool;
	off_t spool_end;
};

int
output_new(bool keep_order, bool lines, struct output **ret,
	   struct cadre_error *err)
{
	struct output *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return error_nomem(err);
	o->keep_order = keep_order;
	o->lines = lines;
	o->turn = 1;
	o->spool = -1;
	*ret = o;
	return 0;
}

static void
held_free(struct output *o, struct held *h)
{
	struct chunk *c = h->first;

	while (c != NULL) {
		struct chunk *next = c->next;

		free(c);
		c = next;
	}
	HASH_DEL(o->held, h);
	free(h);
}

void
output_free(struct output **o_ptr)
{
	struct output *o = *o_ptr;
	struct held *h, *tmp;

	if (o == NULL)
		return;
	HASH_ITER (hh, o->held, h, tmp)
		held_free(o, h);
	if (o->spool >= 0)
		(void)close(o->spool);
	free(o);
	*o_ptr = NULL;
}

static int
open_spool(struct output *o, struct cadre_error *err)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];

	if (o->spool >= 0)
		return 0;
	if (dir == NULL || dir[0] == '\0')
		dir = "/tmp";
	if (snprintf(path, sizeof(path), "%s/cadre-XXXXXX", dir) >=
	    (int)sizeof(path))
		return error_set(err, CADRE_EINVAL, "TMPDIR is too long");
	o->spool = mkostemp(path, O_CLOEXEC);
	if (o->spool < 0)
		return error_sys(err, errno,
				 "cannot keep output in a file in %s", dir);
	(void)unlink(path);
	return 0;
}

static int
spool_write(struct output *o, const char *data, size_t len,
	    struct cadre_error *err)
{
	int rc = open_spool(o, err);

	while (len > 0 && rc == 0) {
		ssize_t n = pwrite(o->spool, data, len, o->spool_end);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, errno,
					 "cannot keep output that waits for "
					 "its turn in the temporary directory");
		data += n;
		len -= (size_t)n;
		o->spool_end += n;
	}
	return rc;
}

/* Gives the disk space of a chunk back. */
static void
spool_release(struct output *o, const struct chunk *c)
{
	if (--o->spooled == 0) {
		(void)!ftruncate(o->spool, 0);
		o->spool_end = 0;
		return;
	}
	(void)fallocate(o->spool, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			c->offset, (off_t)c->len);
}

static int
emit_spooled(struct output *o, const struct chunk *c, struct cadre_error *err)
{
	char data[COPY_SIZE];
	off_t at = c->offset, end = c->offset + (off_t)c->len;

	while (at < end) {
		size_t want = end - at < (off_t)sizeof(data)
				      ? (size_t)(end - at)
				      : sizeof(data);
		ssize_t n = pread(o->spool, data, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_sys(err, n < 0 ? errno : EIO,
					 "cannot read back output that was "
					 "kept for its turn");
		stream_put(c->which, data, (size_t)n);
		at += n;
	}
	spool_release(o, c);
	return 0;
}

/* Writes out all chunks of a task whose turn it is. */
static int
emit(struct output *o, struct held *h, struct cadre_error *err)
{
	while (h->first != NULL) {
		struct chunk *c = h->first;
		int rc = 0;

		if (c->spooled) {
			rc = emit_spooled(o, c, err);
		} else {
			stream_put(c->which, c->data, c->len);
			o->held_bytes -= c->len;
		}
		h->first = c->next;
		free(c);
		if (rc < 0)
			return rc;
	}
	h->last = &h->first;
	return 0;
}

static struct held *
held_find(struct output *o, uint64_t seq)
{
	struct held *h;

	HASH_FIND(hh, o->held, &seq, sizeof(seq), h);
	return h;
}

static int
held_get(struct output *o, uint64_t seq, struct held **ret,
	 struct cadre_error *err)
{
	struct held *h = held_find(o, seq);

	if (h == NULL) {
		h = calloc(1, sizeof(*h));
		if (h == NULL)
			return error_nomem(err);
		h->seq = seq;
		h->last = &h->first;
		HASH_ADD(hh, o->held, seq, sizeof(h->seq), h);
	}
	*ret = h;
	return 0;
}

static int
hold(struct output *o, uint64_t seq, int which, const char *data, size_t len,
     struct cadre_error *err)
{
	bool spooled = o->held_bytes + len > MEMORY_LIMIT;
	struct held *h;
	struct chunk *c;
	int rc = held_get(o, seq, &h, err);

	if (rc < 0)
		return rc;
	c = malloc(sizeof(*c) + (spooled ? 0 : len));
	if (c == NULL)
		return error_nomem(err);
	*c = (struct chunk){.which = which,
			    .len = len,
			    .offset = o->spool_end,
			    .spooled = spooled};
	if (spooled) {
		rc = spool_write(o, data, len, err);
		if (rc < 0) {
			free(c);
			return rc;
		}
		o->spooled++;
	} else {
		memcpy(c->data, data, len);
		o->held_bytes += len;
	}
	*h->last = c;
	h->last = &c->next;
	return 0;
}

/* Bytes as they will be seen, now or at the task's turn. */
static int
put_raw(struct output *o, uint64_t seq, int which, const char *data, size_t len,
	struct cadre_error *err)
{
	if (len == 0)
		return 0;
	if (o->keep_order && seq != o->turn)
		return hold(o, seq, which, data, len, err);
	stream_put(which, data, len);
	return 0;
}

/* With the tag before each line. */
static int
put_tagged(struct output *o, struct output_task *t, int which, const char *data,
	   size_t len, struct cadre_error *err)
{
	struct buf b;
	int rc;

	if (t->tag == NULL)
		return put_raw(o, t->seq, which, data, len, err);
	buf_init(&b, SIZE_MAX);
	while (len > 0) {
		const char *nl = memchr(data, '\n', len);
		size_t n = nl == NULL ? len : (size_t)(nl - data) + 1;

		if (!t->mid_line[which]) {
			buf_put(&b, t->tag, strlen(t->tag));
			buf_put_u8(&b, '\t');
		}
		buf_put(&b, data, n);
		t->mid_line[which] = nl == NULL;
		data += n;
		len -= n;
	}
	rc = b.error != 0 ? error_nomem(err)
			  : put_raw(o, t->seq, which, (const char *)b.data,
				    b.len, err);
	buf_fini(&b);
	return rc;
}

static int
flush_partial(struct output *o, struct output_task *t, int which,
	      struct cadre_error *err)
{
	struct buf *b = &t->partial[which];
	int rc;

	if (b->len == 0)
		return 0;
	rc = put_tagged(o, t, which, (const char *)b->data, b->len, err);
	buf_reset(b);
	return rc;
}

/* Only whole lines; the rest stays in t->partial. */
static int
put_lines(struct output *o, struct output_task *t, int which, const char *data,
	  size_t len, struct cadre_error *err)
{
	const char *nl = memrchr(data, '\n', len);
	size_t whole = nl == NULL ? 0 : (size_t)(nl - data) + 1;
	struct buf *b = &t->partial[which];
	int rc = 0;

	if (b->max == 0)
		buf_init(b, SIZE_MAX);
	if (whole > 0) {
		buf_put(b, data, whole);
		rc = flush_partial(o, t, which, err);
	}
	buf_put(b, data + whole, len - whole);
	if (b->error != 0)
		return error_nomem(err);
	if (rc == 0 && b->len > PARTIAL_LIMIT)
		rc = flush_partial(o, t, which, err);
	return rc;
}

int
output_put(struct output *o, struct output_task *t, int which, const void *data,
	   size_t len, struct cadre_error *err)
{
	if (len == 0)
		return 0;
	return o->lines ? put_lines(o, t, which, data, len, err)
			: put_tagged(o, t, which, data, len, err);
}

int
output_put_file(struct output *o, struct output_task *t, int which,
		const char *path, struct cadre_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char data[COPY_SIZE];
	ssize_t n = -1;
	int rc = 0;

	if (fd < 0)
		return error_sys(err, errno, "cannot read the output in %s",
				 path);
	while (rc == 0 && (n = read(fd, data, sizeof(data))) > 0)
		rc = output_put(o, t, which, data, (size_t)n, err);
	if (rc == 0 && n < 0)
		rc = error_sys(err, errno, "cannot read the output in %s",
			       path);
	(void)close(fd);
	return rc;
}

/* Moves the turn over all tasks that have ended. */
static int
advance(struct output *o, struct cadre_error *err)
{
	struct held *h;

	while ((h = held_find(o, o->turn)) != NULL) {
		bool ended = h->ended;
		int rc = emit(o, h, err);

		if (rc < 0)
			return rc;
		if (!ended)
			break;
		held_free(o, h);
		o->turn++;
	}
	return 0;
}

int
output_end(struct output *o, struct output_task *t, struct cadre_error *err)
{
	struct held *h;
	int rc = 0;

	for (int which = STREAM_OUT; which <= STREAM_ERR; which++) {
		if (rc == 0)
			rc = flush_partial(o, t, which, err);
		buf_fini(&t->partial[which]);
	}
	if (rc < 0 || !o->keep_order)
		return rc;
	if (t->seq != o->turn) {
		rc = held_get(o, t->seq, &h, err);
		if (rc == 0)
			h->ended = true;
		return rc;
	}
	h = held_find(o, t->seq);
	if (h != NULL)
		held_free(o, h);
	o->turn++;
	return advance(o, err);
}

static int
by_seq(const struct held *a, const struct held *b)
{
	return (a->seq > b->seq) - (a->seq < b->seq);
}

int
output_drain(struct output *o, struct cadre_error *err)
{
	struct held *h, *tmp;
	int rc = 0;

	HASH_SORT(o->held, by_seq);
	HASH_ITER (hh, o->held, h, tmp) {
		if (rc == 0)
			rc = emit(o, h, err);
		held_free(o, h);
	}
	return rc;
}
