/* SPDX-License-Identifier: MIT */
#include "cli/jsonout.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"

char *
jsonout_base64(const void *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = data;
	char *text = malloc((len + 2) / 3 * 4 + 1);
	char *out = text;

	if (text == NULL)
		return NULL;
	while (len > 0) {
		size_t n = len < 3 ? len : 3;
		unsigned int x = (unsigned int)p[0] << 16 |
				 (n > 1 ? (unsigned int)p[1] << 8 : 0) |
				 (n > 2 ? p[2] : 0);

		*out++ = digits[x >> 18];
		*out++ = digits[x >> 12 & 63];
		*out++ = n > 1 ? digits[x >> 6 & 63] : '=';
		*out++ = n > 2 ? digits[x & 63] : '=';
		p += n;
		len -= n;
	}
	*out = '\0';
	return text;
}

/* A string member, in base64 under another name if it is not UTF-8. */
static bool
set_bytes(json_t *object, const char *name, const char *data, size_t len)
{
	json_t *text = json_stringn(data == NULL ? "" : data, len);
	char other[40];
	char *base64;
	bool ok;

	if (text != NULL)
		return json_object_set_new(object, name, text) == 0;
	base64 = jsonout_base64(data, len);
	if (base64 == NULL)
		return false;
	(void)snprintf(other, sizeof(other), "%s_base64", name);
	ok = json_object_set_new(object, other, json_string(base64)) == 0;
	free(base64);
	return ok;
}

static bool
set_output(json_t *object, const char *name, const char *data, size_t len,
	   uint64_t total, const char *file)
{
	char member[40];

	if (!set_bytes(object, name, data, len))
		return false;
	if (file == NULL)
		return true;
	(void)snprintf(member, sizeof(member), "%s_file", name);
	if (!set_bytes(object, member, file, strlen(file)))
		return false;
	(void)snprintf(member, sizeof(member), "%s_bytes", name);
	return json_object_set_new(object, member,
				   json_integer((json_int_t)total)) == 0;
}

/* Each argument a string, or an object with the member "base64". */
static json_t *
arguments(const struct args *args)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < args->n; i++) {
		const char *s = args_at(args, i);
		json_t *item = json_string(s);

		if (item == NULL) {
			item = json_object();
			if (item != NULL &&
			    !set_bytes(item, "arg", s, strlen(s))) {
				json_decref(item);
				item = NULL;
			}
		}
		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *
number(double x)
{
	return json_real(x);
}

static bool
fill(json_t *o, const struct record *r)
{
	const struct cadre_command_result *c = &r->result;
	const struct cadre_task_stats *s = &r->stats;
	json_t *status = r->outcome == CADRE_OUTCOME_VALUE ||
					 r->outcome == CADRE_OUTCOME_EXIT
				 ? json_integer(c->exit_status)
				 : json_null();
	bool ok = json_object_set_new(o, "seq",
				      json_integer((json_int_t)r->seq)) == 0;

	ok &= json_object_set_new(o, "args", arguments(r->args)) == 0;
	ok &= set_bytes(o, "command", r->line, strlen(r->line));
	ok &= json_object_set_new(
		      o, "outcome",
		      json_string(cadre_outcome_name(r->outcome))) == 0;
	if (c->signal > 0) {
		json_decref(status);
		status = json_null();
	}
	ok &= json_object_set_new(o, "exit", status) == 0;
	ok &= json_object_set_new(o, "signal",
				  c->signal > 0 ? json_integer(c->signal)
						: json_null()) == 0;
	if (r->error != NULL)
		ok &= set_bytes(o, "error", r->error, strlen(r->error));
	ok &= set_output(o, "stdout", c->out, c->out_len, c->out_total,
			 c->out_file);
	ok &= set_output(o, "stderr", c->err, c->err_len, c->err_total,
			 c->err_file);
	ok &= json_object_set_new(o, "host", json_string(r->host)) == 0;
	ok &= json_object_set_new(o, "daemon", json_integer(s->daemon)) == 0;
	ok &= json_object_set_new(o, "slot", json_integer(s->slot)) == 0;
	ok &= json_object_set_new(o, "attempts", json_integer(s->attempts)) ==
	      0;
	ok &= json_object_set_new(o, "start",
				  number((double)s->started_unix_ns / 1e9)) ==
	      0;
	ok &= json_object_set_new(o, "runtime",
				  number((double)s->wall_ns / 1e9)) == 0;
	ok &= json_object_set_new(o, "user",
				  number((double)s->user_ns / 1e9)) == 0;
	ok &= json_object_set_new(o, "system",
				  number((double)s->sys_ns / 1e9)) == 0;
	ok &= json_object_set_new(o, "peak_memory",
				  json_integer((json_int_t)s->peak_bytes)) == 0;
	return ok;
}

int
jsonout_record(const struct record *r, char **ret_text, size_t *ret_len,
	       struct cadre_error *err)
{
	json_t *object = json_object();
	char *text = NULL, *grown;
	size_t len;

	if (object != NULL && fill(object, r))
		text = json_dumps(object,
				  JSON_COMPACT | JSON_REAL_PRECISION(13));
	json_decref(object);
	if (text == NULL)
		return error_nomem(err);
	len = strlen(text);
	grown = realloc(text, len + 2);
	if (grown == NULL) {
		free(text);
		return error_nomem(err);
	}
	grown[len++] = '\n';
	grown[len] = '\0';
	*ret_text = grown;
	*ret_len = len;
	return 0;
}
