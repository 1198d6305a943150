/* SPDX-License-Identifier: MIT */
#ifndef CLI_RESULTS_H
#define CLI_RESULTS_H

#include <stdbool.h>

#include <cadre/error.h>

#include "cli/record.h"

/*
 * --results: the output of each task in files, in GNU parallel's layout.
 *   DIR		DIR/1/VALUE/2/VALUE/{stdout,stderr,seq}
 *   with {...}	FILE, FILE.err, FILE.seq; ending in "/": FILE/stdout, ...
 * The seq file is written last: where it exists, the task is done.
 */
struct results;

int results_new(const char *where, const char *all, struct results **ret,
		struct cadre_error *err);
void results_free(struct results **r);
/* True if the names tell the slots apart. */
bool results_use_slot(const struct results *r);
int results_write(struct results *r, const struct record *record, uint32_t slot,
		  struct cadre_error *err);
bool results_exist(struct results *r, const struct args *args, uint64_t seq);

#endif
