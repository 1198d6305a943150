/* SPDX-License-Identifier: MIT */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One line on the terminal that tells how far a map is: done, failed, rate,
 * time left.  Nothing is ever written unless standard error is a terminal.
 */
struct progress {
	bool on, bar, drawn;
	uint64_t start_ms, next_ms;
	uint64_t done, failed, running, total; /* total 0: not yet known */
};

#define PROGRESS_TICK_MS 200

void progress_init(struct progress *p, bool progress, bool bar);
/* Draws if it is time to. */
void progress_tick(struct progress *p);
/* Takes the line away, before other output. */
void progress_clear(struct progress *p);
/* Draws for the last time and ends the line. */
void progress_finish(struct progress *p);
/* The text of the line, for a terminal of that width. */
void progress_format(const struct progress *p, uint64_t now_ms, size_t width,
		     char *ret, size_t size);

#endif
