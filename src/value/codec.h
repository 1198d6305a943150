/* SPDX-License-Identifier: MIT */
#ifndef VALUE_CODEC_H
#define VALUE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include <cadre/value.h>

#include "util/blob.h"
#include "util/buf.h"

/*
 * Typed values <-> bytes, as PROTOCOL.md ("Values") specifies.  Numeric data is
 * aligned to 8 bytes within the encoding.
 */

/* Bytes that value_encode will append. */
size_t value_encoded_size(const struct cadre_value *v);
/* Appends; errors are sticky in b.  v NULL counts as null. */
void value_encode(struct buf *b, const struct cadre_value *v);

/*
 * Decodes exactly len bytes, data aligned to 8.  Nothing is allocated beyond a
 * small multiple of len; nesting is limited.  If owner is not NULL, large
 * vectors refer to data within it (a reference is kept) instead of copying;
 * such values are read-only.  *ret_v is owned.  CADRE_EPROTO, CADRE_ENOMEM.
 */
int value_decode(const void *data, size_t len, struct blob *owner,
		 struct cadre_value **ret_v);

#endif
