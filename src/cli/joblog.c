/* SPDX-License-Identifier: MIT */
#include "cli/joblog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/error.h"
#include "util/parse.h"

#define LINE_LIMIT (64U << 20)
#define SEQ_MAX (INT64_C(1) << 32)

static const char header[] = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive"
			     "\tExitval\tSignal\tCommand\n";

enum { DONE_UNKNOWN, DONE_SUCCEEDED, DONE_FAILED };

struct joblog {
	int fd;
	const char *path; /* borrowed */
	struct buf lines; /* not yet written */
};

static int
write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
mark(struct joblog_done *done, uint64_t seq, uint8_t state,
     struct cadre_error *err)
{
	if (seq >= done->n) {
		uint64_t n = done->n * 2 > seq + 1 ? done->n * 2 : seq + 1024;
		uint8_t *bytes = realloc(done->state, n);

		if (bytes == NULL)
			return error_nomem(err);
		(void)memset(bytes + done->n, DONE_UNKNOWN, n - done->n);
		done->state = bytes;
		done->n = n;
	}
	done->state[seq] = state;
	return 0;
}

/* Field i of a line with tabs, as a number. */
static bool
field_number(const char *line, int i, int64_t *ret)
{
	char text[24];
	size_t len;

	for (; i > 0; i--) {
		line = strchr(line, '\t');
		if (line == NULL)
			return false;
		line++;
	}
	len = strcspn(line, "\t\n");
	if (len >= sizeof(text))
		return false;
	memcpy(text, line, len);
	text[len] = '\0';
	return parse_int64(text, INT64_MIN, SEQ_MAX, ret) == 0;
}

/* A line that a crash or a full disk cut short counts for nothing. */
static int
read_done(FILE *f, struct joblog_done *ret, struct cadre_error *err)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int rc = 0;

	while (rc == 0 && (len = getline(&line, &cap, f)) > 0) {
		int64_t seq, status, sig;

		if (line[len - 1] != '\n' || !field_number(line, 0, &seq) ||
		    seq < 1 || !field_number(line, 6, &status) ||
		    !field_number(line, 7, &sig))
			continue;
		rc = mark(ret, (uint64_t)seq,
			  status == 0 && sig == 0 ? DONE_SUCCEEDED
						  : DONE_FAILED,
			  err);
	}
	free(line);
	return rc;
}

/* Reads an earlier log; ends a line that was cut short. */
static int
load(struct joblog *log, struct joblog_done *ret, struct cadre_error *err)
{
	int fd = open(log->path, O_RDONLY | O_CLOEXEC);
	char last = '\n';
	FILE *f;
	int rc;

	if (fd < 0 && errno == ENOENT)
		return 0;
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (f == NULL)
		return error_sys(err, errno, "cannot read the job log %s",
				 log->path);
	rc = read_done(f, ret, err);
	if (fseeko(f, -1, SEEK_END) == 0)
		last = (char)fgetc(f);
	(void)fclose(f);
	if (rc == 0 && last != '\n')
		(void)write_all(log->fd, "\n", 1);
	return rc;
}

int
joblog_open(const char *path, bool resume, struct joblog **ret,
	    struct joblog_done *ret_done, struct cadre_error *err)
{
	bool append = path[0] == '+' || resume;
	struct joblog *log = calloc(1, sizeof(*log));
	struct stat st;
	int rc = 0;

	if (log == NULL)
		return error_nomem(err);
	buf_init(&log->lines, LINE_LIMIT);
	log->path = path + (path[0] == '+');
	log->fd = open(log->path,
		       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
			       (append ? 0 : O_TRUNC),
		       0666);
	if (log->fd < 0)
		rc = error_sys(err, errno, "cannot write the job log %s",
			       log->path);
	if (rc == 0 && resume)
		rc = load(log, ret_done, err);
	if (rc == 0 && fstat(log->fd, &st) == 0 && st.st_size == 0) {
		int e = write_all(log->fd, header, sizeof(header) - 1);

		if (e < 0)
			rc = error_sys(err, -e, "cannot write the job log %s",
				       log->path);
	}
	if (rc < 0) {
		(void)joblog_close(&log, NULL);
		return rc;
	}
	*ret = log;
	return 0;
}

/* Tabs and newlines within the command would break the table. */
static void
put_command(struct buf *b, const char *s)
{
	for (size_t run; *s != '\0'; s += run) {
		run = strcspn(s, "\n");
		buf_put(b, s, run);
		if (s[run] == '\n') {
			buf_put(b, "\\n", 2);
			run++;
		}
	}
	buf_put_u8(b, '\n');
}

int
joblog_write(struct joblog *log, const struct record *r,
	     struct cadre_error *err)
{
	bool ended = r->outcome == CADRE_OUTCOME_VALUE ||
		     r->outcome == CADRE_OUTCOME_EXIT;
	int sig = r->result.signal;
	int status = sig > 0 ? 0 : record_status(r);
	char head[256];
	int len;

	/* As parallel: -1 for what was killed by a time limit or cancelled. */
	if (!ended && r->outcome != CADRE_OUTCOME_ERROR) {
		status = -1;
		sig = sig > 0 ? sig : SIGTERM;
	}
	len = snprintf(head, sizeof(head),
		       "%llu\t%.64s\t%.3f\t%10.3f\t0\t%llu\t%d\t%d\t",
		       (unsigned long long)r->seq, r->host,
		       (double)r->stats.started_unix_ns / 1e9,
		       (double)r->stats.wall_ns / 1e9,
		       (unsigned long long)r->result.out_total, status, sig);
	buf_put(&log->lines, head, (size_t)len);
	put_command(&log->lines, r->line);
	return log->lines.error != 0 ? error_nomem(err) : 0;
}

int
joblog_flush(struct joblog *log, struct cadre_error *err)
{
	int rc = 0;

	if (log->lines.len > 0)
		rc = write_all(log->fd, log->lines.data, log->lines.len);
	buf_reset(&log->lines);
	if (rc < 0)
		return error_sys(err, -rc, "cannot write the job log %s",
				 log->path);
	return 0;
}

int
joblog_close(struct joblog **log_ptr, struct cadre_error *err)
{
	struct joblog *log = *log_ptr;
	int rc = 0;

	if (log == NULL)
		return 0;
	if (log->fd >= 0 && close(log->fd) < 0)
		rc = error_sys(err, errno, "cannot write the job log %s",
			       log->path);
	buf_fini(&log->lines);
	free(log);
	*log_ptr = NULL;
	return rc;
}

void
joblog_done_fini(struct joblog_done *done)
{
	free(done->state);
	*done = (struct joblog_done){NULL, 0};
}

bool
joblog_is_done(const struct joblog_done *done, uint64_t seq, bool retry_failed)
{
	if (seq >= done->n)
		return false;
	return done->state[seq] == DONE_SUCCEEDED ||
	       (done->state[seq] == DONE_FAILED && !retry_failed);
}
