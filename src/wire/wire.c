/* SPDX-License-Identifier: MIT */
#include "wire/wire.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "wire/message.h"

/* The header as it is on the wire: naturally aligned, little-endian. */
struct header {
	uint64_t length;
	uint16_t type;
	uint8_t flags;
	uint8_t code;
	uint32_t fields_len;
	uint64_t task;
	uint32_t attempt;
	uint32_t slot;
	uint32_t incarnation;
	uint32_t worker;
};

_Static_assert(sizeof(struct header) == WIRE_HEADER, "header has holes");

#define FIELD_HEAD 8u

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static size_t
padding(uint64_t n)
{
	return (size_t)(WIRE_ALIGN(n) - n);
}

int
wire_peek(const void *data, size_t len, uint64_t max, uint64_t *ret_size)
{
	uint64_t length;

	if (len < WIRE_HEADER)
		return CADRE_EAGAIN;
	memcpy(&length, data, sizeof(length));
	length = le64toh(length);
	if (length < WIRE_HEADER)
		return CADRE_EPROTO;
	if (length > max || length > WIRE_MAX_FRAME)
		return CADRE_ETOOBIG;
	*ret_size = WIRE_ALIGN(length);
	return 0;
}

/* The head of a field: tag, 16 zero bits, length. */
static uint64_t
field_head(const uint8_t *p)
{
	uint64_t head;

	memcpy(&head, p, sizeof(head));
	return le64toh(head);
}

/* One field at *pos of a run of fields, with its head; false at its end or if
 * what is there is no whole field (then *pos stays before the end). */
static inline bool
field_next(const uint8_t *fields, size_t len, size_t *pos, uint64_t *ret_head,
	   struct wire_field *ret)
{
	uint64_t head, size, step;

	if (len - *pos < FIELD_HEAD)
		return false;
	fields += *pos;
	head = field_head(fields);
	size = head >> 32;
	step = FIELD_HEAD + WIRE_ALIGN(size);
	if (step > len - *pos)
		return false;
	ret->tag = (uint16_t)(head & ~WIRE_MUST_UNDERSTAND);
	ret->data = fields + FIELD_HEAD;
	ret->len = (size_t)size;
	*ret_head = head;
	*pos += (size_t)step;
	return true;
}

/* Whether the bytes after the data of a field are zero. */
static inline bool
field_padded(const struct wire_field *f)
{
	size_t used = f->len % 8;

	return used == 0 ||
	       field_head(f->data + f->len - used) >> (8 * used) == 0;
}

static int
field_check(const struct wire_field *f, const struct message_tag *tag,
	    const struct message *m, struct cadre_error *err)
{
	if (tag->exact != 0 && f->len != tag->exact)
		return error_set(err, CADRE_EPROTO,
				 "%s: field %u has %zu bytes instead of %u",
				 m->name, f->tag, f->len, tag->exact);
	if (tag->kind == WIRE_STR && memchr(f->data, 0, f->len) != NULL)
		return error_set(err, CADRE_EPROTO, "%s: NUL in field %u",
				 m->name, f->tag);
	return 0;
}

/* Checks the form of one field and what the tables say of it. */
static int
field_accept(const struct wire_field *f, uint64_t head, const struct message *m,
	     message_tags *seen, struct cadre_error *err)
{
	const struct message_tag *tag = message_find_tag(f->tag);
	message_tags bit;

	if ((head >> 16 & UINT16_MAX) != 0 || !field_padded(f))
		return error_set(err, CADRE_EPROTO,
				 "%s: padding of field %u is not zero", m->name,
				 f->tag);
	if (tag == NULL) {
		if ((head & WIRE_MUST_UNDERSTAND) == 0)
			return 0;
		return error_set(err, CADRE_EPROTO,
				 "%s: the peer needs field %u, which this "
				 "version does not know",
				 m->name, f->tag);
	}
	bit = MESSAGE_BIT(f->tag);
	if ((m->fields & bit) == 0)
		return error_set(err, CADRE_EPROTO,
				 "%s: field %u does not belong there", m->name,
				 f->tag);
	if ((*seen & bit) != 0 && !tag->repeated)
		return error_set(err, CADRE_EPROTO, "%s: field %u comes twice",
				 m->name, f->tag);
	*seen |= bit;
	return field_check(f, tag, m, err);
}

static int
fields_check(const struct wire_frame *frame, const struct message *m,
	     struct cadre_error *err)
{
	message_tags seen = 0;
	struct wire_field f;
	uint64_t head;
	size_t pos = 0;

	while (field_next(frame->fields, frame->fields_len, &pos, &head, &f)) {
		int rc = field_accept(&f, head, m, &seen, err);

		if (rc < 0)
			return rc;
	}
	if (pos != frame->fields_len)
		return error_set(err, CADRE_EPROTO, "%s: a field is cut off",
				 m->name);
	if ((m->required & ~seen) != 0)
		return error_set(err, CADRE_EPROTO,
				 "%s: a required field is missing", m->name);
	return 0;
}

static int
frame_check(const struct wire_frame *frame, struct cadre_error *err)
{
	const struct message *m = message_find(frame->type);

	if (m == NULL)
		return error_set(err, CADRE_EPROTO,
				 "frame of unknown type %u; is the peer a "
				 "cadre of the same version?",
				 frame->type);
	if ((frame->flags & ~m->flags) != 0)
		return error_set(err, CADRE_EPROTO, "%s: unknown flags 0x%x",
				 m->name, frame->flags);
	if (m->codes != MESSAGE_ANY_CODE &&
	    (frame->code > 63 || (m->codes >> frame->code & 1) == 0))
		return error_set(err, CADRE_EPROTO, "%s: unknown code %u",
				 m->name, frame->code);
	return fields_check(frame, m, err);
}

/* Fills in all but the payload; *ret_length is that of the frame. */
static int
head_parse(const uint8_t *p, size_t len, struct wire_frame *ret_frame,
	   uint64_t *ret_length, struct cadre_error *err)
{
	struct header h;

	if (len < WIRE_HEADER)
		return CADRE_EAGAIN;
	memcpy(&h, p, sizeof(h));
	*ret_length = le64toh(h.length);
	h.fields_len = le32toh(h.fields_len);
	if (*ret_length > WIRE_MAX_FRAME ||
	    *ret_length < (uint64_t)WIRE_HEADER + h.fields_len ||
	    h.fields_len % 8 != 0)
		return error_set(err, CADRE_EPROTO,
				 "the lengths in a frame's header contradict "
				 "each other");
	if (len - WIRE_HEADER < h.fields_len)
		return CADRE_EAGAIN;
	*ret_frame = (struct wire_frame){
		.type = le16toh(h.type),
		.flags = h.flags,
		.code = h.code,
		.task = le64toh(h.task),
		.attempt = le32toh(h.attempt),
		.slot = le32toh(h.slot),
		.incarnation = le32toh(h.incarnation),
		.worker = le32toh(h.worker),
		.fields = p + WIRE_HEADER,
		.fields_len = h.fields_len,
		.payload_len =
			(size_t)(*ret_length - WIRE_HEADER - h.fields_len),
	};
	return 0;
}

int
wire_decode_head(const void *data, size_t len, struct wire_frame *ret_frame,
		 struct cadre_error *err)
{
	struct wire_frame frame;
	uint64_t length;
	int rc;

	rc = head_parse(data, len, &frame, &length, err);
	if (rc < 0)
		return rc;
	rc = frame_check(&frame, err);
	if (rc == 0)
		*ret_frame = frame;
	return rc;
}

int
wire_decode(const void *data, size_t len, struct wire_frame *ret_frame,
	    struct cadre_error *err)
{
	const uint8_t *p = data;
	struct wire_frame frame;
	uint64_t length;
	int rc;

	rc = head_parse(p, len, &frame, &length, err);
	if (rc == CADRE_EAGAIN)
		return error_set(err, CADRE_EPROTO, "a frame is cut off");
	if (rc < 0)
		return rc;
	if (len != length && len != WIRE_ALIGN(length))
		return error_set(err, CADRE_EPROTO,
				 "a frame of %llu bytes came in %zu bytes",
				 (unsigned long long)length, len);
	if (!all_zero(p + length, len - (size_t)length))
		return error_set(err, CADRE_EPROTO,
				 "padding after a frame is not zero");
	rc = frame_check(&frame, err);
	if (rc < 0)
		return rc;
	frame.payload = frame.fields + frame.fields_len;
	*ret_frame = frame;
	return 0;
}

static uint64_t
frame_length(const struct wire_frame *f)
{
	return (uint64_t)WIRE_HEADER + f->fields_len + f->payload_len;
}

/* Writes header and fields to p, which has room for them. */
static uint8_t *
head_write(uint8_t *p, const struct wire_frame *f)
{
	struct header h = {
		.length = htole64(frame_length(f)),
		.type = htole16(f->type),
		.flags = f->flags,
		.code = f->code,
		.fields_len = htole32((uint32_t)f->fields_len),
		.task = htole64(f->task),
		.attempt = htole32(f->attempt),
		.slot = htole32(f->slot),
		.incarnation = htole32(f->incarnation),
		.worker = htole32(f->worker),
	};

	memcpy(p, &h, sizeof(h));
	p += sizeof(h);
	if (f->fields_len > 0)
		memcpy(p, f->fields, f->fields_len);
	return p + f->fields_len;
}

/* Room for n bytes of a frame; NULL with b's error set if the frame cannot be
 * sent. */
static uint8_t *
frame_reserve(struct buf *b, const struct wire_frame *f, uint64_t n)
{
	if (b->error == 0 &&
	    (f->fields_len > UINT32_MAX || f->payload_len > WIRE_MAX_FRAME ||
	     frame_length(f) > WIRE_MAX_FRAME || n > SIZE_MAX))
		b->error = CADRE_ETOOBIG;
	return buf_reserve(b, (size_t)n);
}

void
wire_encode(struct buf *b, const struct wire_frame *frame)
{
	uint64_t size = WIRE_ALIGN(frame_length(frame));
	uint8_t *p = frame_reserve(b, frame, size);

	if (p == NULL)
		return;
	/* The padding first: it lies within the last 8 bytes. */
	memset(p + size - 8, 0, 8);
	p = head_write(p, frame);
	if (frame->payload_len > 0)
		memcpy(p, frame->payload, frame->payload_len);
	buf_commit(b, (size_t)size);
}

size_t
wire_encode_head(struct buf *b, const struct wire_frame *frame)
{
	uint8_t *p = frame_reserve(b, frame, WIRE_HEADER + frame->fields_len);

	if (p == NULL)
		return 0;
	(void)head_write(p, frame);
	buf_commit(b, WIRE_HEADER + frame->fields_len);
	return padding(frame->payload_len);
}

/* The head of a field; returns where its data goes, padded with zeros. */
static uint8_t *
field_begin(struct buf *b, uint16_t tag, size_t len)
{
	size_t size;
	uint8_t *p;

	if (b->error == 0 && len > UINT32_MAX)
		b->error = CADRE_ETOOBIG;
	if (b->error != 0)
		return NULL;
	size = FIELD_HEAD + (size_t)WIRE_ALIGN(len);
	p = buf_reserve(b, size);
	if (p == NULL)
		return NULL;
	memset(p + size - 8, 0, 8);
	store_u16(p, tag);
	store_u16(p + 2, 0);
	store_u32(p + 4, (uint32_t)len);
	buf_commit(b, size);
	return p + FIELD_HEAD;
}

void
wire_put_u64(struct buf *b, uint16_t tag, uint64_t x)
{
	uint8_t *p = field_begin(b, tag, sizeof(x));

	if (p != NULL)
		store_u64(p, x);
}

void
wire_put_str(struct buf *b, uint16_t tag, const char *s)
{
	wire_put_bytes(b, tag, s, strlen(s));
}

void
wire_put_bytes(struct buf *b, uint16_t tag, const void *data, size_t len)
{
	uint8_t *p = field_begin(b, tag, len);

	if (p != NULL && len > 0)
		memcpy(p, data, len);
}

bool
wire_next(const struct wire_frame *frame, size_t *pos,
	  struct wire_field *ret_field)
{
	uint64_t head;

	return field_next(frame->fields, frame->fields_len, pos, &head,
			  ret_field);
}

bool
wire_find(const struct wire_frame *frame, uint16_t tag,
	  struct wire_field *ret_field)
{
	struct wire_field f;
	size_t pos = 0;

	while (wire_next(frame, &pos, &f)) {
		if (f.tag != tag)
			continue;
		*ret_field = f;
		return true;
	}
	return false;
}

uint64_t
wire_u64(const struct wire_frame *frame, uint16_t tag, uint64_t missing)
{
	struct wire_field f;

	return wire_find(frame, tag, &f) ? wire_field_u64(&f) : missing;
}

uint64_t
wire_field_u64(const struct wire_field *field)
{
	return field->len == 8 ? load_u64(field->data) : 0;
}

char *
wire_str(const struct wire_frame *frame, uint16_t tag)
{
	struct wire_field f;

	if (!wire_find(frame, tag, &f))
		return NULL;
	return strndup((const char *)f.data, f.len);
}

const char *
wire_type_name(uint16_t type)
{
	const struct message *m = message_find(type);

	return m == NULL ? "?" : m->name;
}

bool
wire_allowed(enum wire_role sender, uint16_t type)
{
	const struct message *m = message_find(type);

	return m != NULL && (m->senders >> sender & 1) != 0;
}
