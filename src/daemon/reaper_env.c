/* SPDX-License-Identifier: MIT */
#include "daemon/reaper_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"

/* Room for CADRE_TASK_ID and CADRE_ATTEMPT. */
#define OWN_TEXT 96
#define OWN_VARS 2
/* Memory that stays with the process between tasks. */
#define KEEP_TEXT (256 * 1024)

static const char *const dropped[] = {"OMPI_",	"PMIX_", "PMI_",  "MUNGE_",
				      "CADRE_", "PRTE_", "PRRTE_"};
/* Where an uninstalled cadre is found, for tasks that use cadre themselves. */
static const char *const kept[] = {
	"CADRE_LIBEXECDIR=", "CADRE_CADRED=", "CADRE_INCLUDEDIR="};

static bool
starts_with_one_of(const char *text, const char *const *heads, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strncmp(text, heads[i], strlen(heads[i])) == 0)
			return true;
	}
	return false;
}

static bool
inherited(const char *entry)
{
	return starts_with_one_of(entry, kept, sizeof(kept) / sizeof(*kept)) ||
	       !starts_with_one_of(entry, dropped,
				   sizeof(dropped) / sizeof(*dropped));
}

int
reaper_env_init(struct reaper_env *e, char **environment, char *const *fixed,
		struct cadre_error *err)
{
	size_t n = 0;

	*e = (struct reaper_env){0};
	for (char **entry = environment; *entry != NULL; entry++)
		n++;
	for (char *const *entry = fixed; *entry != NULL; entry++)
		n++;
	e->base = calloc(n + 1, sizeof(*e->base));
	if (e->base == NULL)
		return error_nomem(err);
	for (char **entry = environment; *entry != NULL; entry++) {
		if (inherited(*entry))
			e->base[e->base_len++] = *entry;
	}
	e->fixed_from = e->base_len;
	for (char *const *entry = fixed; *entry != NULL; entry++)
		e->base[e->base_len++] = *entry;
	return 0;
}

void
reaper_env_fini(struct reaper_env *e)
{
	free(e->base);
	free(e->vec);
	free(e->text);
	*e = (struct reaper_env){0};
}

static int
make_room(struct reaper_env *e, size_t elements, size_t text)
{
	if (elements > e->vec_cap) {
		free(e->vec);
		e->vec_cap = 0;
		e->vec = calloc(elements, sizeof(*e->vec));
		if (e->vec == NULL)
			return CADRE_ENOMEM;
		e->vec_cap = elements;
	}
	if (text > e->text_cap ||
	    (e->text_cap > KEEP_TEXT && text < KEEP_TEXT)) {
		free(e->text);
		e->text_cap = 0;
		e->text = malloc(text);
		if (e->text == NULL)
			return CADRE_ENOMEM;
		e->text_cap = text;
	}
	return 0;
}

/* The field's text with a NUL.  There is room: a field is longer than its
 * data by more than one byte. */
static char *
copy_text(struct reaper_env *e, const struct wire_field *field)
{
	char *text = e->text + e->text_len;

	if (field->len > 0)
		memcpy(text, field->data, field->len);
	text[field->len] = '\0';
	e->text_len += field->len + 1;
	return text;
}

/* Index of the variable in envp; its end if it is not there. */
static size_t
find(const struct reaper_env *e, const char *name, size_t name_len)
{
	for (size_t i = 0; i < e->env_len; i++) {
		if (strncmp(e->envp[i], name, name_len) == 0 &&
		    e->envp[i][name_len] == '=')
			return i;
	}
	return e->env_len;
}

/* entry: "NAME=VALUE" sets, "NAME" removes. */
static void
set(struct reaper_env *e, char *entry)
{
	size_t name_len = strcspn(entry, "=");
	size_t i = find(e, entry, name_len);

	if (entry[name_len] == '=') {
		e->envp[i] = entry;
		if (i == e->env_len)
			e->env_len++;
	} else if (i < e->env_len) {
		e->envp[i] = e->envp[--e->env_len];
	}
}

static void
set_own(struct reaper_env *e, const char *name, unsigned long long x)
{
	char *text = e->text + e->text_len;
	int n = snprintf(text, OWN_TEXT / OWN_VARS, "%s=%llu", name, x);

	e->text_len += (size_t)n + 1;
	set(e, text);
}

static void
read_fields(struct reaper_env *e, const struct wire_frame *frame)
{
	struct wire_field field;
	size_t argc = 0;
	size_t pos = 0;

	while (wire_next(frame, &pos, &field)) {
		switch (field.tag) {
		case WIRE_TAG_ARGV:
			e->argv[argc++] = copy_text(e, &field);
			break;
		case WIRE_TAG_ENV:
			set(e, copy_text(e, &field));
			break;
		case WIRE_TAG_CWD:
			e->cwd = copy_text(e, &field);
			break;
		case WIRE_TAG_STDIN_FILE:
			e->stdin_file = copy_text(e, &field);
			break;
		default:
			break;
		}
	}
	e->argv[argc] = NULL;
}

int
reaper_env_build(struct reaper_env *e, const struct wire_frame *frame,
		 struct cadre_error *err)
{
	struct wire_field field;
	size_t argc = 0, vars = 0, pos = 0, from, i;

	while (wire_next(frame, &pos, &field)) {
		argc += field.tag == WIRE_TAG_ARGV;
		vars += field.tag == WIRE_TAG_ENV;
	}
	if (argc == 0)
		return error_set(err, CADRE_EINVAL,
				 "there is no command to run");
	if (make_room(e, argc + 2 + e->base_len + vars + OWN_VARS + 1,
		      frame->fields_len + OWN_TEXT) < 0)
		return error_nomem(err);
	e->text_len = 0;
	e->cwd = NULL;
	e->stdin_file = NULL;
	e->argv = e->vec + 1;
	e->envp = e->argv + argc + 1;
	from = wire_u64(frame, WIRE_TAG_CLEAR_ENV, 0) == 0 ? 0 : e->fixed_from;
	e->env_len = e->base_len - from;
	memcpy(e->envp, e->base + from, e->env_len * sizeof(*e->base));
	read_fields(e, frame);
	if (frame->type == WIRE_TASK) {
		set_own(e, "CADRE_TASK_ID", frame->task);
		set_own(e, "CADRE_ATTEMPT", frame->attempt);
	}
	e->envp[e->env_len] = NULL;
	i = find(e, "PATH", 4);
	e->path = i < e->env_len ? e->envp[i] + 5 : NULL;
	return 0;
}
