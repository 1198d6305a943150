/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <cadre/value.h>

#include "fuzz.h"
#include "util/buf.h"
#include "value/codec.h"

/* What was read can be sent. */
static void
survives_encoding(const struct cadre_value *v)
{
	struct cadre_value *back = NULL;
	struct buf b;

	buf_init(&b, SIZE_MAX);
	value_encode(&b, v);
	FUZZ_HOLDS(value_decode(b.data, b.len, NULL, &back) == 0);
	FUZZ_HOLDS(cadre_value_equal(v, back));
	cadre_value_free(&back);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_value *v = NULL, *back = NULL;
	char *text, *again;
	int rc;

	rc = cadre_value_from_json((const char *)data, len, &v, &err);
	FUZZ_HOLDS(rc == 0 || rc == CADRE_EINVAL);
	FUZZ_HOLDS(rc == err.code);
	if (rc < 0)
		return 0;
	FUZZ_HOLDS(cadre_value_to_json(v, &text, NULL) == 0);
	FUZZ_HOLDS(cadre_value_from_json(text, strlen(text), &back, NULL) == 0);
	FUZZ_HOLDS(cadre_value_equal(v, back));
	FUZZ_HOLDS(cadre_value_to_json(back, &again, NULL) == 0);
	FUZZ_HOLDS(strcmp(text, again) == 0);
	survives_encoding(v);
	free(text);
	free(again);
	cadre_value_free(&v);
	cadre_value_free(&back);
	return 0;
}
