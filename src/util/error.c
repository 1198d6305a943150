/* SPDX-License-Identifier: MIT */
#include "util/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[-CADRE_OK] = "success",
	[-CADRE_ENOMEM] = "out of memory",
	[-CADRE_EINVAL] = "invalid argument",
	[-CADRE_ESYS] = "system call failed",
	[-CADRE_ETIMEDOUT] = "timed out",
	[-CADRE_ECLOSED] = "closed",
	[-CADRE_EPROTO] = "protocol error",
	[-CADRE_EVERSION] = "incompatible version",
	[-CADRE_EAUTH] = "not authenticated",
	[-CADRE_ETOOBIG] = "too big",
	[-CADRE_EAGAIN] = "try again",
	[-CADRE_ENOENT] = "not found",
	[-CADRE_EEXIST] = "exists already",
	[-CADRE_ELAUNCH] = "launch failed",
	[-CADRE_ELOST] = "dispatcher lost",
	[-CADRE_EINTERNAL] = "internal error",
};

const char *
cadre_strerror(int code)
{
	size_t n = sizeof(names) / sizeof(names[0]);

	if (code > 0 || (size_t)-code >= n)
		return "unknown error";
	return names[-code];
}

static void
set_text(struct cadre_error *err, int code, const char *format, va_list args)
{
	err->code = code;
	(void)vsnprintf(err->text, sizeof(err->text), format, args);
}

int
error_set(struct cadre_error *err, int code, const char *format, ...)
{
	va_list args;

	if (err == NULL || err->code != CADRE_OK)
		return code;
	va_start(args, format);
	set_text(err, code, format, args);
	va_end(args);
	return code;
}

int
error_sys(struct cadre_error *err, int errnum, const char *format, ...)
{
	int code = errnum == ENOMEM ? CADRE_ENOMEM : CADRE_ESYS;
	char reason[128];
	va_list args;
	size_t used;

	if (err == NULL || err->code != CADRE_OK)
		return code;
	va_start(args, format);
	set_text(err, code, format, args);
	va_end(args);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		       strerror_r(errnum, reason, sizeof(reason)));
	return code;
}

int
error_nomem(struct cadre_error *err)
{
	return error_set(err, CADRE_ENOMEM, "out of memory");
}
