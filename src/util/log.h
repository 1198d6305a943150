/* SPDX-License-Identifier: MIT */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

/*
 * Log lines of programs (never of libcadre): time, level, component, text, one
 * line each, to standard error or a file.  Payloads and credentials are never
 * logged; bytes that are not printable are escaped, so that a peer cannot
 * forge lines.
 */

enum log_level {
	LOG_LEVEL_ERR = 0,
	LOG_LEVEL_WARN = 1,
	LOG_LEVEL_INFO = 2,
	LOG_LEVEL_DEBUG = 3
};

/* component is borrowed for ever. */
void log_open(const char *component, enum log_level level);
/* Lines go to path (appended) from now on; a negative errno on failure. */
int log_to_file(const char *path);
void log_set_level(enum log_level level);
/* "error", "warning", "info", "debug"; -1 for any other word. */
int log_level_parse(const char *name);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_err(...) log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
