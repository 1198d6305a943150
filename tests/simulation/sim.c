/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/parse.h"

#include "scale.h"
#include "world.h"

/*
 * sim [--seed S] [--steps N] [--runs N]   faults at random, rules checked
 * sim --slots N --tasks N                 nanoseconds of dispatcher per task
 *
 * A failure prints its seed; the same --seed and --steps replay it.  Without
 * --seed: FIXED_RUNS seeds that never change and one that always does.
 */

#define FIXED_RUNS 7u

static int
number(const char *text, const char *what, uint64_t *ret)
{
	int64_t x;

	if (parse_int64(text, 0, INT64_MAX, &x) < 0) {
		(void)fprintf(stderr, "sim: %s needs a number, not %s\n", what,
			      text);
		return -1;
	}
	*ret = (uint64_t)x;
	return 0;
}

static void
run(uint64_t seed, uint64_t runs, uint64_t steps)
{
	for (uint64_t i = 0; i < runs; i++)
		world_run(seed + i, steps);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},
		{"steps", required_argument, NULL, 'n'},
		{"runs", required_argument, NULL, 'r'},
		{"slots", required_argument, NULL, 'S'},
		{"tasks", required_argument, NULL, 'T'},
		{NULL, 0, NULL, 0},
	};
	uint64_t seed = 0, steps = 1000000, runs = 1, slots = 0;
	uint64_t tasks = 1000000;
	int c, rc = 0;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t *to = c == 's'	  ? &seed
			       : c == 'n' ? &steps
			       : c == 'r' ? &runs
			       : c == 'S' ? &slots
			       : c == 'T' ? &tasks
					  : NULL;

		if (to == NULL)
			return 2;
		rc |= number(optarg, argv[optind - 1], to);
	}
	if (rc != 0 || optind != argc) {
		(void)fprintf(stderr, "usage: sim [--seed S] [--steps N] "
				      "[--runs N] | --slots N --tasks N\n");
		return 2;
	}
	if (slots > 0)
		return scale_run(slots, tasks);
	if (seed == 0) {
		(void)printf("1..%u\n", FIXED_RUNS + 1);
		run(1, FIXED_RUNS, steps);
		run(1000 + clock_now_ns() % 1000000007, 1, steps);
	} else {
		run(seed, runs, steps);
	}
	return 0;
}
