/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <cadre/value.h>

#include "fuzz.h"
#include "util/blob.h"
#include "util/buf.h"
#include "value/codec.h"

static void
survives_json(const struct cadre_value *v)
{
	struct cadre_value *back = NULL;
	char *text;

	FUZZ_HOLDS(cadre_value_to_json(v, &text, NULL) == 0);
	FUZZ_HOLDS(cadre_value_from_json(text, strlen(text), &back, NULL) == 0);
	FUZZ_HOLDS(cadre_value_equal(v, back));
	cadre_value_free(&back);
	free(text);
}

static void
survives_copying(const struct cadre_value *v)
{
	struct cadre_value *copy = cadre_value_copy(v);

	FUZZ_HOLDS(cadre_value_equal(v, copy));
	cadre_value_free(&copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cadre_value *v = NULL, *lent = NULL;
	struct blob *blob = blob_copy(data, len);
	struct buf b;
	int rc;

	fuzz_count_reset();
	rc = value_decode(blob->data, len, NULL, &v);
	FUZZ_HOLDS(rc == 0 || rc == CADRE_EPROTO);
	FUZZ_HOLDS((rc == 0) == (v != NULL));
	FUZZ_HOLDS(fuzz_count() <= 8 * len + 64);
	FUZZ_HOLDS(value_decode(blob->data, len, blob, &lent) == rc);
	if (rc == 0) {
		FUZZ_HOLDS(cadre_value_equal(v, lent));
		/* There is one encoding of each value. */
		buf_init(&b, SIZE_MAX);
		value_encode(&b, v);
		FUZZ_HOLDS(b.error == 0 && b.len == len);
		FUZZ_HOLDS(memcmp(b.data, data, len) == 0);
		buf_fini(&b);
		survives_copying(lent);
		survives_json(v);
	}
	cadre_value_free(&v);
	cadre_value_free(&lent);
	FUZZ_HOLDS(blob->refs == 1);
	blob_unref(&blob);
	return 0;
}
