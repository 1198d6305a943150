/* SPDX-License-Identifier: MIT */
#include "cli/halt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/parse.h"

#define STATUS_MANY 101

static const char *const when_names[] = {"never", "soon", "now"};
static const char *const why_names[] = {"fail", "success", "done"};

static const struct {
	const char *text;
	struct halt halt;
} old_forms[] = {
	{"0", {.when = HALT_NEVER}},
	{"1", {.when = HALT_SOON, .why = HALT_FAIL, .limit = 1}},
	{"2", {.when = HALT_NOW, .why = HALT_FAIL, .limit = 1}},
	{"-1", {.when = HALT_SOON, .why = HALT_SUCCESS, .limit = 1}},
	{"-2", {.when = HALT_NOW, .why = HALT_SUCCESS, .limit = 1}},
};

static int
find_name(const char *text, size_t len, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0)
			return (int)i;
	return -1;
}

/* "3" or "3%". */
static bool
parse_limit(const char *text, struct halt *h)
{
	char number[32];
	size_t len = strlen(text);

	h->percent = len > 0 && text[len - 1] == '%';
	len -= h->percent;
	if (len == 0 || len >= sizeof(number))
		return false;
	memcpy(number, text, len);
	number[len] = '\0';
	if (parse_double(number, &h->limit) < 0 || h->limit <= 0)
		return false;
	return h->percent ? h->limit <= 100 : h->limit == floor(h->limit);
}

static bool
parse_pair(const char *text, struct halt *h)
{
	size_t when_len = strcspn(text, ",");
	const char *why = text + when_len + (text[when_len] == ',');
	size_t why_len = strcspn(why, "=");
	int i = find_name(text, when_len, when_names, 3);
	int j = find_name(why, why_len, why_names, 3);

	if (i == HALT_NEVER && text[when_len] == '\0')
		return true;
	if (i <= 0 || j < 0 || why[why_len] != '=')
		return false;
	h->when = (enum halt_when)i;
	h->why = (enum halt_why)j;
	return parse_limit(why + why_len + 1, h);
}

int
halt_parse(const char *text, struct halt *ret, struct cadre_error *err)
{
	struct halt h = {.when = HALT_NEVER};

	for (size_t i = 0; i < sizeof(old_forms) / sizeof(old_forms[0]); i++)
		if (strcmp(text, old_forms[i].text) == 0) {
			*ret = old_forms[i].halt;
			return 0;
		}
	if (strchr(text, '%') != NULL && strchr(text, ',') == NULL) {
		h.when = HALT_SOON;
		if (parse_limit(text, &h) && h.percent) {
			*ret = h;
			return 0;
		}
	} else if (parse_pair(text, &h)) {
		*ret = h;
		return 0;
	}
	return error_set(err, CADRE_EINVAL,
			 "--halt: \"%.60s\" is not never, or soon or now with "
			 "fail, success or done (as in now,fail=1 or "
			 "soon,fail=20%%)",
			 text);
}

bool
halt_count(struct halt *h, bool failed, int status, uint64_t total)
{
	double count;

	h->failed += failed;
	h->succeeded += !failed;
	if (h->when == HALT_NEVER || h->reached)
		return false;
	if (h->why == HALT_FAIL && !failed)
		return false;
	if (h->why == HALT_SUCCESS && failed)
		return false;
	count = (double)(h->why == HALT_FAIL	  ? h->failed
			 : h->why == HALT_SUCCESS ? h->succeeded
						  : h->failed + h->succeeded);
	if (h->percent && total == 0)
		return false;
	if (count < (h->percent ? h->limit / 100 * (double)total : h->limit))
		return false;
	h->reached = true;
	h->status = status;
	return true;
}

int
halt_exit_status(const struct halt *h)
{
	uint64_t done = h->failed + h->succeeded;

	if (h->reached && h->why == HALT_SUCCESS)
		return 0;
	if (h->reached && h->failed == 1 && h->status != 0)
		return h->status;
	if (h->when != HALT_NEVER && h->percent && h->failed > 0)
		return (int)ceil(100 * (double)h->failed / (double)done);
	return h->failed > 100 ? STATUS_MANY : (int)h->failed;
}
