/* SPDX-License-Identifier: MIT */
#include "util/parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cadre/error.h>

struct unit {
	const char *name;
	double factor;
};

int
parse_int64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	char *end;
	long long x;

	if (!isdigit((unsigned char)text[0]) && text[0] != '-')
		return CADRE_EINVAL;
	errno = 0;
	x = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || x < min || x > max)
		return CADRE_EINVAL;
	*ret = x;
	return 0;
}

int
parse_uint32(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	int64_t x;

	if (parse_int64(text, min, max, &x) < 0)
		return CADRE_EINVAL;
	*ret = (uint32_t)x;
	return 0;
}

/* A finite decimal number at the start of text; *ret_end is what follows. */
static int
parse_number(const char *text, double *ret, const char **ret_end)
{
	size_t digits = strspn(text, "0123456789.eE+-");
	char *end;
	double x;

	if (digits == 0 || isspace((unsigned char)text[0]))
		return CADRE_EINVAL;
	errno = 0;
	x = strtod(text, &end);
	if (errno != 0 || end == text || !isfinite(x))
		return CADRE_EINVAL;
	*ret = x;
	*ret_end = end;
	return 0;
}

int
parse_double(const char *text, double *ret)
{
	const char *end;
	double x;

	if (parse_number(text, &x, &end) < 0 || *end != '\0')
		return CADRE_EINVAL;
	*ret = x;
	return 0;
}

int
parse_bool(const char *text, bool *ret)
{
	static const char *const words[] = {"no",  "yes", "false", "true",
					    "off", "on",  "0",	   "1"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*ret = i % 2 == 1;
		return 0;
	}
	return CADRE_EINVAL;
}

/* A number and a unit of the table, multiplied; the table ends with NULL. */
static int
parse_scaled(const char *text, const struct unit *units, double max,
	     double *ret)
{
	const char *end;
	double x;

	if (parse_number(text, &x, &end) < 0 || x < 0)
		return CADRE_EINVAL;
	for (; units->name != NULL; units++)
		if (strcmp(end, units->name) == 0)
			break;
	if (units->name == NULL || x * units->factor > max)
		return CADRE_EINVAL;
	*ret = x * units->factor;
	return 0;
}

int
parse_duration_ms(const char *text, int64_t *ret)
{
	static const struct unit units[] = {
		{"", 1e3},   {"ms", 1},	   {"s", 1e3}, {"m", 6e4},
		{"h", 36e5}, {"d", 864e5}, {NULL, 0},
	};
	double ms;

	if (strcmp(text, "inf") == 0 || strcmp(text, "none") == 0) {
		*ret = PARSE_FOREVER;
		return 0;
	}
	if (parse_scaled(text, units, 1e15, &ms) < 0)
		return CADRE_EINVAL;
	*ret = (int64_t)ceil(ms);
	return 0;
}

int
parse_size(const char *text, uint64_t *ret)
{
	static const double k = 1024;
	const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"K", k},
		{"KB", k},
		{"KiB", k},
		{"M", k * k},
		{"MB", k * k},
		{"MiB", k * k},
		{"G", k * k * k},
		{"GB", k * k * k},
		{"GiB", k * k * k},
		{"T", k * k * k * k},
		{"TB", k * k * k * k},
		{"TiB", k * k * k * k},
		{NULL, 0},
	};
	double bytes;

	if (parse_scaled(text, units, 9e15, &bytes) < 0)
		return CADRE_EINVAL;
	*ret = (uint64_t)bytes;
	return 0;
}
