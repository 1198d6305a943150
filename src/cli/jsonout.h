/* SPDX-License-Identifier: MIT */
#ifndef CLI_JSONOUT_H
#define CLI_JSONOUT_H

#include <cadre/error.h>

#include "cli/record.h"

/*
 * A finished task as one line of JSON (owned text that ends with a newline).
 * Bytes that are not UTF-8 go into a member whose name ends in "_base64".
 */
int jsonout_record(const struct record *r, char **ret_text, size_t *ret_len,
		   struct cadre_error *err);
/* Standard base64 of len bytes; owned, NULL when memory ran out. */
char *jsonout_base64(const void *data, size_t len);

#endif
