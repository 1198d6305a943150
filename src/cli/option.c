/* SPDX-License-Identifier: MIT */
#include "cli/option.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/parse.h"

#define HELP_COLUMN 30
#define HELP_WIDTH 79
#define NAMES_MAX 128
#define WORD_MAX 64

static const struct option help_option = {
	OPTION_FLAG, 'h', "help", NULL, "show this help and exit", 0, NULL};

static bool
is_end(const struct option *o)
{
	return o->kind == OPTION_HEADING && o->help == NULL;
}

int
option_list_add(struct option_list *list, const char *value,
		struct cadre_error *err)
{
	const char **items =
		realloc(list->items, (list->n + 1) * sizeof(*items));

	if (items == NULL)
		return error_nomem(err);
	items[list->n++] = value;
	list->items = items;
	return 0;
}

void
option_list_fini(struct option_list *list)
{
	free(list->items);
	*list = (struct option_list){NULL, 0};
}

/* Edit distance of short words; swaps of neighbours count once. */
static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *row = rows[i % 3], *up = rows[(i - 1) % 3],
		       *up2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[la % 3][lb];
}

const char *
option_nearest(const char *word, const char *const *names, size_t n)
{
	size_t best = 1 + strlen(word) / 3;
	const char *nearest = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, names[i]);

		if (strlen(word) > 2 &&
		    strncmp(word, names[i], strlen(word)) == 0)
			d = 1;
		if (d > best || (d == best && nearest != NULL))
			continue;
		best = d;
		nearest = names[i];
	}
	return nearest;
}

static int
unknown_option(const struct command *command, const char *name, size_t len,
	       struct cadre_error *err)
{
	const char *names[NAMES_MAX];
	const char *nearest;
	char word[WORD_MAX + 1];
	size_t n = 0;

	for (const struct option *o = command->options; !is_end(o); o++)
		if (o->name != NULL && n < NAMES_MAX)
			names[n++] = o->name;
	if (n < NAMES_MAX)
		names[n++] = help_option.name;
	(void)snprintf(word, sizeof(word), "%.*s", (int)len, name);
	nearest = option_nearest(word, names, n);
	if (nearest == NULL)
		return error_set(err, CADRE_EINVAL,
				 "unknown option --%s; see cadre %s --help",
				 word, command->name);
	return error_set(err, CADRE_EINVAL,
			 "unknown option --%s; did you mean --%s?", word,
			 nearest);
}

/* A row without help is another name of the row before it. */
static const struct option *
described(const struct option *o)
{
	while (o->help == NULL)
		o--;
	return o;
}

static const struct option *
find_long(const struct command *command, const char *name, size_t len)
{
	for (const struct option *o = command->options; !is_end(o); o++)
		if (o->name != NULL && strlen(o->name) == len &&
		    memcmp(o->name, name, len) == 0)
			return o;
	return len == 4 && memcmp(name, "help", 4) == 0 ? &help_option : NULL;
}

static const struct option *
find_short(const struct command *command, char name)
{
	for (const struct option *o = command->options; !is_end(o); o++)
		if (o->short_name == name)
			return o;
	return name == 'h' ? &help_option : NULL;
}

static int
bad_value(const struct option *o, const char *value, const char *expected,
	  struct cadre_error *err)
{
	return error_set(err, CADRE_EINVAL, "--%s: \"%.100s\" is not %s",
			 o->name, value, expected);
}

static int
assign(const struct option *o, void *target, const char *value,
       struct cadre_error *err)
{
	void *place = (char *)target + o->offset;

	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)place = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)place = value;
		return 0;
	case OPTION_COUNT:
		if (parse_uint32(value, 0, UINT32_MAX, place) < 0)
			return bad_value(o, value, "a whole number", err);
		return 0;
	case OPTION_DURATION:
		if (parse_duration_ms(value, place) < 0)
			return bad_value(o, value,
					 "a duration (as in 1.5, 250ms, 10m, "
					 "2h)",
					 err);
		return 0;
	case OPTION_LIST:
		return option_list_add(place, value, err);
	case OPTION_CALL:
		return o->set(target, value, err);
	case OPTION_HEADING:
		break;
	}
	return error_set(err, CADRE_EINTERNAL, "bad option table");
}

/* One long option at argv[*i]; moves *i on over a value of its own. */
static int
parse_long(const struct command *command, int argc, char **argv, int *i,
	   void *target, struct cadre_error *err)
{
	const char *name = argv[*i] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct option *o = find_long(command, name, len);

	if (o == NULL)
		return unknown_option(command, name, len, err);
	if (o == &help_option)
		return 1;
	o = described(o);
	if (o->arg == NULL && value != NULL)
		return error_set(err, CADRE_EINVAL, "--%.*s takes no value",
				 (int)len, name);
	if (o->arg != NULL && value == NULL) {
		if (*i + 1 >= argc)
			return error_set(err, CADRE_EINVAL,
					 "--%s needs a value: %s", name,
					 o->arg);
		value = argv[++*i];
	}
	return assign(o, target, value, err);
}

/* A cluster of short options at argv[*i]. */
static int
parse_short(const struct command *command, int argc, char **argv, int *i,
	    void *target, struct cadre_error *err)
{
	for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
		const struct option *o = find_short(command, *p);
		const char *value = NULL;
		int rc;

		if (o == NULL)
			return error_set(
				err, CADRE_EINVAL,
				"unknown option -%c; see cadre %s --help", *p,
				command->name);
		if (o == &help_option)
			return 1;
		o = described(o);
		if (o->arg != NULL) {
			value = p[1] != '\0' ? p + 1 : argv[++*i];
			if (*i >= argc)
				return error_set(err, CADRE_EINVAL,
						 "-%c needs a value: %s", *p,
						 o->arg);
		}
		rc = assign(o, target, value, err);
		if (rc != 0 || o->arg != NULL)
			return rc;
	}
	return 0;
}

int
option_parse(const struct command *command, int argc, char **argv, void *target,
	     int *ret_first, struct cadre_error *err)
{
	int i = 1;

	for (; i < argc; i++) {
		const char *arg = argv[i];
		int rc;

		if (arg[0] != '-' || arg[1] == '\0')
			break;
		if (strcmp(arg, "--") == 0) {
			i++;
			break;
		}
		rc = arg[1] == '-'
			     ? parse_long(command, argc, argv, &i, target, err)
			     : parse_short(command, argc, argv, &i, target,
					   err);
		if (rc == 1)
			option_help(command, stdout);
		if (rc != 0)
			return rc;
	}
	*ret_first = i;
	return 0;
}

/* Prints text wrapped, the first line at column, the others indented to it. */
static void
print_wrapped(const char *text, int column, FILE *out)
{
	int at = column;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (at > column && at + 1 + len > HELP_WIDTH) {
			(void)fprintf(out, "\n%*s", column, "");
			at = column;
		} else if (at > column) {
			(void)fputc(' ', out);
			at++;
		}
		(void)fwrite(text, 1, (size_t)len, out);
		at += len;
		text += len;
		text += strspn(text, " ");
	}
	(void)fputc('\n', out);
}

/* The row and the other names that follow it. */
static void
help_row(const struct option *o, FILE *out)
{
	const char *arg = o->arg, *help = o->help;
	char names[160];
	size_t len = 0;
	int column;

	names[0] = '\0';
	for (const struct option *p = o; p == o || p->help == NULL; p++) {
		if (is_end(p))
			break;
		if (p->short_name != 0)
			len += (size_t)snprintf(
				names + len, sizeof(names) - len, "%s-%c",
				len > 0 ? ", " : "", p->short_name);
		if (p->name != NULL)
			len += (size_t)snprintf(
				names + len, sizeof(names) - len, "%s--%s",
				len > 0 ? ", " : "    ", p->name);
		if (p == &help_option)
			break;
	}
	column = fprintf(out, "  %s%s%s", names, arg != NULL ? " " : "",
			 arg != NULL ? arg : "");
	if (column > HELP_COLUMN - 2)
		(void)fprintf(out, "\n%*s", HELP_COLUMN, "");
	else
		(void)fprintf(out, "%*s", HELP_COLUMN - column, "");
	print_wrapped(help, HELP_COLUMN, out);
}

void
option_help(const struct command *command, FILE *out)
{
	const char *line = command->synopsis;
	const char *lead = "Usage: cadre";

	for (;;) {
		size_t len = strcspn(line, "\n");

		(void)fprintf(out, "%s %s %.*s\n", lead, command->name,
			      (int)len, line);
		if (line[len] == '\0')
			break;
		line += len + 1;
		lead = "       cadre";
	}
	(void)fputc('\n', out);
	print_wrapped(command->summary, 0, out);
	for (const struct option *o = command->options; !is_end(o); o++) {
		if (o->kind == OPTION_HEADING)
			(void)fprintf(out, "\n%s:\n", o->help);
		else if (o->help != NULL)
			help_row(o, out);
	}
	help_row(&help_option, out);
	if (command->epilogue != NULL)
		(void)fprintf(out, "\n%s\n", command->epilogue);
}
