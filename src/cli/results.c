/* SPDX-License-Identifier: MIT */
#include "cli/results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/template.h"
#include "util/buf.h"
#include "util/error.h"

#define PATH_LIMIT 4096
#define NAME_LIMIT 255
#define COPY_SIZE (64U << 10)

struct results {
	const char *dir;	   /* plain directory, or */
	struct template *template; /* names with replacement strings */
};

struct suffixes {
	const char *out, *err, *seq;
};

static const struct suffixes in_dir = {"stdout", "stderr", "seq"};
static const struct suffixes beside = {"", ".err", ".seq"};

int
results_new(const char *where, const char *all, struct results **ret,
	    struct cadre_error *err)
{
	struct results *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return error_nomem(err);
	r->dir = where;
	rc = template_new_text(where, all, &r->template, err);
	if (rc == 0 && where[0] == '\0')
		rc = error_set(err, CADRE_EINVAL,
			       "--results needs a directory");
	if (rc < 0) {
		results_free(&r);
		return rc;
	}
	*ret = r;
	return 0;
}

void
results_free(struct results **r)
{
	if (*r == NULL)
		return;
	template_free(&(*r)->template);
	free(*r);
	*r = NULL;
}

bool
results_use_slot(const struct results *r)
{
	return template_uses_slot(r->template);
}

/* A value as the name of a directory: no slash, not "." nor "..", and not
 * longer than a name may be. */
static void
put_name(struct buf *b, const char *value)
{
	size_t start = b->len;

	if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
		buf_put_u8(b, '\\');
	for (const char *p = value; *p != '\0'; p++) {
		if (b->len - start >= NAME_LIMIT - 1) {
			buf_put_u8(b, '/');
			start = b->len;
		}
		if (*p == '/')
			buf_put(b, "\\_", 2);
		else if (*p == '\\')
			buf_put(b, "\\\\", 2);
		else if (*p == '\t')
			buf_put(b, "\\t", 2);
		else
			buf_put_u8(b, (uint8_t)*p);
	}
}

/* Where the files of a task go: the path up to the suffix. */
static const struct suffixes *
base_path(const struct results *r, const struct args *args, uint64_t seq,
	  uint32_t slot, struct buf *path)
{
	char number[24];

	if (template_has_fields(r->template)) {
		template_render(r->template, args, seq, slot, path);
		return path->len > 0 && path->data[path->len - 1] == '/'
			       ? &in_dir
			       : &beside;
	}
	buf_put(path, r->dir, strlen(r->dir));
	for (size_t i = 0; i < args->n; i++) {
		int n = snprintf(number, sizeof(number), "/%zu/", i + 1);

		buf_put(path, number, (size_t)n);
		put_name(path, args_at(args, i));
	}
	buf_put_u8(path, '/');
	return &in_dir;
}

static int
full_path(const struct buf *base, const char *suffix, char *ret, size_t size,
	  struct cadre_error *err)
{
	if (base->error != 0)
		return error_set(err, CADRE_ETOOBIG,
				 "--results: the name of a file is too long");
	if (base->len + strlen(suffix) >= size)
		return error_set(err, CADRE_ETOOBIG,
				 "--results: the name of a file is too long");
	memcpy(ret, base->data, base->len);
	(void)strcpy(ret + base->len, suffix);
	return 0;
}

static int
make_parents(char *path, struct cadre_error *err)
{
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		int rc;

		*p = '\0';
		rc = mkdir(path, 0777) < 0 && errno != EEXIST ? errno : 0;
		if (rc != 0)
			rc = error_sys(err, rc, "cannot make the directory %s",
				       path);
		*p = '/';
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
copy_file(int to, const char *from)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	char data[COPY_SIZE];
	int errnum = 0;
	ssize_t n;

	if (fd < 0)
		return errno;
	while (errnum == 0 && (n = read(fd, data, sizeof(data))) != 0)
		errnum = n < 0 ? errno : write_all(to, data, (size_t)n);
	(void)close(fd);
	return errnum;
}

static int
write_file(const struct buf *base, const char *suffix, const char *data,
	   size_t len, const char *from, struct cadre_error *err)
{
	char path[PATH_LIMIT];
	int fd, errnum;
	int rc = full_path(base, suffix, path, sizeof(path), err);

	if (rc < 0)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 && errno == ENOENT) {
		rc = make_parents(path, err);
		if (rc < 0)
			return rc;
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	}
	if (fd < 0)
		return error_sys(err, errno, "cannot write %s", path);
	errnum = from != NULL ? copy_file(fd, from) : write_all(fd, data, len);
	if (close(fd) < 0 && errnum == 0)
		errnum = errno;
	return errnum == 0 ? 0
			   : error_sys(err, errnum, "cannot write %s", path);
}

int
results_write(struct results *r, const struct record *record, uint32_t slot,
	      struct cadre_error *err)
{
	const struct cadre_command_result *c = &record->result;
	const struct suffixes *suffix;
	struct buf base;
	char seq[24];
	int n, rc;

	buf_init(&base, PATH_LIMIT);
	suffix = base_path(r, record->args, record->seq, slot, &base);
	rc = write_file(&base, suffix->out, c->out, c->out_len, c->out_file,
			err);
	if (rc == 0)
		rc = write_file(&base, suffix->err, c->err, c->err_len,
				c->err_file, err);
	n = snprintf(seq, sizeof(seq), "%llu", (unsigned long long)record->seq);
	if (rc == 0)
		rc = write_file(&base, suffix->seq, seq, (size_t)n, NULL, err);
	buf_fini(&base);
	return rc;
}

bool
results_exist(struct results *r, const struct args *args, uint64_t seq)
{
	const struct suffixes *suffix;
	char path[PATH_LIMIT];
	struct buf base;
	bool exist;

	buf_init(&base, PATH_LIMIT);
	suffix = base_path(r, args, seq, 1, &base);
	exist = full_path(&base, suffix->seq, path, sizeof(path), NULL) == 0 &&
		access(path, F_OK) == 0;
	buf_fini(&base);
	return exist;
}
