/* SPDX-License-Identifier: MIT */
#ifndef CLI_HOSTS_H
#define CLI_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/pool.h>

/* Names of the nodes of daemons, for logs. */
struct hosts {
	struct cadre_pool *pool; /* borrowed; NULL: all daemons are local */
	struct {
		uint32_t incarnation;
		char node[64];
	} * items;
	size_t n;
};

/* ":" for a daemon of this machine's own pool, as GNU parallel writes it.
 * Borrowed until the next call. */
const char *hosts_name(struct hosts *h, uint32_t incarnation);
void hosts_fini(struct hosts *h);

#endif
