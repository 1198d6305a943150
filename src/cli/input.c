/* SPDX-License-Identifier: MIT */
#include "cli/input.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "cli/reader.h"
#include "util/error.h"

struct records {
	struct args *items;
	size_t n, cap;
};

struct source {
	char *const *items;
	size_t n, next;
	bool is_file;
	struct reader reader;
	bool began, ended;
	struct records kept; /* with --link: to start over */
	size_t again;
};

/* Sources that advance together. */
struct group {
	struct source *sources;
	size_t n;
	size_t done;	     /* sources already in partial */
	struct args partial; /* the record being put together */
	struct records kept; /* every group but the first */
	size_t at;	     /* in kept */
	bool loaded;
};

struct input {
	struct source *sources;
	size_t n_sources;
	struct group *groups;
	size_t n_groups;
	bool link, skip_blank, has_colsep, started;
	regex_t colsep;
	size_t max_args;      /* records of one task */
	bool drop_args;	      /* --max-args 0 */
	struct args first;    /* current record of group 0 */
	struct args record;   /* of all groups */
	struct args gathered; /* records gathered for one task */
	size_t n_gathered;
	int wait_fd;
};

static void
records_fini(struct records *r)
{
	for (size_t i = 0; i < r->n; i++)
		args_fini(&r->items[i]);
	free(r->items);
	*r = (struct records){0};
}

static int
records_add(struct records *r, const struct args *a, struct cadre_error *err)
{
	int rc;

	if (r->n == r->cap) {
		size_t cap = r->cap == 0 ? 16 : r->cap * 2;
		struct args *items = realloc(r->items, cap * sizeof(*items));

		if (items == NULL)
			return error_nomem(err);
		r->items = items;
		r->cap = cap;
	}
	args_init(&r->items[r->n]);
	rc = args_copy(&r->items[r->n], a, err);
	if (rc == 0)
		r->n++;
	return rc;
}

/* Perl's \t and \d, which users write, are unknown to POSIX. */
static int
compile_colsep(regex_t *re, const char *text, struct cadre_error *err)
{
	char *pattern = malloc(strlen(text) * 5 + 1);
	char *out = pattern;
	char why[128];
	int rc;

	if (pattern == NULL)
		return error_nomem(err);
	for (const char *p = text; *p != '\0'; p++) {
		if (p[0] == '\\' && p[1] == 't')
			*out++ = '\t';
		else if (p[0] == '\\' && p[1] == 'd')
			out = stpcpy(out, "[0-9]");
		else
			*out++ = *p;
		if (p[0] == '\\' && p[1] != '\0') {
			p++;
			if (*p != 't' && *p != 'd')
				*out++ = *p;
		}
	}
	*out = '\0';
	rc = regcomp(re, pattern, REG_EXTENDED);
	free(pattern);
	if (rc == 0)
		return 0;
	(void)regerror(rc, re, why, sizeof(why));
	return error_set(err, CADRE_EINVAL, "--colsep: \"%.100s\": %s", text,
			 why);
}

static int
add_trimmed(struct args *a, const char *s, size_t len, struct cadre_error *err)
{
	while (len > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		len--;
	}
	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		len--;
	return args_add(a, s, len, err);
}

/* The columns of a record, appended to a. */
static int
add_columns(struct input *in, struct args *a, const char *s, size_t len,
	    struct cadre_error *err)
{
	const char *end = s + len;
	regmatch_t m;
	int rc;

	if (!in->has_colsep)
		return args_add(a, s, len, err);
	for (;;) {
		m.rm_so = 0;
		m.rm_eo = (regoff_t)(end - s);
		if (s == end ||
		    regexec(&in->colsep, s, 1, &m, REG_STARTEND) != 0 ||
		    m.rm_eo == m.rm_so)
			return add_trimmed(a, s, (size_t)(end - s), err);
		rc = add_trimmed(a, s, (size_t)m.rm_so, err);
		if (rc < 0)
			return rc;
		s += m.rm_eo;
	}
}

/* The next record of a source appended to a, without starting over. */
static int
source_read(struct input *in, struct source *s, struct args *a,
	    struct cadre_error *err)
{
	const char *record = "";
	size_t len = 0;
	int rc = 0;

	if (s->is_file) {
		rc = reader_next(&s->reader, &record, &len, err);
		if (rc == CADRE_EAGAIN)
			in->wait_fd = s->reader.fd;
	} else if (s->next < s->n) {
		record = s->items[s->next++];
		len = strlen(record);
		rc = 1;
	}
	if (rc < 0)
		return rc;
	/* Beside others, an empty source counts as one empty argument. */
	if (rc == 0 && (s->began || in->n_sources == 1))
		return 0;
	s->began = true;
	rc = add_columns(in, a, record, len, err);
	return rc < 0 ? rc : 1;
}

static bool
all_ended(const struct group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (!g->sources[i].ended)
			return false;
	return true;
}

/* The same for --link, where a source that has ended starts over. */
static int
source_cycle(struct input *in, struct group *g, struct source *s,
	     struct args *a, struct cadre_error *err)
{
	struct args one;
	int rc;

	if (!s->ended) {
		args_init(&one);
		rc = source_read(in, s, &one, err);
		if (rc == 1)
			rc = records_add(&s->kept, &one, err);
		else if (rc == 0)
			s->ended = true;
		if (rc == 0 && !s->ended)
			rc = args_append(a, &one, err);
		args_fini(&one);
		if (rc < 0)
			return rc;
		if (!s->ended)
			return 1;
	}
	if (all_ended(g) || s->kept.n == 0)
		return 0;
	rc = args_append(a, &s->kept.items[s->again++ % s->kept.n], err);
	return rc < 0 ? rc : 1;
}

/* The next record of a group: *ret is set to it, borrowed. */
static int
group_read(struct input *in, struct group *g, struct args **ret,
	   struct cadre_error *err)
{
	if (g->done == g->n) {
		args_reset(&g->partial);
		g->done = 0;
	}
	for (; g->done < g->n; g->done++) {
		struct source *s = &g->sources[g->done];
		int rc = in->link ? source_cycle(in, g, s, &g->partial, err)
				  : source_read(in, s, &g->partial, err);

		if (rc <= 0)
			return rc;
	}
	*ret = &g->partial;
	return 1;
}

static int
group_load(struct input *in, struct group *g, struct cadre_error *err)
{
	struct args *record;
	int rc;

	while (!g->loaded) {
		rc = group_read(in, g, &record, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			g->loaded = true;
		else if ((rc = records_add(&g->kept, record, err)) < 0)
			return rc;
	}
	return 0;
}

/* Moves the inner groups on by one; false when they have come round. */
static bool
advance_inner(struct input *in)
{
	for (size_t i = in->n_groups; i-- > 1;) {
		struct group *g = &in->groups[i];

		if (++g->at < g->kept.n)
			return true;
		g->at = 0;
	}
	return false;
}

static int
read_first(struct input *in, struct cadre_error *err)
{
	struct args *record;
	int rc = group_read(in, &in->groups[0], &record, err);

	if (rc <= 0)
		return rc;
	args_reset(&in->first);
	rc = args_append(&in->first, record, err);
	return rc < 0 ? rc : 1;
}

/* The next record of the product, in in->record. */
static int
next_record(struct input *in, struct cadre_error *err)
{
	int rc;

	for (size_t i = 1; i < in->n_groups; i++)
		if ((rc = group_load(in, &in->groups[i], err)) < 0)
			return rc;
	if (!in->started || !advance_inner(in)) {
		/* While this waits for more, the next call comes here again. */
		in->started = false;
		if ((rc = read_first(in, err)) <= 0)
			return rc;
		in->started = true;
	}
	args_reset(&in->record);
	rc = args_append(&in->record, &in->first, err);
	for (size_t i = 1; i < in->n_groups && rc == 0; i++) {
		struct group *g = &in->groups[i];

		if (g->kept.n == 0)
			return 0;
		rc = args_append(&in->record, &g->kept.items[g->at], err);
	}
	return rc < 0 ? rc : 1;
}

static bool
is_blank(const struct args *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const char *s = args_at(a, i);

		if (s[strspn(s, " \t\r\n")] != '\0')
			return false;
	}
	return true;
}

int
input_next(struct input *in, struct args *ret, struct cadre_error *err)
{
	int rc = 0;

	while (in->n_gathered < in->max_args) {
		rc = next_record(in, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			break;
		if (in->skip_blank && is_blank(&in->record))
			continue;
		rc = args_append(&in->gathered, &in->record, err);
		if (rc < 0)
			return rc;
		in->n_gathered++;
	}
	if (in->n_gathered == 0)
		return 0;
	args_reset(ret);
	rc = in->drop_args ? 0 : args_append(ret, &in->gathered, err);
	args_reset(&in->gathered);
	in->n_gathered = 0;
	return rc < 0 ? rc : 1;
}

int
input_fd(const struct input *in)
{
	return in->wait_fd;
}

static int
open_source(struct source *s, const struct input_source *from,
	    const char *delimiter, size_t len, struct cadre_error *err)
{
	int rc;

	s->items = from->items;
	s->n = from->n;
	if (from->path == NULL)
		return 0;
	rc = reader_open(&s->reader, from->path, delimiter, len, err);
	s->is_file = rc == 0;
	return rc;
}

static int
open_sources(struct input *in, const struct input_source *from, size_t n,
	     const struct input_options *options, struct cadre_error *err)
{
	char delimiter[READER_DELIMITER_MAX] = "\n";
	size_t len = 1;
	int rc = 0;

	if (options->null)
		delimiter[0] = '\0';
	else if (options->delimiter != NULL)
		rc = reader_parse_delimiter(options->delimiter, delimiter, &len,
					    err);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = open_source(&in->sources[i], &from[i], delimiter, len,
				 err);
		if (rc < 0)
			break;
		in->n_sources++;
		if (i == 0 || !(from[i].linked || options->link))
			in->groups[in->n_groups++].sources = &in->sources[i];
		in->groups[in->n_groups - 1].n++;
	}
	for (size_t i = 0; i < in->n_groups; i++)
		in->groups[i].done = in->groups[i].n;
	return rc;
}

int
input_open(const struct input_source *sources, size_t n,
	   const struct input_options *options, struct input **ret,
	   struct cadre_error *err)
{
	struct input *in = calloc(1, sizeof(*in));
	int rc = 0;

	if (in == NULL)
		return error_nomem(err);
	in->wait_fd = -1;
	in->link = options->link;
	in->skip_blank = options->skip_blank;
	in->max_args = options->max_args_set && options->max_args > 0
			       ? options->max_args
			       : 1;
	in->drop_args = options->max_args_set && options->max_args == 0;
	in->sources = calloc(n, sizeof(*in->sources));
	in->groups = calloc(n, sizeof(*in->groups));
	if (in->sources == NULL || in->groups == NULL)
		rc = error_nomem(err);
	if (rc == 0 && options->colsep != NULL) {
		rc = compile_colsep(&in->colsep, options->colsep, err);
		in->has_colsep = rc == 0;
	}
	if (rc == 0)
		rc = open_sources(in, sources, n, options, err);
	if (rc < 0) {
		input_close(&in);
		return rc;
	}
	*ret = in;
	return 0;
}

void
input_close(struct input **in_ptr)
{
	struct input *in = *in_ptr;

	if (in == NULL)
		return;
	for (size_t i = 0; i < in->n_sources; i++) {
		if (in->sources[i].is_file)
			reader_close(&in->sources[i].reader);
		records_fini(&in->sources[i].kept);
	}
	for (size_t i = 0; i < in->n_groups; i++) {
		args_fini(&in->groups[i].partial);
		records_fini(&in->groups[i].kept);
	}
	args_fini(&in->first);
	args_fini(&in->record);
	args_fini(&in->gathered);
	if (in->has_colsep)
		regfree(&in->colsep);
	free(in->sources);
	free(in->groups);
	free(in);
	*in_ptr = NULL;
}
