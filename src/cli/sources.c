/* SPDX-License-Identifier: MIT */
#include "cli/sources.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"

struct separator {
	bool is, files, linked;
};

static struct separator
classify(const char *word, const char *arg_sep, const char *file_sep)
{
	const char *seps[] = {arg_sep, file_sep};

	for (int i = 0; i < 2; i++) {
		size_t len = strlen(seps[i]);

		if (strncmp(word, seps[i], len) != 0)
			continue;
		if (word[len] == '\0')
			return (struct separator){true, i == 1, false};
		if (strcmp(word + len, "+") == 0)
			return (struct separator){true, i == 1, true};
	}
	return (struct separator){false, false, false};
}

static void
add_args(struct sources *s, char **items, size_t n, bool linked)
{
	s->items[s->n++] =
		(struct input_source){.items = items, .n = n, .linked = linked};
}

static void
add_file(struct sources *s, const char *path, bool linked)
{
	s->items[s->n++] =
		(struct input_source){.path = path, .linked = linked};
}

/* One separator and the words up to the next. */
static void
add_group(struct sources *s, struct separator sep, char **words, size_t n)
{
	if (!sep.files) {
		add_args(s, words, n, sep.linked);
		return;
	}
	for (size_t i = 0; i < n; i++)
		add_file(s, words[i], sep.linked);
}

int
sources_parse(int argc, char **argv, const char *arg_sep, const char *file_sep,
	      const struct option_list *files, struct sources *ret,
	      struct cadre_error *err)
{
	struct separator sep = {false, false, false};
	struct sources s = {.words = argv};
	int start = 0;

	s.items = calloc((size_t)argc + files->n + 1, sizeof(*s.items));
	if (s.items == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < files->n; i++)
		add_file(&s, files->items[i], false);
	s.n_words = (size_t)argc;
	for (int i = 0; i <= argc; i++) {
		struct separator next = {true, false, false};

		if (i < argc)
			next = classify(argv[i], arg_sep, file_sep);
		if (!next.is)
			continue;
		if (sep.is)
			add_group(&s, sep, argv + start, (size_t)(i - start));
		else
			s.n_words = (size_t)i;
		sep = next;
		start = i + 1;
	}
	if (s.n == 0)
		add_file(&s, "-", false);
	*ret = s;
	return 0;
}

void
sources_fini(struct sources *s)
{
	free(s->items);
	s->items = NULL;
}
