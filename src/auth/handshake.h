/* SPDX-License-Identifier: MIT */
#ifndef AUTH_HANDSHAKE_H
#define AUTH_HANDSHAKE_H

#include "auth/auth.h"
#include "wire/wire.h"

/*
 * The first frames of a connection: HELLO both ways, PROOF both ways, then the
 * dispatcher's WELCOME or REFUSED.  A pure state machine over frames, the same
 * for both ends; anything out of order is CADRE_EPROTO.
 *
 *   dialler                     listener (dispatcher)
 *   HELLO                  ->
 *                          <-   HELLO, PROOF (REFUSED ends it)
 *   PROOF                  ->
 *                          <-   WELCOME or REFUSED
 */
struct handshake;

/* Where it stands after a frame. */
enum handshake_status {
	HANDSHAKE_MORE = 0,    /* waiting for the peer */
	HANDSHAKE_PROVED = 1,  /* listener: peer is who it should be; the driver
				  sends WELCOME */
	HANDSHAKE_WELCOMED = 2 /* dialler: done; welcome holds the settings */
};

struct handshake_params {
	bool dialler;
	const struct auth_ops *auth;
	uid_t expected_uid;
	bool local;
	bool have_peer_uid;
	uid_t peer_uid;
	/* Encoded fields of this end's HELLO beyond VERSION, NONCE and AUTH
	 * (ROLE and what the role needs); copied. */
	const uint8_t *hello;
	size_t hello_len;
	/* Session id that must match if both ends name one; copied, may be
	 * NULL.  Sent with the hello. */
	const char *session;
};

int handshake_new(const struct handshake_params *params,
		  struct handshake **ret_hs);
void handshake_free(struct handshake **hs);
/* The frames to send first (the dialler's HELLO), appended encoded. */
int handshake_start(struct handshake *hs, struct buf *out,
		    struct cadre_error *err);
/*
 * A frame of the peer.  What has to be sent is appended, encoded, to out, also
 * on failure (REFUSED with the reason).  CADRE_EAUTH, CADRE_EVERSION,
 * CADRE_EPROTO: close after sending out.
 */
int handshake_frame(struct handshake *hs, const struct wire_frame *frame,
		    struct buf *out, enum handshake_status *ret_status,
		    struct cadre_error *err);
/* The peer's HELLO and the dispatcher's WELCOME, decoded, borrowed; NULL before
 * they came. */
const struct wire_frame *handshake_hello(const struct handshake *hs);
const struct wire_frame *handshake_welcome(const struct handshake *hs);

#endif
