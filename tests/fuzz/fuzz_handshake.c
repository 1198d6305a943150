/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <cadre/error.h>

#include "auth/handshake.h"
#include "fuzz.h"
#include "util/buf.h"
#include "wire/wire.h"

/*
 * One end against a peer that sends the input: its first byte chooses the end
 * and who the peer is, the rest is what the peer sends.
 */
enum choice {
	CHOICE_DIALLER = 1,
	CHOICE_NONE = 2,     /* auth=none */
	CHOICE_STRANGER = 4, /* the peer is another user */
	CHOICE_REMOTE = 8,   /* on another machine */
	CHOICE_SESSION = 16
};

static struct handshake *
open_end(uint8_t choice)
{
	struct handshake_params params = {
		.dialler = (choice & CHOICE_DIALLER) != 0,
		.auth = (choice & CHOICE_NONE) != 0 ? &auth_none : &auth_peer,
		.expected_uid = 1000,
		.peer_uid = (choice & CHOICE_STRANGER) != 0 ? 1001 : 1000,
		.local = (choice & CHOICE_REMOTE) == 0,
		.have_peer_uid = (choice & CHOICE_REMOTE) == 0,
		.session = (choice & CHOICE_SESSION) != 0 ? "session" : NULL,
	};
	struct handshake *hs = NULL;
	struct buf hello;

	buf_init(&hello, WIRE_MAX_HANDSHAKE);
	wire_put_u64(&hello, WIRE_TAG_ROLE,
		     params.dialler ? WIRE_ROLE_DAEMON : WIRE_ROLE_DISPATCHER);
	params.hello = hello.data;
	params.hello_len = hello.len;
	FUZZ_HOLDS(handshake_new(&params, &hs) == 0);
	buf_fini(&hello);
	return hs;
}

/* Whether such a peer must never get through. */
static bool
must_fail(uint8_t choice)
{
	if ((choice & CHOICE_REMOTE) != 0)
		return true;
	return (choice & (CHOICE_NONE | CHOICE_STRANGER)) == CHOICE_STRANGER;
}

/* What an end sends is well formed; how many frames of that type it has. */
static size_t
sent(const struct buf *out, uint16_t type)
{
	struct wire_frame frame;
	uint64_t size;
	size_t n = 0;

	for (size_t at = 0; at < out->len; at += (size_t)size) {
		const uint8_t *p = out->data + at;

		FUZZ_HOLDS(wire_peek(p, out->len - at, WIRE_MAX_HANDSHAKE,
				     &size) == 0);
		FUZZ_HOLDS(wire_decode(p, (size_t)size, &frame, NULL) == 0);
		n += frame.type == type;
	}
	return n;
}

static void
check_end(const struct handshake *hs, uint8_t choice,
	  enum handshake_status status, const struct buf *out)
{
	bool dialler = (choice & CHOICE_DIALLER) != 0;

	FUZZ_HOLDS(status != HANDSHAKE_PROVED || !dialler);
	FUZZ_HOLDS(status != HANDSHAKE_WELCOMED || dialler);
	FUZZ_HOLDS(status == HANDSHAKE_MORE || !must_fail(choice));
	FUZZ_HOLDS(status == HANDSHAKE_MORE || handshake_hello(hs) != NULL);
	FUZZ_HOLDS(out->error == 0);
	FUZZ_HOLDS(sent(out, WIRE_HELLO) <= 1);
	FUZZ_HOLDS(sent(out, WIRE_PROOF) <= 1);
	FUZZ_HOLDS(sent(out, WIRE_REFUSED) <= 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum handshake_status status = HANDSHAKE_MORE;
	struct cadre_error err = CADRE_ERROR_INIT;
	struct handshake *hs;
	struct buf out;
	uint64_t size;
	uint8_t choice;
	size_t at = 1;

	if (len == 0)
		return 0;
	choice = data[0];
	hs = open_end(choice);
	buf_init(&out, 4 * WIRE_MAX_HANDSHAKE);
	FUZZ_HOLDS(handshake_start(hs, &out, &err) == 0);
	while (wire_peek(data + at, len - at, WIRE_MAX_HANDSHAKE, &size) == 0 &&
	       size <= len - at) {
		struct wire_frame frame;
		int rc;

		if (wire_decode(data + at, (size_t)size, &frame, NULL) < 0)
			break;
		at += (size_t)size;
		rc = handshake_frame(hs, &frame, &out, &status, &err);
		FUZZ_HOLDS(rc == err.code);
		if (rc < 0)
			break;
	}
	check_end(hs, choice, status, &out);
	buf_fini(&out);
	handshake_free(&hs);
	return 0;
}
