/* SPDX-License-Identifier: MIT */
#include "cli/part.h"

#include <string.h>

static const struct {
	const char *text;
	enum part part;
} parts[] = {
	{"", PART_WHOLE},     {".", PART_NO_EXTENSION}, {"/", PART_BASENAME},
	{"//", PART_DIRNAME}, {"/.", PART_STEM},
};

static const char *
last_slash(const char *s, size_t len)
{
	return len > 0 ? memrchr(s, '/', len) : NULL;
}

void
part_take(enum part part, const char **s, size_t *len)
{
	const char *slash, *dot;

	if (part == PART_BASENAME || part == PART_STEM) {
		slash = last_slash(*s, *len);
		if (slash != NULL) {
			*len -= (size_t)(slash + 1 - *s);
			*s = slash + 1;
		}
	}
	if (part == PART_NO_EXTENSION || part == PART_STEM) {
		slash = last_slash(*s, *len);
		dot = *len > 0 ? memrchr(*s, '.', *len) : NULL;
		if (dot != NULL && (slash == NULL || dot > slash))
			*len = (size_t)(dot - *s);
	}
	if (part != PART_DIRNAME)
		return;
	/* As dirname(1): trailing slashes, the last name, the slashes before
	 * it. */
	while (*len > 1 && (*s)[*len - 1] == '/')
		(*len)--;
	slash = last_slash(*s, *len);
	if (slash == NULL) {
		*s = ".";
		*len = 1;
		return;
	}
	*len = (size_t)(slash - *s) + 1;
	while (*len > 1 && (*s)[*len - 1] == '/')
		(*len)--;
}

bool
part_parse(const char *s, size_t len, enum part *ret)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strlen(parts[i].text) != len ||
		    memcmp(parts[i].text, s, len) != 0)
			continue;
		*ret = parts[i].part;
		return true;
	}
	return false;
}
