/* SPDX-License-Identifier: MIT */
#include "cli/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"

#define READ_SIZE (64U << 10)

int
reader_open(struct reader *r, const char *path, const char *delimiter,
	    size_t delimiter_len, struct cadre_error *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	char byte;

	*r = (struct reader){.path = is_stdin ? "standard input" : path};
	r->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		return error_sys(err, errno, "cannot read %s", path);
	/* A directory opens, but does not read. */
	if (!is_stdin && read(r->fd, &byte, 0) < 0) {
		int errnum = errno;

		(void)close(r->fd);
		return error_sys(err, errnum, "cannot read %s", path);
	}
	buf_init(&r->buf, READER_RECORD_MAX + READ_SIZE);
	memcpy(r->delimiter, delimiter, delimiter_len);
	r->delimiter_len = delimiter_len;
	return 0;
}

void
reader_close(struct reader *r)
{
	if (r->fd > STDERR_FILENO)
		(void)close(r->fd);
	buf_fini(&r->buf);
	r->fd = -1;
}

/* More bytes into the buffer; 0 if there are some or the end was met. */
static int
fill(struct reader *r, struct cadre_error *err)
{
	struct pollfd pfd = {.fd = r->fd, .events = POLLIN};
	uint8_t *room;
	ssize_t n;

	if (poll(&pfd, 1, 0) <= 0)
		return CADRE_EAGAIN;
	buf_consume(&r->buf, r->start);
	r->start = 0;
	if (r->buf.len > READER_RECORD_MAX)
		return error_set(err, CADRE_ETOOBIG,
				 "item %llu of %s is longer than %u MiB; is "
				 "the delimiter right?",
				 (unsigned long long)r->count + 1, r->path,
				 READER_RECORD_MAX >> 20);
	room = buf_reserve(&r->buf, READ_SIZE);
	if (room == NULL)
		return error_nomem(err);
	n = read(r->fd, room, READ_SIZE);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return CADRE_EAGAIN;
	if (n < 0)
		return error_sys(err, errno, "cannot read %s", r->path);
	r->eof = n == 0;
	buf_commit(&r->buf, (size_t)n);
	return 0;
}

static int
give(struct reader *r, size_t len, size_t skip, const char **ret_record,
     size_t *ret_len, struct cadre_error *err)
{
	const char *s = (const char *)r->buf.data + r->start;

	r->count++;
	if (memchr(s, '\0', len) != NULL)
		return error_set(err, CADRE_EINVAL,
				 "item %llu of %s holds a NUL byte, which no "
				 "argument can; are items separated by NUL "
				 "(--null)?",
				 (unsigned long long)r->count, r->path);
	*ret_record = s;
	*ret_len = len;
	r->start += len + skip;
	r->scanned = 0;
	return 1;
}

int
reader_next(struct reader *r, const char **ret_record, size_t *ret_len,
	    struct cadre_error *err)
{
	for (;;) {
		size_t left = r->buf.len - r->start;
		const char *s = (const char *)r->buf.data + r->start;
		const char *end = NULL;
		int rc;

		if (left > r->scanned)
			end = memmem(s + r->scanned, left - r->scanned,
				     r->delimiter, r->delimiter_len);
		if (end != NULL)
			return give(r, (size_t)(end - s), r->delimiter_len,
				    ret_record, ret_len, err);
		if (r->eof)
			return left == 0 ? 0
					 : give(r, left, 0, ret_record, ret_len,
						err);
		/* A delimiter may have begun at the end. */
		if (left >= r->delimiter_len)
			r->scanned = left - (r->delimiter_len - 1);
		rc = fill(r, err);
		if (rc < 0)
			return rc;
	}
}

static int
hex_value(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *p = c == '\0' ? NULL : strchr(digits, c);

	return p == NULL ? -1 : (int)(p - digits) % 16;
}

/* One escape after the backslash; moves *p past it. */
static char
escape(const char **p)
{
	static const char names[] = "ntrabfv\\";
	static const char values[] = "\n\t\r\a\b\f\v\\";
	const char *name = **p == '\0' ? NULL : strchr(names, **p);
	int x = 0, digits = 0;

	if (name != NULL) {
		(*p)++;
		return values[name - names];
	}
	if (**p == 'x' && hex_value((*p)[1]) >= 0) {
		for ((*p)++; digits < 2 && hex_value(**p) >= 0; digits++)
			x = x * 16 + hex_value(*(*p)++);
		return (char)x;
	}
	for (; digits < 3 && **p >= '0' && **p <= '7'; digits++)
		x = x * 8 + (*(*p)++ - '0');
	return digits > 0 ? (char)x : '\\';
}

int
reader_parse_delimiter(const char *text, char *ret, size_t *ret_len,
		       struct cadre_error *err)
{
	const char *p = text;
	size_t n = 0;

	while (*p != '\0' && n < READER_DELIMITER_MAX) {
		char c = *p++;

		ret[n++] = c == '\\' ? escape(&p) : c;
	}
	if (n == 0 || *p != '\0')
		return error_set(err, CADRE_EINVAL,
				 "--delimiter: \"%.40s\" is not 1 to %d "
				 "characters",
				 text, READER_DELIMITER_MAX);
	*ret_len = n;
	return 0;
}
