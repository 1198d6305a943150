/* SPDX-License-Identifier: MIT */
#ifndef CLI_READER_H
#define CLI_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>

#include "util/buf.h"

/*
 * Records of a file or of standard input, read as they are needed; memory is
 * bounded by the longest record, which has a limit.
 */
#define READER_RECORD_MAX (64U << 20)
#define READER_DELIMITER_MAX 16

struct reader {
	int fd;
	const char *path; /* for messages, borrowed */
	struct buf buf;
	size_t start;	/* of what has not been handed out */
	size_t scanned; /* bytes after start known to hold no delimiter */
	bool eof;
	char delimiter[READER_DELIMITER_MAX];
	size_t delimiter_len;
	uint64_t count; /* records handed out */
};

/* path "-" is standard input. */
int reader_open(struct reader *r, const char *path, const char *delimiter,
		size_t delimiter_len, struct cadre_error *err);
void reader_close(struct reader *r);
/* 1 and the next record (borrowed until the next call), 0 at the end,
 * CADRE_EAGAIN if none is there yet (r->fd tells when). */
int reader_next(struct reader *r, const char **ret_record, size_t *ret_len,
		struct cadre_error *err);
/* Reads \n, \t, \0, \\, \xHH and octal escapes; CADRE_EINVAL. */
int reader_parse_delimiter(const char *text, char *ret, size_t *ret_len,
			   struct cadre_error *err);

#endif
