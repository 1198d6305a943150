/* SPDX-License-Identifier: MIT */
#ifndef CADRE_ERROR_H
#define CADRE_ERROR_H

/*
 * Errors of API calls.
 *
 * Every function that can fail returns 0 or one of the negative codes
 * below and, if the caller passed a struct cadre_error, fills it in with one
 * sentence that says what failed, on what, and what can be done.  The first
 * error wins: a filled-in struct is not overwritten.  Outputs are written on
 * success only.
 *
 * The outcome of a task is never an API error: it is a property of its handle
 * (see task.h).
 */

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

enum cadre_error_code {
	CADRE_OK = 0,
	CADRE_ENOMEM = -1,    /* out of memory */
	CADRE_EINVAL = -2,    /* an argument or option is wrong */
	CADRE_ESYS = -3,      /* the operating system refused a call */
	CADRE_ETIMEDOUT = -4, /* the time allowed to this call is over */
	CADRE_ECLOSED = -5,   /* the pool or connection is closed */
	CADRE_EPROTO = -6,    /* the peer broke the protocol */
	CADRE_EVERSION = -7,  /* the peer speaks another major version */
	CADRE_EAUTH = -8,     /* the peer could not prove who it is */
	CADRE_ETOOBIG = -9,   /* a size is over its limit */
	CADRE_EAGAIN = -10,   /* not now: nothing ready, or no room */
	CADRE_ENOENT = -11,   /* no such file, function, profile or task */
	CADRE_EEXIST = -12,   /* it exists already */
	CADRE_ELAUNCH = -13,  /* daemons could not be started */
	CADRE_ELOST = -14,    /* the dispatcher is gone */
	CADRE_EINTERNAL = -15 /* a bug in cadre */
};

/* Text is always NUL-terminated; code is CADRE_OK until something fails. */
struct cadre_error {
	int code;
	char text[508];
};

/* Empty value, for initialisers: struct cadre_error err = CADRE_ERROR_INIT; */
/* clang-format off */
#define CADRE_ERROR_INIT { 0, "" }
/* clang-format on */

/*
 * Short name of an error code, such as "timed out"; "unknown error" for any
 * other number.  Returns a static string (borrowed).  Any thread.
 */
const char *cadre_strerror(int code);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
