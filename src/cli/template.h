/* SPDX-License-Identifier: MIT */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>

#include "cli/args.h"
#include "util/buf.h"

/*
 * Templates with replacement strings, in GNU parallel's notation:
 *   {} {.} {/} {//} {/.}	all arguments, and their parts
 *   {N} {N.} {N/} {N//} {N/.}	the N-th one (negative: counted from the end)
 *   {#} {%}			number of the task, number of its slot
 * Anything else in braces is left as it is.
 */
struct template;

enum template_quoting {
	TEMPLATE_RAW,	/* values go in as they are */
	TEMPLATE_SHELL, /* values are quoted for the shell */
};

/*
 * Of a command line: the words are joined with blanks.  quote (-q): the words
 * are quoted as well, so that the shell takes each one literally.  all: the
 * string that stands for {} ("{}" by default), which is added at the end if
 * there is no replacement string at all.
 */
int template_new_command(char *const *words, size_t n, const char *all,
			 bool quote, struct template **ret,
			 struct cadre_error *err);
/* Of plain text: the values are never quoted. */
int template_new_text(const char *text, const char *all, struct template **ret,
		      struct cadre_error *err);
void template_free(struct template **t);

/* True if {%} occurs, any replacement string occurs. */
bool template_uses_slot(const struct template *t);
bool template_has_fields(const struct template *t);

/* Appends the text for these arguments to out (not NUL-terminated). */
void template_render(const struct template *t, const struct args *args,
		     uint64_t seq, uint32_t slot, struct buf *out);

/*
 * True if the shell would do nothing with the line but split it at blanks and
 * run the first word as a program, whatever the arguments are; then
 * template_render_words gives these words.
 */
bool template_is_simple(const struct template *t);
int template_render_words(const struct template *t, const struct args *args,
			  uint64_t seq, uint32_t slot, struct args *ret_words,
			  struct cadre_error *err);

#endif
