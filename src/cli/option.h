/* SPDX-License-Identifier: MIT */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cadre/error.h>

/*
 * Command lines described by tables.  Each row names an option, says what its
 * value is and where it goes; parsing, --help and the message for an unknown
 * option all come from the table.
 *
 * Options end at the first argument that is none, or at "--" (taken away).
 * Values: --name=VALUE, --name VALUE, -nVALUE, -n VALUE; short flags cluster.
 */

enum option_kind {
	OPTION_HEADING = 0, /* help is a heading of --help, nothing else */
	OPTION_FLAG,	    /* bool, set to true */
	OPTION_TEXT,	    /* const char *, borrowed from argv */
	OPTION_COUNT,	    /* uint32_t */
	OPTION_DURATION,    /* int64_t, milliseconds */
	OPTION_LIST,	    /* struct option_list */
	OPTION_CALL,	    /* set() is called */
};

/* Values of an option that may be given several times; grown by option_parse,
 * the strings borrowed from argv. */
struct option_list {
	const char **items;
	size_t n;
};

struct option {
	enum option_kind kind;
	char short_name;  /* 0: none */
	const char *name; /* without dashes; NULL: none */
	const char *arg;  /* name of the value in --help; NULL: a flag */
	const char *help; /* NULL: another name of the row before */
	size_t offset;	  /* of the target in the struct being filled */
	int (*set)(void *target, const char *value, struct cadre_error *err);
};

/* clang-format off */
#define OPTION_END { OPTION_HEADING, 0, NULL, NULL, NULL, 0, NULL }
/* clang-format on */

/* A sub-command as --help shows it. */
struct command {
	const char *name;
	const char *synopsis; /* after the name; lines separated by \n */
	const char *summary;  /* one sentence */
	const char *epilogue; /* after the options; may be NULL */
	const struct option *options;
	int (*main)(int argc, char **argv);
	int failure; /* exit status of cadre's own failures */
};

/*
 * Fills *target (the struct that the offsets refer to) from argv[1...].
 * *ret_first is the index of the first argument that is no option.  1 if
 * --help was asked for and printed; a sentence otherwise.
 */
int option_parse(const struct command *command, int argc, char **argv,
		 void *target, int *ret_first, struct cadre_error *err);
int option_list_add(struct option_list *list, const char *value,
		    struct cadre_error *err);
void option_list_fini(struct option_list *list);

void option_help(const struct command *command, FILE *out);
/* The name nearest to word, for "did you mean"; NULL if none is near. */
const char *option_nearest(const char *word, const char *const *names,
			   size_t n);

#endif
