/* SPDX-License-Identifier: MIT */
#ifndef HOST_ADDRESS_H
#define HOST_ADDRESS_H

#include <stdbool.h>

#include <cadre/error.h>

/*
 * Where dispatchers listen: private sockets below $XDG_RUNTIME_DIR/cadre or
 * /tmp/cadre-UID, a directory of mode 0700 that belongs to us.
 */

/* An owned URL for the pool of that profile; shared: the well-known one, which
 * address_find gives too, else one of this process only. */
int address_new(const char *profile, bool shared, char **ret_url,
		struct cadre_error *err);
/* The owned URL of what a user wrote after "connect": a URL, or a profile. */
int address_find(const char *connect, char **ret_url, struct cadre_error *err);
/* n random bytes as text of 2 n hexadecimal digits. */
int address_random(unsigned int n, char *text, struct cadre_error *err);

#endif
