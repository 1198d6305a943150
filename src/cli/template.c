/* SPDX-License-Identifier: MIT */
#include "cli/template.h"

#include <stdlib.h>
#include <string.h>

#include "cli/part.h"
#include "cli/quote.h"
#include "cli/shell.h"
#include "util/error.h"

#define TEMPLATE_MAX (64U << 20)

enum piece_kind { LITERAL, ALL, POSITION, SEQ, SLOT, WORD_BREAK };

struct piece {
	enum piece_kind kind;
	enum part part;
	int position; /* of POSITION: from 1, negative from the end */
	const char *text;
	size_t len;
};

struct template
{
	char *source; /* what the literals point into */
	struct piece *pieces;
	size_t n;
	bool quote_values;
	bool quote_words; /* pieces between word breaks are quoted as one */
	bool simple;
	bool uses_slot;
	bool has_fields;
};

/* A replacement string at the start of s; its length, or 0. */
static size_t
parse_field(const char *s, const char *all, struct piece *ret)
{
	size_t all_len = strlen(all);
	size_t inner, digits, sign;
	const char *close;

	*ret = (struct piece){.kind = ALL};
	if (strncmp(s, all, all_len) == 0)
		return all_len;
	if (s[0] != '{')
		return 0;
	close = strchr(s, '}');
	/* "{}" is none where -I chose another string. */
	if (close == NULL || close == s + 1)
		return 0;
	inner = (size_t)(close - s) - 1;
	s++;
	if (inner == 1 && (*s == '#' || *s == '%')) {
		ret->kind = *s == '#' ? SEQ : SLOT;
		return inner + 2;
	}
	sign = *s == '-';
	digits = strspn(s + sign, "0123456789");
	if (digits > 0 && digits < 7) {
		ret->kind = POSITION;
		ret->position = atoi(s);
		if (ret->position == 0)
			return 0;
	} else if (digits > 0 || sign > 0) {
		return 0;
	}
	if (!part_parse(s + sign + digits, inner - sign - digits, &ret->part))
		return 0;
	return inner + 2;
}

static int
add_piece(struct template *t, struct piece piece, struct cadre_error *err)
{
	struct piece *pieces = realloc(t->pieces, (t->n + 1) * sizeof(*pieces));

	if (pieces == NULL)
		return error_nomem(err);
	t->pieces = pieces;
	pieces[t->n++] = piece;
	return 0;
}

static int
add_literal(struct template *t, const char *s, size_t len,
	    struct cadre_error *err)
{
	if (len == 0)
		return 0;
	return add_piece(
		t, (struct piece){.kind = LITERAL, .text = s, .len = len}, err);
}

/* Splits text, which t->source holds, into literals and fields. */
static int
add_text(struct template *t, const char *text, const char *all,
	 struct cadre_error *err)
{
	const char *start = text;
	int rc;

	while (*text != '\0') {
		struct piece piece;
		size_t len = parse_field(text, all, &piece);

		if (len == 0) {
			text++;
			continue;
		}
		rc = add_literal(t, start, (size_t)(text - start), err);
		if (rc == 0)
			rc = add_piece(t, piece, err);
		if (rc < 0)
			return rc;
		t->has_fields = true;
		t->uses_slot |= piece.kind == SLOT;
		text += len;
		start = text;
	}
	return add_literal(t, start, (size_t)(text - start), err);
}

static bool
begins_with_blank(const struct piece *p)
{
	return p->kind == LITERAL && (*p->text == ' ' || *p->text == '\t');
}

/* True if the shell takes every literal byte for itself, and the first word is
 * a program's name. */
static bool
is_simple(const struct template *t)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz"
				   "0123456789_./+-:,@%= \t";
	const struct piece *first = t->pieces;
	const char *s;
	size_t len;

	if (t->n == 0 || first->kind != LITERAL)
		return false;
	s = first->text;
	len = first->len;
	if (t->quote_words) {
		/* The first word must be one literal. */
		return (t->n == 1 || t->pieces[1].kind == WORD_BREAK) &&
		       shell_runs_program(s, len);
	}
	for (size_t i = 0; i < t->n; i++)
		if (t->pieces[i].kind == LITERAL &&
		    strspn(t->pieces[i].text, safe) < t->pieces[i].len)
			return false;
	while (len > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		len--;
	}
	/* name{} is put together at run time. */
	if (strcspn(s, " \t") >= len && t->n > 1 &&
	    !begins_with_blank(first + 1))
		return false;
	if (strcspn(s, " \t") < len)
		len = strcspn(s, " \t");
	return shell_runs_program(s, len);
}

static int
join(char *const *words, size_t n, char **ret, struct cadre_error *err)
{
	size_t len = 1;
	char *text, *p;

	for (size_t i = 0; i < n; i++)
		len += strlen(words[i]) + 1;
	text = p = malloc(len);
	if (text == NULL)
		return error_nomem(err);
	*p = '\0';
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			*p++ = ' ';
		p = stpcpy(p, words[i]);
	}
	*ret = text;
	return 0;
}

/* One piece list for each word, word breaks between them. */
static int
add_words(struct template *t, char *const *words, size_t n, const char *all,
	  struct cadre_error *err)
{
	for (size_t i = 0; i < n; i++) {
		int rc = 0;

		if (i > 0)
			rc = add_piece(t, (struct piece){.kind = WORD_BREAK},
				       err);
		if (rc == 0)
			rc = add_text(t, words[i], all, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* {} at the end, after a blank unless it is all there is. */
static int
append_all(struct template *t, struct cadre_error *err)
{
	int rc = 0;

	if (t->quote_words && t->n > 0)
		rc = add_piece(t, (struct piece){.kind = WORD_BREAK}, err);
	else if (t->n > 0)
		rc = add_literal(t, " ", 1, err);
	if (rc == 0)
		rc = add_piece(t, (struct piece){.kind = ALL}, err);
	t->has_fields = true;
	return rc;
}

/* The values are the command itself if the line begins with one. */
static bool
begins_with_field(const struct template *t, const char *all)
{
	struct piece piece;
	const char *s = t->source;

	if (*s == '"' || *s == '\'')
		s++;
	return *s == '\0' || parse_field(s, all, &piece) > 0;
}

int
template_new_command(char *const *words, size_t n, const char *all, bool quote,
		     struct template **ret, struct cadre_error *err)
{
	struct template *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return error_nomem(err);
	t->quote_words = quote && n > 0;
	rc = join(words, n, &t->source, err);
	if (rc == 0)
		rc = t->quote_words ? add_words(t, words, n, all, err)
				    : add_text(t, t->source, all, err);
	if (rc == 0 && !t->has_fields)
		rc = append_all(t, err);
	if (rc < 0) {
		template_free(&t);
		return rc;
	}
	t->quote_values = !t->quote_words && !begins_with_field(t, all);
	t->simple = (t->quote_words || t->quote_values) && is_simple(t);
	*ret = t;
	return 0;
}

int
template_new_text(const char *text, const char *all, struct template **ret,
		  struct cadre_error *err)
{
	struct template *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return error_nomem(err);
	t->source = strdup(text);
	rc = t->source == NULL ? error_nomem(err)
			       : add_text(t, t->source, all, err);
	if (rc < 0) {
		template_free(&t);
		return rc;
	}
	*ret = t;
	return 0;
}

void
template_free(struct template **t)
{
	if (*t == NULL)
		return;
	free((*t)->source);
	free((*t)->pieces);
	free(*t);
	*t = NULL;
}

bool
template_uses_slot(const struct template *t)
{
	return t->uses_slot;
}

bool
template_has_fields(const struct template *t)
{
	return t->has_fields;
}

bool
template_is_simple(const struct template *t)
{
	return t->simple;
}

/* The range of arguments that a piece stands for; false if there is none. */
static bool
piece_range(const struct piece *p, const struct args *args, size_t *ret_first,
	    size_t *ret_end)
{
	size_t position;

	if (p->kind == ALL) {
		*ret_first = 0;
		*ret_end = args->n;
		return args->n > 0;
	}
	position = p->position > 0 ? (size_t)p->position
				   : args->n + 1 - (size_t)-p->position;
	if (position == 0 || position > args->n)
		return false;
	*ret_first = position - 1;
	*ret_end = position;
	return true;
}

static size_t
put_number(char *digits, size_t size, uint64_t x)
{
	size_t at = size;

	do {
		digits[--at] = (char)('0' + x % 10);
		x /= 10;
	} while (x > 0);
	return at;
}

static void
render_piece(const struct piece *p, const struct args *args, uint64_t seq,
	     uint32_t slot, bool quote, struct buf *out)
{
	char digits[24];
	size_t first, end;

	if (p->kind == LITERAL) {
		buf_put(out, p->text, p->len);
		return;
	}
	if (p->kind == SEQ || p->kind == SLOT) {
		first = put_number(digits, sizeof(digits),
				   p->kind == SEQ ? seq : slot);
		buf_put(out, digits + first, sizeof(digits) - first);
		return;
	}
	if (p->kind == WORD_BREAK || !piece_range(p, args, &first, &end))
		return;
	for (size_t i = first; i < end; i++) {
		const char *s = args_at(args, i);
		size_t len = strlen(s);

		if (i > first)
			buf_put_u8(out, ' ');
		part_take(p->part, &s, &len);
		if (quote)
			quote_shell(out, s, len);
		else
			buf_put(out, s, len);
	}
}

/* Each word is put together and then quoted as one. */
static void
render_quoted_words(const struct template *t, const struct args *args,
		    uint64_t seq, uint32_t slot, struct buf *out)
{
	struct buf word;

	buf_init(&word, TEMPLATE_MAX);
	for (size_t i = 0; i <= t->n; i++) {
		if (i < t->n && t->pieces[i].kind != WORD_BREAK) {
			render_piece(&t->pieces[i], args, seq, slot, false,
				     &word);
			continue;
		}
		/* NUL-terminated for template_quote's scan. */
		buf_put_u8(&word, 0);
		if (word.error != 0)
			out->error = word.error;
		else
			quote_shell(out, (const char *)word.data, word.len - 1);
		if (i < t->n)
			buf_put_u8(out, ' ');
		buf_reset(&word);
	}
	buf_fini(&word);
}

void
template_render(const struct template *t, const struct args *args, uint64_t seq,
		uint32_t slot, struct buf *out)
{
	if (t->quote_words) {
		render_quoted_words(t, args, seq, slot, out);
		return;
	}
	for (size_t i = 0; i < t->n; i++)
		render_piece(&t->pieces[i], args, seq, slot, t->quote_values,
			     out);
}

/* A word being put together, while it is known to exist. */
struct word {
	struct buf text;
	bool exists;
	struct args *words;
	struct cadre_error *err;
	int rc;
};

static void
word_end(struct word *w)
{
	if (w->exists && w->rc == 0)
		w->rc = args_add(w->words, (const char *)w->text.data,
				 w->text.len, w->err);
	if (w->text.error != 0)
		w->rc = error_nomem(w->err);
	buf_reset(&w->text);
	w->exists = false;
}

static void
word_literal(struct word *w, const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end) {
		size_t run = strcspn(s, " \t");

		if (run > (size_t)(end - s))
			run = (size_t)(end - s);
		if (run > 0) {
			buf_put(&w->text, s, run);
			w->exists = true;
		}
		s += run;
		if (s < end) {
			word_end(w);
			s++;
		}
	}
}

static void
word_values(struct word *w, const struct piece *p, const struct args *args)
{
	size_t first, end;

	if (!piece_range(p, args, &first, &end))
		return;
	for (size_t i = first; i < end; i++) {
		const char *s = args_at(args, i);
		size_t len = strlen(s);

		if (i > first)
			word_end(w);
		part_take(p->part, &s, &len);
		buf_put(&w->text, s, len);
		w->exists = true;
	}
}

int
template_render_words(const struct template *t, const struct args *args,
		      uint64_t seq, uint32_t slot, struct args *ret_words,
		      struct cadre_error *err)
{
	struct word w = {.words = ret_words, .err = err};

	buf_init(&w.text, TEMPLATE_MAX);
	for (size_t i = 0; i < t->n; i++) {
		const struct piece *p = &t->pieces[i];

		if (p->kind == WORD_BREAK) {
			w.exists = true;
			word_end(&w);
		} else if (p->kind == LITERAL && !t->quote_words) {
			word_literal(&w, p->text, p->len);
		} else if (!t->quote_words &&
			   (p->kind == ALL || p->kind == POSITION)) {
			word_values(&w, p, args);
		} else {
			render_piece(p, args, seq, slot, false, &w.text);
			w.exists = true;
		}
	}
	w.exists |= t->quote_words;
	word_end(&w);
	buf_fini(&w.text);
	return w.rc;
}
