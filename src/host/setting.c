/* SPDX-License-Identifier: MIT */
#include "host/setting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "link/link.h"
#include "util/error.h"
#include "util/parse.h"

size_t
setting_find(const struct setting *table, size_t n, const char *key)
{
	size_t i = 0;

	while (i < n && strcmp(table[i].key, key) != 0)
		i++;
	return i;
}

static bool
is_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t n = strlen(text);

	return n > 0 && n <= 64 && text[0] != '.' && text[0] != '-' &&
	       strspn(text, allowed) == n;
}

static bool
is_word(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* "a, b or c" */
static void
join_words(const char *const *words, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; words[i] != NULL && used < size; i++) {
		const char *gap = i == 0		 ? ""
				  : words[i + 1] == NULL ? " or "
							 : ", ";

		used += (size_t)snprintf(text + used, size - used, "%s%s", gap,
					 words[i]);
	}
}

static bool
accepts(const struct setting *s, const char *value)
{
	int64_t number;
	uint64_t size;
	bool flag;

	switch (s->kind) {
	case SETTING_TEXT:
		return value[0] != '\0';
	case SETTING_ANY:
		return true;
	case SETTING_NAME:
		return is_name(value);
	case SETTING_BOOL:
		return parse_bool(value, &flag) == 0;
	case SETTING_DURATION:
		return parse_duration_ms(value, &number) == 0;
	case SETTING_LIMIT:
		return parse_duration_ms(value, &number) == 0 && number > 0;
	case SETTING_SIZE:
		return parse_size(value, &size) == 0;
	case SETTING_COUNT:
		if (strcmp(value, "inf") == 0)
			return true;
		/* fall through */
	case SETTING_NUMBER:
		return parse_int64(value, s->min, s->max, &number) == 0;
	case SETTING_WORD:
		return is_word(value, s->words);
	case SETTING_URL:
		return link_url_check(value, NULL) == 0;
	}
	return false;
}

static void
expectation(const struct setting *s, char *text, size_t size)
{
	static const char *const plain[] = {
		[SETTING_TEXT] = "some text",
		[SETTING_ANY] = "text",
		[SETTING_NAME] = "a name of at most 64 letters, digits, '.', "
				 "'_' and '-' that begins with a letter, digit "
				 "or '_'",
		[SETTING_BOOL] = "yes or no",
		[SETTING_DURATION] = "a duration such as 10, 250ms, 1.5s, 10m, "
				     "2h or inf",
		[SETTING_LIMIT] = "a duration over 0 such as 10, 250ms, 1.5s, "
				  "10m, 2h or inf",
		[SETTING_SIZE] = "a size such as 4096, 64K, 16M or 2G",
		[SETTING_URL] = "an address such as ipc:///path, "
				"abstract://name or tcp://host:port",
	};

	switch (s->kind) {
	case SETTING_NUMBER:
	case SETTING_COUNT:
		(void)snprintf(text, size,
			       "a whole number from %" PRId64 " to %" PRId64
			       "%s",
			       s->min, s->max,
			       s->kind == SETTING_COUNT ? ", or inf" : "");
		break;
	case SETTING_WORD:
		join_words(s->words, text, size);
		break;
	default:
		(void)snprintf(text, size, "%s", plain[s->kind]);
	}
}

int
setting_check(const struct setting *s, const char *value,
	      struct cadre_error *err)
{
	char wanted[256] = "";

	if (accepts(s, value))
		return 0;
	expectation(s, wanted, sizeof(wanted));
	return error_set(err, CADRE_EINVAL,
			 "the setting %s cannot be \"%.100s\": it takes %s",
			 s->key, value, wanted);
}

bool
setting_bool(const char *text, bool missing)
{
	if (text != NULL)
		(void)parse_bool(text, &missing);
	return missing;
}

int64_t
setting_ms(const char *text, int64_t missing)
{
	if (text != NULL)
		(void)parse_duration_ms(text, &missing);
	return missing;
}

uint64_t
setting_size(const char *text, uint64_t missing)
{
	if (text != NULL)
		(void)parse_size(text, &missing);
	return missing;
}

int64_t
setting_number(const char *text, int64_t missing)
{
	if (text != NULL)
		(void)parse_int64(text, INT64_MIN, INT64_MAX, &missing);
	return missing;
}

uint32_t
setting_count(const char *text, uint32_t missing)
{
	if (text == NULL)
		return missing;
	if (strcmp(text, "inf") == 0)
		return UINT32_MAX;
	(void)parse_uint32(text, 0, UINT32_MAX, &missing);
	return missing;
}
