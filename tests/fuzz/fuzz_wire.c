/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <cadre/error.h>

#include "fuzz.h"
#include "util/buf.h"
#include "wire/message.h"
#include "wire/wire.h"

/* Every field lies within the frame and is what its tag says. */
static void
walk(const struct wire_frame *frame)
{
	struct wire_field field;
	size_t pos = 0;

	while (wire_next(frame, &pos, &field)) {
		const struct message_tag *tag = message_find_tag(field.tag);

		FUZZ_HOLDS(field.data >= frame->fields);
		FUZZ_HOLDS(field.data + field.len <=
			   frame->fields + frame->fields_len);
		FUZZ_HOLDS(tag == NULL || tag->exact == 0 ||
			   tag->exact == field.len);
		if (tag != NULL && tag->kind == WIRE_STR) {
			char *s = wire_str(frame, field.tag);

			FUZZ_HOLDS(s != NULL);
			free(s);
		}
	}
	FUZZ_HOLDS(pos == frame->fields_len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct wire_frame frame, head;
	uint64_t size = 0;
	struct buf b;
	int rc;

	fuzz_count_reset();
	rc = wire_decode(data, len, &frame, &err);
	FUZZ_HOLDS(rc == 0 || rc == CADRE_EPROTO);
	FUZZ_HOLDS(err.code == rc);
	FUZZ_HOLDS(fuzz_count() == 0);
	rc = wire_decode_head(data, len, &head, NULL);
	if (err.code != 0)
		return 0;
	FUZZ_HOLDS(rc == 0);
	FUZZ_HOLDS(head.payload_len == frame.payload_len);
	FUZZ_HOLDS(wire_peek(data, len, UINT64_MAX, &size) == 0);
	FUZZ_HOLDS(size >= len && size < len + 8);
	walk(&frame);
	/* There is one encoding of each frame. */
	buf_init(&b, SIZE_MAX);
	wire_encode(&b, &frame);
	FUZZ_HOLDS(b.error == 0 && b.len == size);
	FUZZ_HOLDS(memcmp(b.data, data, len) == 0);
	FUZZ_HOLDS(wire_decode(b.data, b.len, &head, NULL) == 0);
	buf_fini(&b);
	return 0;
}
