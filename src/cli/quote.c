/* SPDX-License-Identifier: MIT */
#include "cli/quote.h"

#include <stdbool.h>
#include <string.h>

void
quote_shell(struct buf *out, const char *s, size_t len)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-_.+/";
	bool first = true;

	if (len == 0) {
		buf_put(out, "''", 2);
		return;
	}
	if (strspn(s, plain) >= len) {
		buf_put(out, s, len);
		return;
	}
	/* 'it'"'"'s': each run in single quotes, each quote in double ones. */
	for (const char *end = s + len;;) {
		const char *p = memchr(s, '\'', (size_t)(end - s));
		size_t run = (size_t)((p == NULL ? end : p) - s);

		if (run > 0 || (p != NULL && !first)) {
			buf_put_u8(out, '\'');
			buf_put(out, s, run);
			buf_put_u8(out, '\'');
		}
		if (p == NULL)
			return;
		buf_put(out, "\"'\"", 3);
		s = p + 1;
		first = false;
	}
}
