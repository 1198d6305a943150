/* SPDX-License-Identifier: MIT */
#ifndef CLI_SOURCES_H
#define CLI_SOURCES_H

#include <stddef.h>

#include <cadre/error.h>

#include "cli/input.h"
#include "cli/option.h"

/* The words after the options of map: the command, then input sources. */
struct sources {
	char **words; /* of the command; into argv */
	size_t n_words;
	struct input_source *items;
	size_t n;
};

/* files: those of --arg-file.  With no source at all standard input is one. */
int sources_parse(int argc, char **argv, const char *arg_sep,
		  const char *file_sep, const struct option_list *files,
		  struct sources *ret, struct cadre_error *err);
void sources_fini(struct sources *s);

#endif
