/* SPDX-License-Identifier: MIT */
#ifndef VALUE_BASE64_H
#define VALUE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

/* Base64 with the standard alphabet and padding, one text for each sequence of
 * bytes: blanks, missing padding and leftover bits are refused. */

void base64_encode(struct buf *b, const void *data, size_t n);
/* Bytes that a text of that length decodes to, at most. */
size_t base64_room(size_t text_len);
/* CADRE_EINVAL; *ret_n bytes were written. */
int base64_decode(const char *text, size_t text_len, uint8_t *out,
		  size_t *ret_n);

#endif
