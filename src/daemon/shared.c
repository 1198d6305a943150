/* SPDX-License-Identifier: MIT */
#include "daemon/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"

#define PAGE_LEN 4096u
#define GRAIN (UINT64_C(1) << 20)

/* A memory file that can only grow, so that a mapping never faults. */
static int
new_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void *
map(int fd, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void
unmap(void *p, size_t len)
{
	if (p != NULL)
		(void)munmap(p, len);
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int
open_all(struct shared *s)
{
	s->page_fd = new_memfd("cadre-page");
	s->in_fd = new_memfd("cadre-in");
	s->out_fd = new_memfd("cadre-out");
	if (s->page_fd < 0 || s->in_fd < 0 || s->out_fd < 0)
		return -1;
	if (ftruncate(s->page_fd, PAGE_LEN) < 0)
		return -1;
	s->page = map(s->page_fd, PAGE_LEN);
	return s->page == NULL ? -1 : 0;
}

int
shared_new(struct shared **ret, struct cadre_error *err)
{
	struct shared *s = calloc(1, sizeof(*s));
	int errnum;

	if (s == NULL)
		return error_nomem(err);
	s->refs = 1;
	s->page_fd = s->in_fd = s->out_fd = -1;
	if (open_all(s) < 0) {
		errnum = errno;
		shared_unref(&s);
		return error_sys(err, errnum,
				 "cannot make memory to share with a worker");
	}
	*ret = s;
	return 0;
}

void
shared_unref(struct shared **ps)
{
	struct shared *s = *ps;

	*ps = NULL;
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	unmap(s->page, PAGE_LEN);
	unmap(s->in, s->in_len);
	unmap(s->out, s->out_len);
	close_fd(s->page_fd);
	close_fd(s->in_fd);
	close_fd(s->out_fd);
	free(s);
}

int
shared_place(struct shared *s, const void *data, size_t len,
	     struct cadre_error *err)
{
	uint64_t size = (len + GRAIN - 1) / GRAIN * GRAIN;
	uint8_t *in;

	if (len > s->in_len) {
		/* Allocated now, so that a full memory is an error here and
		 * not a signal later. */
		int rc = posix_fallocate(s->in_fd, 0, (off_t)size);

		if (rc != 0)
			return error_sys(err, rc, "cannot share %zu bytes",
					 len);
		in = map(s->in_fd, size);
		if (in == NULL)
			return error_sys(err, errno, "cannot map %zu bytes",
					 len);
		unmap(s->in, s->in_len);
		s->in = in;
		s->in_len = size;
	}
	memcpy(s->in, data, len);
	return 0;
}

void
shared_decline(struct shared *s)
{
	atomic_store(&s->page->out_busy, 0);
}

static void
release_out(struct blob *blob)
{
	struct shared *s = blob->arg;

	atomic_store(&s->out_taken, 0);
	shared_decline(s);
	shared_unref(&s);
}

static int
map_out(struct shared *s, uint64_t need, struct cadre_error *err)
{
	struct stat st;
	uint8_t *out;

	if (need <= s->out_len)
		return 0;
	if (fstat(s->out_fd, &st) < 0 || (uint64_t)st.st_size < need)
		return error_set(err, CADRE_EPROTO,
				 "the worker's result is not in the memory "
				 "where it says");
	out = map(s->out_fd, (size_t)st.st_size);
	if (out == NULL)
		return error_sys(err, errno, "cannot map a result");
	unmap(s->out, s->out_len);
	s->out = out;
	s->out_len = (size_t)st.st_size;
	return 0;
}

int
shared_take(struct shared *s, uint64_t offset, uint64_t len, struct blob **ret,
	    struct cadre_error *err)
{
	struct blob *blob;
	int rc;

	if (atomic_load(&s->out_taken) != 0 || len > SIZE_MAX / 2 ||
	    offset > SIZE_MAX / 2)
		return error_set(err, CADRE_EPROTO,
				 "the worker sent two results at once");
	rc = map_out(s, offset + len, err);
	if (rc < 0)
		return rc;
	blob = blob_wrap(s->out + offset, (size_t)len, release_out, s);
	if (blob == NULL)
		return error_nomem(err);
	atomic_store(&s->out_taken, 1);
	atomic_fetch_add(&s->refs, 1);
	*ret = blob;
	return 0;
}
