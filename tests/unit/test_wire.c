/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <cadre/error.h>
#include <cadre/task.h>

#include "util/buf.h"
#include "wire/message.h"
#include "wire/wire.h"

#define BIG (1u << 20)

/* A buffer with the frame of that type, fields and payload. */
static struct buf
encoded(uint16_t type, uint8_t code, const struct buf *fields,
	const char *payload)
{
	struct wire_frame frame = {
		.type = type,
		.code = code,
		.task = UINT64_C(0x0102030405060708),
		.attempt = 2,
		.slot = 3,
		.incarnation = 4,
		.worker = 5,
		.fields = fields->data,
		.fields_len = fields->len,
		.payload = (const uint8_t *)payload,
		.payload_len = payload == NULL ? 0 : strlen(payload),
	};
	struct buf b;

	buf_init(&b, BIG);
	wire_encode(&b, &frame);
	assert_int_equal(b.error, 0);
	return b;
}

/* Data that suits a tag. */
static void
put_example(struct buf *fields, uint16_t tag)
{
	const struct message_tag *t = message_find_tag(tag);
	uint8_t bytes[64] = "example";

	if (t->kind == WIRE_U64)
		wire_put_u64(fields, tag, 7);
	else
		wire_put_bytes(fields, tag, bytes, t->exact ? t->exact : 7);
}

static struct buf
required_fields(const struct message *m)
{
	struct buf fields;

	buf_init(&fields, BIG);
	for (uint16_t tag = 0; tag < MESSAGE_TAGS; tag++)
		if ((m->required & MESSAGE_BIT(tag)) != 0)
			put_example(&fields, tag);
	return fields;
}

static uint8_t
some_code(const struct message *m)
{
	uint8_t code = 0;

	while ((m->codes >> code & 1) == 0)
		code++;
	return code;
}

/* The result of decoding a frame of that type with those fields (freed). */
static int
decode_fields(uint16_t type, struct buf *fields)
{
	struct buf b = encoded(type, some_code(message_find(type)), fields, "");
	struct wire_frame frame;
	int rc = wire_decode(b.data, b.len, &frame, NULL);

	buf_fini(&b);
	buf_fini(fields);
	return rc;
}

static struct buf
task_fields(void)
{
	struct buf fields;

	buf_init(&fields, BIG);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_str(&fields, WIRE_TAG_FUNCTION, "energy");
	return fields;
}

static void
layout_is_as_specified(void **state)
{
	static const uint8_t expected[] = {
		/* header */
		77, 0, 0, 0, 0, 0, 0, 0, /* length without padding */
		16, 0, 0, 0,		 /* TASK, flags, code */
		32, 0, 0, 0,		 /* fields */
		8, 7, 6, 5, 4, 3, 2, 1,	 /* task */
		2, 0, 0, 0,		 /* attempt */
		3, 0, 0, 0,		 /* slot */
		4, 0, 0, 0,		 /* incarnation */
		5, 0, 0, 0,		 /* worker */
		/* ENGINE */
		32, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
		/* FUNCTION */
		49, 0, 0, 0, 6, 0, 0, 0, 'e', 'n', 'e', 'r', 'g', 'y', 0, 0,
		/* payload and padding */
		'v', 'a', 'l', 'u', 'e', 0, 0, 0};
	struct buf fields = task_fields();
	struct buf b = encoded(WIRE_TASK, 0, &fields, "value");

	(void)state;
	assert_int_equal(b.len, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));
	buf_fini(&b);
	buf_fini(&fields);
}

static void
frames_come_back(void **state)
{
	struct buf fields = task_fields();
	struct buf b = encoded(WIRE_TASK, 0, &fields, "value");
	struct wire_frame f;
	uint64_t size = 0;

	(void)state;
	assert_int_equal(wire_peek(b.data, b.len, BIG, &size), 0);
	assert_int_equal(size, b.len);
	/* With and without the padding at its end. */
	assert_int_equal(wire_decode(b.data, b.len - 3, &f, NULL), 0);
	assert_int_equal(wire_decode(b.data, b.len, &f, NULL), 0);
	assert_int_equal(f.type, WIRE_TASK);
	assert_int_equal(f.task, UINT64_C(0x0102030405060708));
	assert_int_equal(f.attempt, 2);
	assert_int_equal(f.slot, 3);
	assert_int_equal(f.incarnation, 4);
	assert_int_equal(f.worker, 5);
	assert_int_equal(f.fields_len, fields.len);
	assert_memory_equal(f.fields, fields.data, fields.len);
	assert_int_equal(f.payload_len, 5);
	assert_memory_equal(f.payload, "value", 5);
	assert_null(f.owner);
	buf_fini(&b);
	buf_fini(&fields);
}

static void
fields_are_found(void **state)
{
	struct buf fields;
	struct wire_frame f = {.type = WIRE_SUBMIT};
	struct wire_field field;
	size_t pos = 0, n = 0;
	char *s;

	(void)state;
	buf_init(&fields, BIG);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_COMMAND);
	wire_put_str(&fields, WIRE_TAG_ARGV, "echo");
	wire_put_str(&fields, WIRE_TAG_ARGV, "");
	wire_put_str(&fields, WIRE_TAG_ARGV | WIRE_MUST_UNDERSTAND, "12345678");
	f.fields = fields.data;
	f.fields_len = fields.len;
	assert_int_equal(wire_u64(&f, WIRE_TAG_ENGINE, 9), 1);
	assert_int_equal(wire_u64(&f, WIRE_TAG_CORES, 9), 9);
	assert_null(wire_str(&f, WIRE_TAG_CWD));
	s = wire_str(&f, WIRE_TAG_ARGV);
	assert_string_equal(s, "echo");
	free(s);
	while (wire_next(&f, &pos, &field))
		n += field.tag == WIRE_TAG_ARGV ? field.len : 100;
	assert_int_equal(n, 112);
	assert_int_equal(pos, fields.len);
	assert_true(wire_find(&f, WIRE_TAG_ARGV, &field));
	assert_int_equal(field.len, 4);
	buf_fini(&fields);
}

static void
every_truncation_is_refused(void **state)
{
	struct buf fields = task_fields();
	struct buf b = encoded(WIRE_TASK, 0, &fields, "value");
	struct wire_frame f;

	(void)state;
	for (size_t len = 0; len < b.len; len++) {
		/* A copy of that size, so that sanitizers see overruns. */
		uint8_t *part = malloc(len + 1);
		int rc;

		memcpy(part, b.data, len);
		part = realloc(part, len ? len : 1);
		rc = wire_decode(part, len, &f, NULL);
		assert_int_equal(rc, len == b.len - 3 ? 0 : CADRE_EPROTO);
		rc = wire_decode_head(part, len, &f, NULL);
		assert_int_equal(rc, len < 72 ? CADRE_EAGAIN : 0);
		free(part);
	}
	buf_put_u8(&b, 0);
	assert_int_equal(wire_decode(b.data, b.len, &f, NULL), CADRE_EPROTO);
	buf_fini(&b);
	buf_fini(&fields);
}

static void
every_padding_byte_must_be_zero(void **state)
{
	/* Zero bytes after tags, padding of FUNCTION, padding of the frame. */
	static const size_t at[] = {42, 43, 58, 59, 70, 71, 77, 78, 79};
	struct buf fields = task_fields();
	struct buf b = encoded(WIRE_TASK, 0, &fields, "value");
	struct wire_frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct cadre_error err = CADRE_ERROR_INIT;

		b.data[at[i]] ^= 1;
		assert_int_equal(wire_decode(b.data, b.len, &f, &err),
				 CADRE_EPROTO);
		assert_true(strlen(err.text) > 0);
		b.data[at[i]] ^= 1;
	}
	assert_int_equal(wire_decode(b.data, b.len, &f, NULL), 0);
	buf_fini(&b);
	buf_fini(&fields);
}

static void
every_message_takes_its_fields_only(void **state)
{
	size_t known = 0;

	(void)state;
	for (uint16_t type = 0; type < MESSAGE_TYPES; type++) {
		const struct message *m = message_find(type);

		if (m == NULL)
			continue;
		known++;
		assert_true((m->required & ~m->fields) == 0);
		for (uint16_t tag = 0; tag < MESSAGE_TAGS; tag++) {
			struct buf fields = required_fields(m);
			bool required = (m->required & MESSAGE_BIT(tag)) != 0;
			bool allowed = (m->fields & MESSAGE_BIT(tag)) != 0;
			const struct message_tag *t = message_find_tag(tag);

			if (t == NULL) {
				assert_false(allowed);
				wire_put_str(&fields, tag, "from the future");
				allowed = true;
			} else {
				put_example(&fields, tag);
				allowed = allowed && (!required || t->repeated);
			}
			assert_int_equal(decode_fields(type, &fields),
					 allowed ? 0 : CADRE_EPROTO);
		}
	}
	assert_int_equal(known, 33);
}

static void
required_fields_must_be_there(void **state)
{
	(void)state;
	for (uint16_t type = 0; type < MESSAGE_TYPES; type++) {
		const struct message *m = message_find(type);
		struct buf none;

		if (m == NULL)
			continue;
		buf_init(&none, BIG);
		assert_int_equal(decode_fields(type, &none),
				 m->required ? CADRE_EPROTO : 0);
	}
}

static void
every_tag_checks_its_data(void **state)
{
	(void)state;
	for (uint16_t tag = 0; tag < MESSAGE_TAGS; tag++) {
		const struct message_tag *t = message_find_tag(tag);
		uint16_t type = 0;
		struct buf fields;
		int rc;

		if (t == NULL)
			continue;
		/* Some message that may carry it. */
		while (message_find(type) == NULL ||
		       (message_find(type)->fields & MESSAGE_BIT(tag)) == 0)
			assert_true(++type < MESSAGE_TYPES);
		for (size_t len = 0; len < 40; len++) {
			uint8_t zeros[40] = {0};
			struct buf b;

			/* Required ones before it, but not twice. */
			buf_init(&b, BIG);
			for (uint16_t r = 0; r < MESSAGE_TAGS; r++)
				if (r != tag && (message_find(type)->required &
						 MESSAGE_BIT(r)) != 0)
					put_example(&b, r);
			wire_put_bytes(&b, tag, zeros, len);
			rc = decode_fields(type, &b);
			if (t->exact != 0)
				assert_int_equal(
					rc, len == t->exact ? 0 : CADRE_EPROTO);
			else if (t->kind == WIRE_STR)
				assert_int_equal(rc,
						 len == 0 ? 0 : CADRE_EPROTO);
			else
				assert_int_equal(rc, 0);
		}
		assert_true(t->kind != WIRE_U64 || t->exact == 8);
		fields = required_fields(message_find(type));
		put_example(&fields, tag);
		put_example(&fields, tag);
		rc = decode_fields(type, &fields);
		assert_int_equal(rc, t->repeated ? 0 : CADRE_EPROTO);
	}
}

static void
unknown_tags_are_skipped_unless_needed(void **state)
{
	static const uint16_t unknown[] = {0, 18, 127, 128, 0x7fff};

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct buf fields = task_fields();

		wire_put_bytes(&fields, unknown[i], "\0\1", 2);
		assert_int_equal(decode_fields(WIRE_TASK, &fields), 0);
		fields = task_fields();
		wire_put_bytes(&fields, unknown[i] | WIRE_MUST_UNDERSTAND,
			       "\0\1", 2);
		assert_int_equal(decode_fields(WIRE_TASK, &fields),
				 CADRE_EPROTO);
	}
}

static void
hostile_field_lengths_are_refused(void **state)
{
	static const uint32_t lengths[] = {
		9, 24, 25, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
	struct wire_frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct buf fields = task_fields();
		struct buf b = encoded(WIRE_TASK, 0, &fields, NULL);

		store_u32(b.data + 60, lengths[i]);
		assert_int_equal(wire_decode(b.data, b.len, &f, NULL),
				 CADRE_EPROTO);
		buf_fini(&b);
		buf_fini(&fields);
	}
}

static void
hostile_headers_are_refused(void **state)
{
	static const uint64_t lengths[] = {
		0, 39, 41, 73, 1u << 30, WIRE_MAX_FRAME + 1, ~0ull, ~7ull};
	static const uint32_t fields_lens[] = {1,  31,	       40,
					       33, 0x7ffffff8, 0xfffffff8};
	struct buf fields = task_fields();
	struct buf b = encoded(WIRE_TASK, 0, &fields, NULL);
	struct wire_frame f;
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		store_u64(b.data, lengths[i]);
		assert_int_equal(wire_decode(b.data, b.len, &f, NULL),
				 CADRE_EPROTO);
	}
	store_u64(b.data, b.len);
	for (size_t i = 0; i < sizeof(fields_lens) / sizeof(fields_lens[0]);
	     i++) {
		store_u32(b.data + 12, fields_lens[i]);
		assert_int_equal(wire_decode(b.data, b.len, &f, NULL),
				 CADRE_EPROTO);
	}
	store_u32(b.data + 12, (uint32_t)fields.len);
	assert_int_equal(wire_decode(b.data, b.len, &f, NULL), 0);

	assert_int_equal(wire_peek(b.data, 39, BIG, &size), CADRE_EAGAIN);
	assert_int_equal(wire_peek(b.data, 40, 71, &size), CADRE_ETOOBIG);
	assert_int_equal(wire_peek(b.data, 40, 72, &size), 0);
	store_u64(b.data, 39);
	assert_int_equal(wire_peek(b.data, 40, BIG, &size), CADRE_EPROTO);
	store_u64(b.data, ~0ull);
	assert_int_equal(wire_peek(b.data, 40, ~0ull, &size), CADRE_ETOOBIG);
	buf_fini(&b);
	buf_fini(&fields);
}

static void
unknown_types_flags_and_codes_are_refused(void **state)
{
	const unsigned int flags =
		WIRE_IDEMPOTENT | WIRE_WINDOW | WIRE_OUTPUT_WANTED;
	struct buf fields = task_fields();
	struct wire_frame f;

	(void)state;
	for (uint32_t type = 0; type <= UINT16_MAX; type++) {
		struct buf b;

		if (message_find((uint16_t)type) != NULL)
			continue;
		b = encoded((uint16_t)type, 0, &fields, NULL);
		assert_int_equal(wire_decode(b.data, b.len, &f, NULL),
				 CADRE_EPROTO);
		buf_fini(&b);
	}
	for (unsigned int x = 0; x < 256; x++) {
		struct buf b = encoded(WIRE_TASK, (uint8_t)x, &fields, NULL);
		bool good = (x | flags) == flags;

		assert_int_equal(wire_decode(b.data, b.len, &f, NULL),
				 x == 0 ? 0 : CADRE_EPROTO);
		b.data[11] = 0;
		b.data[10] = (uint8_t)x;
		assert_int_equal(wire_decode(b.data, b.len, &f, NULL),
				 good ? 0 : CADRE_EPROTO);
		buf_fini(&b);
	}
	buf_fini(&fields);
}

static void
results_carry_outcomes(void **state)
{
	static const uint8_t outcomes[] = {0, 1, 2, 3, 5, 7, 19, 20};
	struct buf none;
	struct wire_frame f;

	(void)state;
	buf_init(&none, BIG);
	for (unsigned int code = 0; code < 256; code++) {
		struct buf b = encoded(WIRE_RESULT, (uint8_t)code, &none, "");
		bool good =
			memchr(outcomes, (int)code, sizeof(outcomes)) != NULL;

		assert_int_equal(wire_decode(b.data, b.len, &f, NULL),
				 good ? 0 : CADRE_EPROTO);
		buf_fini(&b);
	}
}

static void
heads_announce_their_payload(void **state)
{
	struct buf fields = task_fields();
	struct wire_frame f = {.type = WIRE_TASK,
			       .fields = fields.data,
			       .fields_len = fields.len,
			       .payload_len = 1000001};
	struct wire_frame g;
	uint64_t size = 0;
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	assert_int_equal(wire_encode_head(&b, &f), 7);
	assert_int_equal(b.len, WIRE_HEADER + fields.len);
	assert_int_equal(wire_peek(b.data, b.len, 2000000, &size), 0);
	assert_int_equal(size, b.len + 1000008);
	assert_int_equal(wire_decode_head(b.data, b.len, &g, NULL), 0);
	assert_int_equal(g.payload_len, 1000001);
	assert_null(g.payload);
	assert_int_equal(wire_u64(&g, WIRE_TAG_ENGINE, 0), WIRE_ENGINE_NATIVE);
	b.data[40] = 255;
	b.data[41] = 255;
	assert_int_equal(wire_decode_head(b.data, b.len, &g, NULL),
			 CADRE_EPROTO);
	buf_fini(&b);
	buf_fini(&fields);
}

static void
too_big_is_an_error_of_the_buffer(void **state)
{
	struct wire_frame f = {.type = WIRE_HEARTBEAT};
	struct buf b;

	(void)state;
	buf_init(&b, 79);
	wire_encode(&b, &f);
	assert_int_equal(b.error, 0);
	wire_encode(&b, &f);
	assert_int_equal(b.error, CADRE_ETOOBIG);
	assert_int_equal(b.len, 40);
	buf_reset(&b);
	f.payload_len = SIZE_MAX;
	wire_encode(&b, &f);
	assert_int_equal(b.error, CADRE_ETOOBIG);
	buf_reset(&b);
	f.payload_len = WIRE_MAX_FRAME;
	assert_int_equal(wire_encode_head(&b, &f), 0);
	assert_int_equal(b.error, CADRE_ETOOBIG);
	buf_reset(&b);
	wire_put_bytes(&b, WIRE_TAG_PROOF, "", (size_t)UINT32_MAX + 1);
	assert_int_equal(b.error, CADRE_ETOOBIG);
	buf_fini(&b);
}

static void
roles_send_what_is_theirs(void **state)
{
	(void)state;
	assert_true(wire_allowed(WIRE_ROLE_DISPATCHER, WIRE_TASK));
	assert_false(wire_allowed(WIRE_ROLE_DAEMON, WIRE_TASK));
	assert_false(wire_allowed(WIRE_ROLE_HOST, WIRE_TASK));
	assert_true(wire_allowed(WIRE_ROLE_DAEMON, WIRE_RESULT));
	assert_false(wire_allowed(WIRE_ROLE_HOST, WIRE_RESULT));
	assert_true(wire_allowed(WIRE_ROLE_HOST, WIRE_SUBMIT));
	assert_false(wire_allowed(WIRE_ROLE_DAEMON, WIRE_SUBMIT));
	assert_true(wire_allowed(WIRE_ROLE_HOST, WIRE_CANCEL));
	assert_false(wire_allowed(WIRE_ROLE_DAEMON, WIRE_CANCEL));
	assert_true(wire_allowed(WIRE_ROLE_DAEMON, WIRE_OUTPUT));
	assert_true(wire_allowed(WIRE_ROLE_DISPATCHER, WIRE_OUTPUT));
	for (unsigned int role = WIRE_ROLE_DISPATCHER; role <= WIRE_ROLE_HOST;
	     role++) {
		assert_true(wire_allowed(role, WIRE_HEARTBEAT));
		assert_false(wire_allowed(role, WIRE_HELLO));
		assert_false(wire_allowed(role, WIRE_SPAWN));
		assert_false(wire_allowed(role, 0));
		assert_false(wire_allowed(role, UINT16_MAX));
	}
}

static void
types_have_names(void **state)
{
	(void)state;
	assert_string_equal(wire_type_name(WIRE_HELLO), "HELLO");
	assert_string_equal(wire_type_name(WIRE_KILL), "KILL");
	assert_string_equal(wire_type_name(0), "?");
	assert_string_equal(wire_type_name(UINT16_MAX), "?");
}

/* The text of PROTOCOL.md, owned. */
static char *
protocol_text(void)
{
	const char *top = getenv("CADRE_SRCDIR");
	char path[4096];
	char *text = calloc(1, 1u << 20);
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/PROTOCOL.md",
		       top == NULL ? "." : top);
	f = fopen(path, "re");
	if (f == NULL)
		fail_msg("%s is not there; set CADRE_SRCDIR", path);
	assert_true(fread(text, 1, (1u << 20) - 1, f) > 1000);
	(void)fclose(f);
	return text;
}

static void
has_row(const char *text, const char *row)
{
	if (strstr(text, row) == NULL)
		fail_msg("PROTOCOL.md has no row that begins: %s", row);
}

static void
the_specification_has_the_same_tables(void **state)
{
	static const char *const kinds[] = {[WIRE_U64] = "u64",
					    [WIRE_STR] = "text",
					    [WIRE_BYTES] = "bytes"};
	char *text = protocol_text();
	char *fields = strstr(text, "## 2. Fields");
	char *messages = strstr(text, "## 3. Messages");
	char row[128];

	(void)state;
	assert_non_null(fields);
	assert_non_null(messages);
	messages[-1] = '\0';
	for (uint16_t type = 0; type < MESSAGE_TYPES; type++) {
		const struct message *m = message_find(type);

		if (m == NULL)
			continue;
		(void)snprintf(row, sizeof(row), "\n| %u | %s | ", type,
			       m->name);
		has_row(messages, row);
	}
	for (uint16_t tag = 0; tag < MESSAGE_TAGS; tag++) {
		const struct message_tag *t = message_find_tag(tag);
		char length[16] = "any";
		const char *at;

		if (t == NULL)
			continue;
		if (t->exact != 0)
			(void)snprintf(length, sizeof(length), "%u", t->exact);
		/* A name comes between, which only the header knows. */
		(void)snprintf(row, sizeof(row), "\n| %u | ", tag);
		has_row(fields, row);
		at = strchr(strstr(fields, row) + strlen(row), '|');
		(void)snprintf(row, sizeof(row), "| %s | %s | %s|",
			       kinds[t->kind], length,
			       t->repeated ? "many " : "");
		if (strncmp(at, row, strlen(row)) != 0)
			fail_msg("PROTOCOL.md: tag %u is not %s", tag, row);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_is_as_specified),
		cmocka_unit_test(frames_come_back),
		cmocka_unit_test(fields_are_found),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_padding_byte_must_be_zero),
		cmocka_unit_test(every_message_takes_its_fields_only),
		cmocka_unit_test(required_fields_must_be_there),
		cmocka_unit_test(every_tag_checks_its_data),
		cmocka_unit_test(unknown_tags_are_skipped_unless_needed),
		cmocka_unit_test(hostile_field_lengths_are_refused),
		cmocka_unit_test(hostile_headers_are_refused),
		cmocka_unit_test(unknown_types_flags_and_codes_are_refused),
		cmocka_unit_test(results_carry_outcomes),
		cmocka_unit_test(heads_announce_their_payload),
		cmocka_unit_test(too_big_is_an_error_of_the_buffer),
		cmocka_unit_test(roles_send_what_is_theirs),
		cmocka_unit_test(types_have_names),
		cmocka_unit_test(the_specification_has_the_same_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
