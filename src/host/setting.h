/* SPDX-License-Identifier: MIT */
#ifndef HOST_SETTING_H
#define HOST_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>

/*
 * Tables of settings: what a key is called, which values it takes, and the
 * line that explains it.  Values are kept as the text that the user wrote,
 * checked when it is set.
 */
enum setting_kind {
	SETTING_TEXT,	  /* anything but nothing */
	SETTING_ANY,	  /* anything */
	SETTING_NAME,	  /* letters, digits, and ._- : part of a file name */
	SETTING_BOOL,	  /* yes or no */
	SETTING_DURATION, /* 0 is a duration */
	SETTING_LIMIT,	  /* a duration over 0, or none */
	SETTING_SIZE,	  /* bytes */
	SETTING_NUMBER,	  /* min to max */
	SETTING_COUNT,	  /* min to max, or "inf" */
	SETTING_WORD,	  /* one of words */
	SETTING_URL	  /* an address to listen on */
};

struct setting {
	const char *key;
	enum setting_kind kind;
	int64_t min, max;
	const char *const *words; /* NULL-terminated */
	const char *help;
};

/* The place of key in table; n if it is not there. */
size_t setting_find(const struct setting *table, size_t n, const char *key);
/* CADRE_EINVAL with a sentence if value is not one that key takes. */
int setting_check(const struct setting *s, const char *value,
		  struct cadre_error *err);

/* Readers of checked text; NULL gives missing. */
bool setting_bool(const char *text, bool missing);
/* Milliseconds; PARSE_FOREVER for "inf". */
int64_t setting_ms(const char *text, int64_t missing);
uint64_t setting_size(const char *text, uint64_t missing);
int64_t setting_number(const char *text, int64_t missing);
/* UINT32_MAX for "inf". */
uint32_t setting_count(const char *text, uint32_t missing);

#endif
