/* SPDX-License-Identifier: MIT */
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static const char *log_component = "cadre";
static enum log_level log_threshold = LOG_LEVEL_WARN;
static int log_fd = STDERR_FILENO;

void
log_open(const char *component, enum log_level level)
{
	log_component = component;
	log_threshold = level;
}

int
log_to_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (log_fd != STDERR_FILENO)
		(void)close(log_fd);
	log_fd = fd;
	return 0;
}

void
log_set_level(enum log_level level)
{
	log_threshold = level;
}

int
log_level_parse(const char *name)
{
	for (int i = 0; i < (int)(sizeof(level_names) / sizeof(level_names[0]));
	     i++)
		if (strcmp(name, level_names[i]) == 0)
			return i;
	return -1;
}

static void
escape(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void
log_line(enum log_level level, const char *format, ...)
{
	char text[900], line[1024];
	struct timespec now;
	struct tm tm;
	va_list args;
	size_t used;
	int n;

	if (level > log_threshold)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	escape(text);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)localtime_r(&now.tv_sec, &tm);
	used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(line + used, sizeof(line) - used, ".%03d %s %s[%d]: %s\n",
		     (int)(now.tv_nsec / 1000000), level_names[level],
		     log_component, (int)getpid(), text);
	/* A log that cannot be written has nowhere to complain. */
	if (n > 0 && write(log_fd, line, strlen(line)) < 0)
		return;
}
