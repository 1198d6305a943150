/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/clock.h"

#define LINE_MAX_LEN 512
#define WIDTH_DEFAULT 80

void
progress_init(struct progress *p, bool progress, bool bar)
{
	*p = (struct progress){
		.on = (progress || bar) && isatty(STDERR_FILENO) == 1,
		.bar = bar,
		.start_ms = clock_now_ms(),
	};
}

static size_t
terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return WIDTH_DEFAULT;
	return size.ws_col;
}

static void
format_left(char *ret, size_t size, double seconds)
{
	unsigned long s = (unsigned long)(seconds + 0.5);

	if (seconds > 99.0 * 86400)
		(void)snprintf(ret, size, "long");
	else if (s >= 86400)
		(void)snprintf(ret, size, "%lud %02lu:%02lu", s / 86400,
			       s / 3600 % 24, s / 60 % 60);
	else if (s >= 3600)
		(void)snprintf(ret, size, "%lu:%02lu:%02lu", s / 3600,
			       s / 60 % 60, s % 60);
	else
		(void)snprintf(ret, size, "%lu:%02lu", s / 60, s % 60);
}

/* "12 of 100 done, 1 failed, 2 running, 33.1/s, 0:03 left" */
static size_t
format_counts(const struct progress *p, double seconds, char *ret, size_t size)
{
	double rate = seconds > 0 ? (double)p->done / seconds : 0;
	char total[32] = "", left[32] = "", eta[48] = "";

	if (p->total > 0)
		(void)snprintf(total, sizeof(total), " of %llu",
			       (unsigned long long)p->total);
	if (p->total > 0 && rate > 0) {
		format_left(left, sizeof(left),
			    (double)(p->total - p->done) / rate);
		(void)snprintf(eta, sizeof(eta), ", %s left", left);
	}
	return (size_t)snprintf(
		ret, size, "%llu%s done, %llu failed, %llu running, %.*f/s%s",
		(unsigned long long)p->done, total,
		(unsigned long long)p->failed, (unsigned long long)p->running,
		rate < 10 ? 2 : 0, rate, eta);
}

void
progress_format(const struct progress *p, uint64_t now_ms, size_t width,
		char *ret, size_t size)
{
	double seconds = (double)(now_ms - p->start_ms) / 1e3;
	char counts[LINE_MAX_LEN];
	size_t len = format_counts(p, seconds, counts, sizeof(counts));
	size_t room, filled;

	if (!p->bar || p->total == 0 || width < len + 16) {
		(void)snprintf(ret, size, "%.*s", (int)(width - 1), counts);
		return;
	}
	/* "[####....]  37% " and the counts. */
	room = width - len - 9;
	if (room > 40)
		room = 40;
	filled = (size_t)((double)room * (double)p->done / (double)p->total);
	(void)snprintf(ret, size, "[%.*s%.*s] %3d%% %s", (int)filled,
		       "########################################",
		       (int)(room - filled),
		       "........................................",
		       (int)(100 * p->done / p->total), counts);
}

static void
draw(struct progress *p, uint64_t now_ms)
{
	char text[LINE_MAX_LEN], line[LINE_MAX_LEN + 16];
	int n;

	progress_format(p, now_ms, terminal_width(), text, sizeof(text));
	n = snprintf(line, sizeof(line), "\r%s\033[K", text);
	(void)!write(STDERR_FILENO, line, (size_t)n);
	p->drawn = true;
	p->next_ms = now_ms + PROGRESS_TICK_MS;
}

void
progress_tick(struct progress *p)
{
	uint64_t now_ms;

	if (!p->on)
		return;
	now_ms = clock_now_ms();
	if (now_ms >= p->next_ms)
		draw(p, now_ms);
}

void
progress_clear(struct progress *p)
{
	if (!p->drawn)
		return;
	(void)!write(STDERR_FILENO, "\r\033[K", 4);
	p->drawn = false;
	p->next_ms = 0;
}

void
progress_finish(struct progress *p)
{
	if (!p->on)
		return;
	draw(p, clock_now_ms());
	(void)!write(STDERR_FILENO, "\n", 1);
	p->drawn = false;
}
