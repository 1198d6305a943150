/* SPDX-License-Identifier: MIT */
#include "util/blob.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOB_ALIGN 16
#define BLOB_HEAD \
	((sizeof(struct blob) + BLOB_ALIGN - 1) / BLOB_ALIGN * BLOB_ALIGN)

/* From this size on memory is new each time, and large pages halve the time of
 * filling it. */
#define LARGE_PAGES_MIN ((size_t)16 * 1024 * 1024)

/* Asks for large pages, as far as whole ones lie within. */
static void
advise(void *data, size_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = ((uintptr_t)data + page - 1) / page * page;
	uintptr_t end = ((uintptr_t)data + len) / page * page;

	(void)madvise((void *)start, end - start, MADV_HUGEPAGE);
}

struct blob *
blob_new(size_t len)
{
	struct blob *blob;

	if (len > SIZE_MAX - BLOB_HEAD)
		return NULL;
	blob = malloc(BLOB_HEAD + len);
	if (blob == NULL)
		return NULL;
	atomic_init(&blob->refs, 1);
	blob->len = len;
	blob->data = (uint8_t *)blob + BLOB_HEAD;
	blob->release = NULL;
	blob->arg = NULL;
	if (len >= LARGE_PAGES_MIN)
		advise(blob->data, len);
	return blob;
}

struct blob *
blob_copy(const void *data, size_t len)
{
	struct blob *blob = blob_new(len);

	if (blob != NULL && len > 0)
		memcpy(blob->data, data, len);
	return blob;
}

struct blob *
blob_wrap(void *data, size_t len, void (*release)(struct blob *blob), void *arg)
{
	struct blob *blob = blob_new(0);

	if (blob == NULL)
		return NULL;
	blob->data = data;
	blob->len = len;
	blob->release = release;
	blob->arg = arg;
	return blob;
}

struct blob *
blob_ref(struct blob *blob)
{
	if (blob != NULL)
		atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
	return blob;
}

void
blob_unref(struct blob **blob)
{
	struct blob *b = *blob;

	*blob = NULL;
	if (b == NULL ||
	    atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (b->release != NULL)
		b->release(b);
	free(b);
}
