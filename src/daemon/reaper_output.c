/* SPDX-License-Identifier: MIT */
#include "daemon/reaper_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/error.h"

/* A pipe's capacity. */
#define READ_SIZE 65536u
/* Memory that stays with the process between tasks. */
#define KEEP_SIZE (4 * READ_SIZE)

void
reaper_output_init(struct reaper_output *o, const char *name)
{
	*o = (struct reaper_output){.fd = -1, .file_fd = -1, .name = name};
	buf_init(&o->kept, SIZE_MAX);
}

void
reaper_output_fini(struct reaper_output *o)
{
	reaper_output_reset(o);
	buf_fini(&o->kept);
}

void
reaper_output_close(struct reaper_output *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

void
reaper_output_reset(struct reaper_output *o)
{
	reaper_output_close(o);
	if (o->file_fd >= 0)
		close(o->file_fd);
	o->file_fd = -1;
	free(o->file);
	o->file = NULL;
	o->total = 0;
	o->failed.code = CADRE_OK;
	if (o->kept.cap > KEEP_SIZE)
		buf_fini(&o->kept);
	buf_reset(&o->kept);
}

int
reaper_output_open(struct reaper_output *o, int *ret_write,
		   struct cadre_error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_sys(err, errno, "cannot make a pipe for %s",
				 o->name);
	o->fd = fds[0];
	*ret_write = fds[1];
	return 0;
}

static int
write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static void
file_failed(struct reaper_output *o, int errnum)
{
	(void)error_sys(&o->failed, errnum,
			"%s is over output-limit and could not be written to "
			"'%s'; the rest of it is lost",
			o->name, o->file == NULL ? o->dir : o->file);
}

/* The limit is reached: all that was kept so far opens the file. */
static void
open_file(struct reaper_output *o)
{
	int rc;

	if (asprintf(&o->file, "%s/cadre-%s-XXXXXX", o->dir, o->name) < 0) {
		o->file = NULL;
		file_failed(o, ENOMEM);
		return;
	}
	o->file_fd = mkostemp(o->file, O_CLOEXEC);
	if (o->file_fd < 0) {
		rc = errno;
		free(o->file);
		o->file = NULL;
		file_failed(o, rc);
		return;
	}
	rc = write_all(o->file_fd, o->kept.data, o->kept.len);
	if (rc != 0)
		file_failed(o, rc);
}

/* The n bytes at the end of kept's room have just arrived. */
static void
arrived(struct reaper_output *o, const uint8_t *data, size_t n)
{
	size_t left;
	int rc;

	o->total += n;
	if (o->streamed) {
		buf_commit(&o->kept, n);
		return;
	}
	if (o->total > o->limit && o->file_fd < 0 && o->failed.code == CADRE_OK)
		open_file(o);
	if (o->file_fd >= 0 && o->failed.code == CADRE_OK) {
		rc = write_all(o->file_fd, data, n);
		if (rc != 0)
			file_failed(o, rc);
	}
	left = o->limit > o->kept.len ? (size_t)(o->limit - o->kept.len) : 0;
	buf_commit(&o->kept, n < left ? n : left);
}

void
reaper_output_read(struct reaper_output *o)
{
	static uint8_t spill[READ_SIZE];
	/* Past the limit nothing is kept, so nothing needs to grow. */
	bool full = !o->streamed && o->kept.len >= o->limit;
	uint8_t *room = full ? spill : buf_reserve(&o->kept, READ_SIZE);
	ssize_t n;

	/* Out of memory: what follows goes to the file. */
	if (room == NULL) {
		o->kept.error = 0;
		o->limit = o->kept.len;
		room = spill;
	}
	n = read(o->fd, room, READ_SIZE);
	if (n > 0)
		arrived(o, room, (size_t)n);
	else if (n == 0 || errno != EINTR)
		reaper_output_close(o);
}
