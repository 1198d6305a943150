/* SPDX-License-Identifier: MIT */
#include "cli/stdinopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/signals.h"
#include "util/buf.h"
#include "util/error.h"

#define READ_SIZE (64U << 10)

/* True if opening /proc/PID/fd/0 reads what reading the descriptor would: an
 * anonymous pipe, or a file that nobody has read from yet. */
static bool
can_be_reopened(const struct stat *st)
{
	char target[64];
	ssize_t n;

	if (S_ISREG(st->st_mode))
		return lseek(STDIN_FILENO, 0, SEEK_CUR) == 0 &&
		       (fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE) != O_WRONLY;
	if (!S_ISFIFO(st->st_mode))
		return false;
	n = readlink("/proc/self/fd/0", target, sizeof(target) - 1);
	return n > 5 && memcmp(target, "pipe:", 5) == 0;
}

static int
read_all(struct cadre_opts *opts, struct cadre_error *err)
{
	struct buf b;
	int rc = 0;

	buf_init(&b, ((size_t)STDINOPT_LIMIT_MIB << 20) + READ_SIZE);
	for (;;) {
		uint8_t *room = buf_reserve(&b, READ_SIZE);
		ssize_t n;

		if (room == NULL) {
			rc = error_nomem(err);
			break;
		}
		n = read(STDIN_FILENO, room, READ_SIZE);
		if (n < 0 && errno == EINTR && signals_caught() == 0)
			continue;
		if (n < 0)
			rc = error_sys(err, errno,
				       "cannot read standard input");
		if (n <= 0)
			break;
		buf_commit(&b, (size_t)n);
		if (b.len > (size_t)STDINOPT_LIMIT_MIB << 20) {
			rc = error_set(err, CADRE_ETOOBIG,
				       "standard input is over %d MiB, more "
				       "than is sent to a daemon; put it in a "
				       "file and use --stdin FILE",
				       STDINOPT_LIMIT_MIB);
			break;
		}
	}
	if (rc == 0)
		rc = cadre_opts_set_stdin(opts, b.data, b.len, err);
	buf_fini(&b);
	return rc;
}

int
stdinopt_set(struct cadre_opts *opts, bool local, struct cadre_error *err)
{
	char path[64];
	struct stat st;

	if (fstat(STDIN_FILENO, &st) < 0 || isatty(STDIN_FILENO) == 1 ||
	    S_ISCHR(st.st_mode))
		return 0;
	if (!local || !can_be_reopened(&st))
		return read_all(opts, err);
	(void)snprintf(path, sizeof(path), "/proc/%ld/fd/0", (long)getpid());
	return cadre_opts_set(opts, "stdin-file", path, err);
}
