/* SPDX-License-Identifier: MIT */
#include "launch/launch.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/error.h"
#include "util/parse.h"

/* Keys of daemon settings begin with this. */
#define RECORD_SET "set."
#define RECORD_MAX ((size_t)1024 * 1024)

enum kind { TEXT, UINT32, TIME };

static const struct {
	const char *key;
	enum kind kind;
	size_t offset;
} keys[] = {
	{"url", TEXT, offsetof(struct launch_record, url)},
	{"session", TEXT, offsetof(struct launch_record, session)},
	{"auth", TEXT, offsetof(struct launch_record, auth)},
	{"index", UINT32, offsetof(struct launch_record, index)},
	{"slots", UINT32, offsetof(struct launch_record, slots)},
	{"end", TIME, offsetof(struct launch_record, end_unix)},
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

void
launch_record_fini(struct launch_record *r)
{
	free(r->url);
	free(r->session);
	free(r->auth);
	for (char **s = r->settings; s != NULL && *s != NULL; s++)
		free(*s);
	free(r->settings);
	*r = (struct launch_record){0};
}

static int
set_text(char **field, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return CADRE_ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int
set_field(struct launch_record *r, size_t i, const char *value,
	  struct cadre_error *err)
{
	void *field = (char *)r + keys[i].offset;
	int rc;

	if (keys[i].kind == TEXT)
		rc = set_text(field, value);
	else if (keys[i].kind == UINT32)
		rc = parse_uint32(value, 0, UINT32_MAX, field);
	else
		rc = parse_int64(value, 0, INT64_MAX, field);
	if (rc == CADRE_ENOMEM)
		return error_nomem(err);
	if (rc < 0)
		return error_set(err, rc,
				 "launch record: \"%s\" is no value of %s",
				 value, keys[i].key);
	return 0;
}

/* Adds a pair to the settings, or changes the value that is there. */
static int
set_setting(struct launch_record *r, const char *name, const char *value)
{
	char **settings;
	size_t n = 0;

	for (; r->settings != NULL && r->settings[n] != NULL; n += 2)
		if (strcmp(r->settings[n], name) == 0)
			return set_text(&r->settings[n + 1], value);
	settings = reallocarray(r->settings, n + 3, sizeof(*settings));
	if (settings == NULL)
		return CADRE_ENOMEM;
	r->settings = settings;
	settings[n] = strdup(name);
	settings[n + 1] = strdup(value);
	settings[n + 2] = NULL;
	if (settings[n] != NULL && settings[n + 1] != NULL)
		return 0;
	free(settings[n]);
	free(settings[n + 1]);
	settings[n] = NULL;
	return CADRE_ENOMEM;
}

int
launch_record_set(struct launch_record *r, const char *key, const char *value,
		  struct cadre_error *err)
{
	size_t prefix = strlen(RECORD_SET);

	for (size_t i = 0; i < N_KEYS; i++)
		if (strcmp(key, keys[i].key) == 0)
			return set_field(r, i, value, err);
	if (strncmp(key, RECORD_SET, prefix) != 0 || key[prefix] == '\0')
		return error_set(err, CADRE_EINVAL,
				 "launch record: unknown key \"%s\" (was it "
				 "written by another version?)",
				 key);
	return set_setting(r, key + prefix, value) < 0 ? error_nomem(err) : 0;
}

static void
put_text(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

static void
put_line(struct buf *b, const char *prefix, const char *key, const char *value)
{
	put_text(b, prefix);
	put_text(b, key);
	put_text(b, "=");
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			put_text(b, "\\n");
		else if (*value == '\\')
			put_text(b, "\\\\");
		else
			buf_put(b, value, 1);
	}
	put_text(b, "\n");
}

static void
put_field(struct buf *b, const struct launch_record *r, size_t i)
{
	const void *field = (const char *)r + keys[i].offset;
	char number[24] = "";
	const char *value = number;

	if (keys[i].kind == TEXT)
		value = *(char *const *)field;
	else if (keys[i].kind == UINT32)
		(void)snprintf(number, sizeof(number), "%" PRIu32,
			       *(const uint32_t *)field);
	else
		(void)snprintf(number, sizeof(number), "%" PRId64,
			       *(const int64_t *)field);
	if (value != NULL && strcmp(value, "0") != 0)
		put_line(b, "", keys[i].key, value);
}

int
launch_record_format(const struct launch_record *r, char **ret_text)
{
	struct buf b;

	buf_init(&b, RECORD_MAX);
	for (size_t i = 0; i < N_KEYS; i++)
		put_field(&b, r, i);
	for (char **s = r->settings; s != NULL && *s != NULL; s += 2)
		put_line(&b, RECORD_SET, s[0], s[1]);
	buf_put_u8(&b, 0);
	if (b.error != 0) {
		int rc = b.error;

		buf_fini(&b);
		return rc;
	}
	*ret_text = (char *)b.data;
	return 0;
}

/* Undoes the escapes in place; false if there is one that does not exist. */
static bool
unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		if (*from == '\\') {
			from++;
			if (*from != 'n' && *from != '\\')
				return false;
			*to++ = *from == 'n' ? '\n' : '\\';
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return true;
}

static int
parse_line(struct launch_record *r, char *line, struct cadre_error *err)
{
	char *value = strchr(line, '=');

	if (value == NULL || !unescape(value + 1))
		return error_set(err, CADRE_EINVAL,
				 "launch record: \"%s\" is not of the form "
				 "key=value, with \\n and \\\\ escaped",
				 line);
	*value = '\0';
	return launch_record_set(r, line, value + 1, err);
}

static int
parse_lines(struct launch_record *r, char *text, struct cadre_error *err)
{
	char *line, *rest = text;
	int rc = 0;

	while (rc == 0 && (line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			rc = parse_line(r, line, err);
	return rc;
}

int
launch_record_parse(const char *text, size_t len, struct launch_record *ret,
		    struct cadre_error *err)
{
	struct launch_record r = {0};
	char *copy;
	int rc;

	if (len > RECORD_MAX || memchr(text, 0, len) != NULL)
		return error_set(err, CADRE_EINVAL,
				 "launch record: it is too long or has a byte "
				 "0 in it");
	copy = strndup(text, len);
	if (copy == NULL)
		return error_nomem(err);
	rc = parse_lines(&r, copy, err);
	free(copy);
	if (rc < 0) {
		launch_record_fini(&r);
		return rc;
	}
	*ret = r;
	return 0;
}
