/* SPDX-License-Identifier: MIT */
#ifndef CLI_HALT_H
#define CLI_HALT_H

#include <stdbool.h>
#include <stdint.h>

#include <cadre/error.h>

/* --halt: when to stop before the input ends, and the exit status of a map. */

enum halt_when { HALT_NEVER, HALT_SOON, HALT_NOW };
enum halt_why { HALT_FAIL, HALT_SUCCESS, HALT_DONE };

struct halt {
	enum halt_when when;
	enum halt_why why;
	bool percent;
	double limit;
	/* Counted by halt_count. */
	uint64_t failed, succeeded;
	bool reached;
	int status; /* of the task that reached the limit */
};

/* "never", "soon|now,fail|success|done=N[%]", and the old forms 0, 1, 2, -1,
 * -2 and N%. */
int halt_parse(const char *text, struct halt *ret, struct cadre_error *err);
/*
 * Counts a finished task; total is the number of all tasks if it is known
 * (needed for percentages), else 0.  True if the limit was reached just now.
 */
bool halt_count(struct halt *h, bool failed, int status, uint64_t total);
/* Exit status: tasks failed up to 100, 101 for more, unless --halt says
 * otherwise. */
int halt_exit_status(const struct halt *h);

#endif
