/* SPDX-License-Identifier: MIT */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cadre/error.h>

#include "util/buf.h"
#include "wire/wire.h"

/*
 * Who is at the other end.  An authenticator proves this end over both hellos
 * and checks the proof of the other one.
 */
struct auth_context {
	const uint8_t *transcript; /* both hellos, dialler's first (borrowed) */
	size_t transcript_len;
	bool have_peer_uid; /* the kernel told the peer's uid */
	uid_t peer_uid;
	uid_t expected_uid; /* whom we want to meet: our own by default */
	bool local;	    /* loopback or a local socket */
};

struct auth_ops {
	const char *name;
	/* Appends this end's proof. */
	int (*make)(const struct auth_context *ctx, struct buf *proof,
		    struct cadre_error *err);
	/* CADRE_EAUTH with the reason if proof does not convince. */
	int (*check)(const struct auth_context *ctx, const uint8_t *proof,
		     size_t len, struct cadre_error *err);
	/* Whether it can be used on that kind of address. */
	int (*usable)(bool local, bool kernel_tells_uid,
		      struct cadre_error *err);
};

extern const struct auth_ops auth_peer; /* the kernel's uid, local sockets */
extern const struct auth_ops auth_none; /* loopback only, by that very word */

/* By name; NULL if unknown. */
const struct auth_ops *auth_find(const char *name);

#endif
