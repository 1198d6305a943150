/* SPDX-License-Identifier: MIT */
#ifndef UTIL_BLOB_H
#define UTIL_BLOB_H

#include <stddef.h>
#include <stdint.h>

/*
 * Counted, immutable bytes that move between modules without a copy: the
 * payload of a large task, shared fields of many small ones.  Counting is
 * atomic; any thread.
 */
struct blob {
	_Atomic uint32_t refs;
	size_t len;
	uint8_t *data;			    /* aligned to 16 bytes */
	void (*release)(struct blob *blob); /* NULL: data follows the struct */
	void *arg;			    /* of release */
};

/* len uninitialised bytes after the struct; one reference.  NULL when memory
 * ran out. */
struct blob *blob_new(size_t len);
struct blob *blob_copy(const void *data, size_t len);
/* Wraps memory of somebody else; release is called with the last reference. */
struct blob *blob_wrap(void *data, size_t len,
		       void (*release)(struct blob *blob), void *arg);
struct blob *blob_ref(struct blob *blob);
/* Drops *blob and sets it to NULL; *blob may be NULL. */
void blob_unref(struct blob **blob);

#endif
