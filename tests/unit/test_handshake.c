/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <cadre/error.h>

#include "auth/auth.h"
#include "auth/handshake.h"
#include "util/buf.h"
#include "util/error.h"
#include "wire/wire.h"

#define UID 1000

/* One end of a handshake under test. */
struct end {
	struct handshake *hs;
	struct buf out;
	size_t read; /* of out, by the other end */
	size_t got;  /* frames */
	enum handshake_status status;
	int rc;
	struct cadre_error err;
};

/* What may be varied. */
struct setup {
	const struct auth_ops *auth;
	uint64_t role;
	const char *session;
	bool remote;
	bool no_uid;
	uid_t peer_uid;
};

static const struct setup a_daemon = {
	&auth_peer, WIRE_ROLE_DAEMON, NULL, false, false, UID};
static const struct setup a_dispatcher = {
	&auth_peer, WIRE_ROLE_DISPATCHER, NULL, false, false, UID};

static void
end_open(struct end *e, bool dialler, const struct setup *s)
{
	struct handshake_params params = {
		.dialler = dialler,
		.auth = s->auth,
		.expected_uid = UID,
		.local = !s->remote,
		.have_peer_uid = !s->no_uid,
		.peer_uid = s->peer_uid,
		.session = s->session,
	};
	struct buf hello;

	memset(e, 0, sizeof(*e));
	buf_init(&e->out, 65536);
	buf_init(&hello, 65536);
	if (s->role != 0)
		wire_put_u64(&hello, WIRE_TAG_ROLE, s->role);
	params.hello = hello.data;
	params.hello_len = hello.len;
	assert_int_equal(handshake_new(&params, &e->hs), 0);
	buf_fini(&hello);
	assert_int_equal(handshake_start(e->hs, &e->out, NULL), 0);
}

static void
end_close(struct end *e)
{
	handshake_free(&e->hs);
	assert_null(e->hs);
	buf_fini(&e->out);
}

/* Hands one frame of from to to; false if there is none. */
static bool
pass_one(struct end *from, struct end *to)
{
	size_t left = from->out.len - from->read;
	struct wire_frame frame;
	uint64_t size;

	if (left == 0)
		return false;
	assert_int_equal(wire_peek(from->out.data + from->read, left,
				   WIRE_MAX_HANDSHAKE, &size),
			 0);
	assert_int_equal(wire_decode(from->out.data + from->read, (size_t)size,
				     &frame, NULL),
			 0);
	from->read += (size_t)size;
	to->got++;
	to->rc = handshake_frame(to->hs, &frame, &to->out, &to->status,
				 &to->err);
	return true;
}

static void
put_frame(struct end *e, uint16_t type, const struct buf *fields)
{
	struct wire_frame frame = {.type = type};

	if (fields != NULL) {
		frame.fields = fields->data;
		frame.fields_len = fields->len;
	}
	wire_encode(&e->out, &frame);
}

/* Both ends talk until nobody has anything to say or one of them fails. */
static void
talk(struct end *dialler, struct end *listener)
{
	bool moved = true;

	while (moved) {
		moved = dialler->rc == 0 && listener->rc == 0 &&
			pass_one(dialler, listener);
		moved = (dialler->rc == 0 && pass_one(listener, dialler)) ||
			moved;
		if (listener->status == HANDSHAKE_PROVED &&
		    dialler->status == HANDSHAKE_MORE && !moved) {
			put_frame(listener, WIRE_WELCOME, NULL);
			moved = pass_one(listener, dialler);
		}
	}
}

static void
ends_that_fit_meet(void **state)
{
	static const struct setup hosts[] = {
		{&auth_peer, WIRE_ROLE_HOST, NULL, false, false, UID},
		{&auth_peer, WIRE_ROLE_DAEMON, "abc", false, false, UID},
		{&auth_none, WIRE_ROLE_DAEMON, NULL, false, true, 0},
	};
	static const struct setup dispatchers[] = {
		{&auth_peer, WIRE_ROLE_DISPATCHER, "abc", false, false, UID},
		{&auth_peer, WIRE_ROLE_DISPATCHER, "abc", false, false, UID},
		{&auth_none, WIRE_ROLE_DISPATCHER, "abc", false, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct end d, l;

		end_open(&d, true, &hosts[i]);
		end_open(&l, false, &dispatchers[i]);
		assert_int_equal(l.out.len, 0);
		assert_null(handshake_hello(d.hs));
		assert_null(handshake_welcome(d.hs));
		talk(&d, &l);
		assert_int_equal(d.rc, 0);
		assert_int_equal(l.rc, 0);
		assert_int_equal(d.status, HANDSHAKE_WELCOMED);
		assert_int_equal(l.status, HANDSHAKE_PROVED);
		assert_int_equal(
			wire_u64(handshake_hello(l.hs), WIRE_TAG_ROLE, 0),
			hosts[i].role);
		assert_int_equal(
			wire_u64(handshake_hello(d.hs), WIRE_TAG_ROLE, 0),
			WIRE_ROLE_DISPATCHER);
		assert_int_equal(handshake_welcome(d.hs)->type, WIRE_WELCOME);
		assert_null(handshake_welcome(l.hs));
		end_close(&d);
		end_close(&l);
	}
}

static void
order_of_frames_is_as_specified(void **state)
{
	struct end d, l;

	(void)state;
	end_open(&d, true, &a_daemon);
	end_open(&l, false, &a_dispatcher);
	assert_true(pass_one(&d, &l)); /* HELLO */
	assert_false(pass_one(&d, &l));
	assert_true(pass_one(&l, &d)); /* HELLO */
	assert_false(pass_one(&d, &l));
	assert_true(pass_one(&l, &d)); /* PROOF */
	assert_false(pass_one(&l, &d));
	assert_int_equal(l.status, HANDSHAKE_MORE);
	assert_true(pass_one(&d, &l)); /* PROOF */
	assert_int_equal(l.status, HANDSHAKE_PROVED);
	assert_false(pass_one(&l, &d));
	end_close(&d);
	end_close(&l);
}

static bool
has_refused(const struct end *e)
{
	struct wire_frame frame;
	uint64_t size;

	for (size_t at = 0; at < e->out.len; at += (size_t)size) {
		const uint8_t *p = e->out.data + at;

		assert_int_equal(wire_peek(p, e->out.len - at,
					   WIRE_MAX_HANDSHAKE, &size),
				 0);
		assert_int_equal(wire_decode(p, (size_t)size, &frame, NULL), 0);
		if (frame.type == WIRE_REFUSED)
			return true;
	}
	return false;
}

/* Each case fails at one end, with that code and words; the other end is told
 * the same. */
static void
ends_that_do_not_fit_part(void **state)
{
	static const struct {
		struct setup dialler, listener;
		int code;
		bool dialler_fails;
		const char *words;
	} cases[] = {
		{{&auth_none, WIRE_ROLE_DAEMON, NULL, false, false, UID},
		 {&auth_peer, WIRE_ROLE_DISPATCHER, NULL, false, false, UID},
		 CADRE_EAUTH,
		 false,
		 "auth=none"},
		{{&auth_peer, WIRE_ROLE_DAEMON, "one", false, false, UID},
		 {&auth_peer, WIRE_ROLE_DISPATCHER, "two", false, false, UID},
		 CADRE_EAUTH,
		 false,
		 "session one"},
		{{&auth_peer, WIRE_ROLE_DISPATCHER, NULL, false, false, UID},
		 {&auth_peer, WIRE_ROLE_DISPATCHER, NULL, false, false, UID},
		 CADRE_EPROTO,
		 false,
		 "neither a daemon nor a host"},
		{{&auth_peer, 0, NULL, false, false, UID},
		 {&auth_peer, WIRE_ROLE_DISPATCHER, NULL, false, false, UID},
		 CADRE_EPROTO,
		 false,
		 "neither a daemon nor a host"},
		{{&auth_peer, WIRE_ROLE_DAEMON, NULL, false, false, UID},
		 {&auth_peer, WIRE_ROLE_HOST, NULL, false, false, UID},
		 CADRE_EPROTO,
		 true,
		 "no dispatcher"},
		/* The listener sees a stranger. */
		{{&auth_peer, WIRE_ROLE_DAEMON, NULL, false, false, UID},
		 {&auth_peer, WIRE_ROLE_DISPATCHER, NULL, false, false, 7},
		 CADRE_EAUTH,
		 false,
		 "uid 7, but uid 1000"},
		/* The dialler sees one. */
		{{&auth_peer, WIRE_ROLE_DAEMON, NULL, false, false, 8},
		 {&auth_peer, WIRE_ROLE_DISPATCHER, NULL, false, false, UID},
		 CADRE_EAUTH,
		 true,
		 "uid 8, but uid 1000"},
		/* The kernel tells no uid. */
		{{&auth_peer, WIRE_ROLE_DAEMON, NULL, false, false, UID},
		 {&auth_peer, WIRE_ROLE_DISPATCHER, NULL, true, true, UID},
		 CADRE_EAUTH,
		 false,
		 "ipc://"},
		{{&auth_peer, WIRE_ROLE_DAEMON, NULL, true, true, UID},
		 {&auth_peer, WIRE_ROLE_DISPATCHER, NULL, false, false, UID},
		 CADRE_EAUTH,
		 true,
		 "ipc://"},
		{{&auth_none, WIRE_ROLE_DAEMON, NULL, true, true, UID},
		 {&auth_none, WIRE_ROLE_DISPATCHER, NULL, false, true, UID},
		 CADRE_EAUTH,
		 true,
		 "from this machine only"},
		{{&auth_none, WIRE_ROLE_DAEMON, NULL, false, true, UID},
		 {&auth_none, WIRE_ROLE_DISPATCHER, NULL, true, true, UID},
		 CADRE_EAUTH,
		 false,
		 "from this machine only"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct end d, l, *fails, *told;

		end_open(&d, true, &cases[i].dialler);
		end_open(&l, false, &cases[i].listener);
		fails = cases[i].dialler_fails ? &d : &l;
		told = cases[i].dialler_fails ? &l : &d;
		talk(&d, &l);
		assert_int_equal(fails->rc, cases[i].code);
		assert_int_equal(fails->err.code, cases[i].code);
		assert_non_null(strstr(fails->err.text, cases[i].words));
		assert_int_not_equal(d.status, HANDSHAKE_WELCOMED);
		if (told->rc == 0)
			assert_true(pass_one(fails, told));
		assert_int_equal(told->rc, cases[i].code);
		assert_non_null(strstr(told->err.text, "refused"));
		assert_non_null(strstr(told->err.text, cases[i].words));
		/* Nobody answers a refusal. */
		assert_true(has_refused(fails));
		assert_false(has_refused(told));
		end_close(&d);
		end_close(&l);
	}
}

static void
put_hello(struct buf *fields, uint64_t version, size_t nonce_len)
{
	uint8_t nonce[64] = "a nonce of a test, 32 bytes long";

	buf_reset(fields);
	wire_put_u64(fields, WIRE_TAG_VERSION, version);
	wire_put_u64(fields, WIRE_TAG_ROLE, WIRE_ROLE_DAEMON);
	wire_put_str(fields, WIRE_TAG_AUTH, "peer");
	if (nonce_len > 0)
		wire_put_bytes(fields, WIRE_TAG_NONCE, nonce, nonce_len);
}

static void
other_major_versions_are_named(void **state)
{
	static const uint64_t versions[] = {
		0, 7, (uint64_t)(WIRE_MAJOR + 1) << 32 | 3, UINT64_MAX};
	struct buf fields;

	(void)state;
	buf_init(&fields, 4096);
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct end other, l, d;
		char theirs[64];

		end_open(&other, false, &a_dispatcher);
		end_open(&l, false, &a_dispatcher);
		end_open(&d, true, &a_daemon);
		/* Such a hello may lack all else. */
		buf_reset(&fields);
		wire_put_u64(&fields, WIRE_TAG_VERSION, versions[i]);
		put_frame(&other, WIRE_HELLO, &fields);
		assert_true(pass_one(&other, &l));
		assert_int_equal(l.rc, CADRE_EVERSION);
		(void)snprintf(theirs, sizeof(theirs), "protocol %u.%u,",
			       (unsigned int)(versions[i] >> 32),
			       (unsigned int)versions[i]);
		assert_non_null(strstr(l.err.text, theirs));
		assert_non_null(strstr(l.err.text, "1.0"));
		/* A dialler of this version understands such a refusal. */
		assert_true(pass_one(&l, &d));
		assert_int_equal(d.rc, CADRE_EVERSION);
		assert_non_null(strstr(d.err.text, theirs));
		end_close(&other);
		end_close(&l);
		end_close(&d);
	}
	buf_fini(&fields);
}

static void
newer_minor_versions_are_welcome(void **state)
{
	struct end other, l;
	struct buf fields;

	(void)state;
	buf_init(&fields, 4096);
	end_open(&other, false, &a_dispatcher);
	end_open(&l, false, &a_dispatcher);
	put_hello(&fields, (uint64_t)WIRE_MAJOR << 32 | 99, 32);
	wire_put_str(&fields, 0x700, "a field of the future");
	put_frame(&other, WIRE_HELLO, &fields);
	assert_true(pass_one(&other, &l));
	assert_int_equal(l.rc, 0);
	assert_int_equal(handshake_hello(l.hs)->fields_len, fields.len);
	buf_fini(&fields);
	end_close(&other);
	end_close(&l);
}

static void
hellos_need_a_nonce_of_their_own(void **state)
{
	struct wire_field nonce;
	struct wire_frame hello;
	struct end other, l, d;
	struct buf fields;

	(void)state;
	buf_init(&fields, 4096);
	end_open(&other, false, &a_dispatcher);
	end_open(&l, false, &a_dispatcher);
	put_hello(&fields, (uint64_t)WIRE_MAJOR << 32, 0);
	put_frame(&other, WIRE_HELLO, &fields);
	assert_true(pass_one(&other, &l));
	assert_int_equal(l.rc, CADRE_EPROTO);
	end_close(&other);
	end_close(&l);

	/* A listener that sends the dialler's nonce back. */
	end_open(&d, true, &a_daemon);
	end_open(&l, false, &a_dispatcher);
	assert_int_equal(wire_decode(d.out.data, d.out.len, &hello, NULL), 0);
	assert_true(wire_find(&hello, WIRE_TAG_NONCE, &nonce));
	buf_reset(&fields);
	wire_put_u64(&fields, WIRE_TAG_VERSION, (uint64_t)WIRE_MAJOR << 32);
	wire_put_u64(&fields, WIRE_TAG_ROLE, WIRE_ROLE_DISPATCHER);
	wire_put_str(&fields, WIRE_TAG_AUTH, "peer");
	wire_put_bytes(&fields, WIRE_TAG_NONCE, nonce.data, nonce.len);
	put_frame(&l, WIRE_HELLO, &fields);
	assert_true(pass_one(&l, &d));
	assert_int_equal(d.rc, CADRE_EAUTH);
	assert_non_null(strstr(d.err.text, "nonce"));
	end_close(&d);
	end_close(&l);
	buf_fini(&fields);
}

static void
nonces_are_fresh(void **state)
{
	struct wire_field a, b;
	struct wire_frame f, g;
	struct end d, e;

	(void)state;
	end_open(&d, true, &a_daemon);
	end_open(&e, true, &a_daemon);
	assert_int_equal(wire_decode(d.out.data, d.out.len, &f, NULL), 0);
	assert_int_equal(wire_decode(e.out.data, e.out.len, &g, NULL), 0);
	assert_true(wire_find(&f, WIRE_TAG_NONCE, &a));
	assert_true(wire_find(&g, WIRE_TAG_NONCE, &b));
	assert_int_equal(a.len, WIRE_NONCE);
	assert_memory_not_equal(a.data, b.data, WIRE_NONCE);
	end_close(&d);
	end_close(&e);
}

/* Lets two ends talk until e has got n frames. */
static void
advance(struct end *e, struct end *other, size_t n)
{
	while (e->got < n) {
		if (pass_one(other, e) || pass_one(e, other))
			continue;
		assert_int_equal(other->status, HANDSHAKE_PROVED);
		put_frame(other, WIRE_WELCOME, NULL);
	}
	assert_int_equal(e->rc, 0);
}

/* In every state of both ends, every type but the expected one is refused. */
static void
frames_out_of_order_are_refused(void **state)
{
	static const uint16_t expected[2][4] = {
		{WIRE_HELLO, WIRE_PROOF, 0, 0},
		{WIRE_HELLO, WIRE_PROOF, WIRE_WELCOME, 0}};
	static const size_t states[2] = {3, 4};

	(void)state;
	for (int dialler = 0; dialler < 2; dialler++)
		for (size_t n = 0; n < states[dialler]; n++)
			for (uint16_t type = 1; type < 100; type++) {
				struct wire_frame frame = {.type = type};
				enum handshake_status status = 99;
				struct end d, l;
				struct end *e = dialler ? &d : &l;

				if (type == expected[dialler][n] ||
				    type == WIRE_REFUSED)
					continue;
				end_open(&d, true, &a_daemon);
				end_open(&l, false, &a_dispatcher);
				advance(e, dialler ? &l : &d, n);
				assert_int_equal(handshake_frame(e->hs, &frame,
								 &e->out,
								 &status, NULL),
						 CADRE_EPROTO);
				assert_int_equal(status, 99);
				end_close(&d);
				end_close(&l);
			}
}

static void
no_frame_is_taken_after_the_end(void **state)
{
	static const uint16_t types[] = {WIRE_HELLO, WIRE_PROOF, WIRE_WELCOME,
					 WIRE_REFUSED};
	struct end d, l;

	(void)state;
	end_open(&d, true, &a_daemon);
	end_open(&l, false, &a_dispatcher);
	talk(&d, &l);
	for (size_t i = 0; i < 4; i++) {
		struct wire_frame frame = {.type = types[i]};
		enum handshake_status status = 99;

		assert_int_equal(
			handshake_frame(d.hs, &frame, &d.out, &status, NULL),
			CADRE_EPROTO);
		assert_int_equal(
			handshake_frame(l.hs, &frame, &l.out, &status, NULL),
			CADRE_EPROTO);
		assert_int_equal(status, 99);
	}
	end_close(&d);
	end_close(&l);
}

/* An authenticator that shows what it was given, and refuses what it must. */
static uint8_t seen[2][4096];
static size_t seen_len[2];
static int proofs;

static int
spy_make(const struct auth_context *ctx, struct buf *proof,
	 struct cadre_error *err)
{
	(void)err;
	memcpy(seen[proofs], ctx->transcript, ctx->transcript_len);
	seen_len[proofs] = ctx->transcript_len;
	proofs++;
	buf_put(proof, "proof", 5);
	return 0;
}

static int
spy_check(const struct auth_context *ctx, const uint8_t *proof, size_t len,
	  struct cadre_error *err)
{
	(void)ctx;
	if (len == 5 && memcmp(proof, "proof", 5) == 0)
		return 0;
	return error_set(err, CADRE_EAUTH, "bad proof");
}

static const struct auth_ops spy = {
	.name = "spy", .make = spy_make, .check = spy_check};

static void
both_ends_prove_the_same_hellos(void **state)
{
	struct setup s = a_daemon;
	struct end d, l;
	uint8_t hello[4096];
	size_t hello_len;

	(void)state;
	proofs = 0;
	s.auth = &spy;
	end_open(&d, true, &s);
	s.role = WIRE_ROLE_DISPATCHER;
	end_open(&l, false, &s);
	hello_len = d.out.len;
	memcpy(hello, d.out.data, hello_len);
	talk(&d, &l);
	assert_int_equal(d.status, HANDSHAKE_WELCOMED);
	assert_int_equal(proofs, 2);
	assert_int_equal(seen_len[0], seen_len[1]);
	assert_memory_equal(seen[0], seen[1], seen_len[0]);
	/* The dialler's first, as it was sent. */
	assert_true(seen_len[0] > hello_len);
	assert_memory_equal(seen[0], hello, hello_len);
	end_close(&d);
	end_close(&l);
}

static void
false_proofs_are_refused(void **state)
{
	struct setup s = a_daemon;
	struct buf fields;
	struct end d, l;

	(void)state;
	proofs = 0;
	buf_init(&fields, 4096);
	wire_put_str(&fields, WIRE_TAG_PROOF, "forged");
	s.auth = &spy;
	end_open(&d, true, &s);
	s.role = WIRE_ROLE_DISPATCHER;
	end_open(&l, false, &s);
	assert_true(pass_one(&d, &l));
	put_frame(&d, WIRE_PROOF, &fields);
	assert_true(pass_one(&d, &l));
	assert_int_equal(l.rc, CADRE_EAUTH);
	assert_int_equal(l.status, HANDSHAKE_MORE);
	end_close(&d);
	end_close(&l);
	buf_fini(&fields);
}

static void
refusals_are_passed_on(void **state)
{
	static const struct {
		uint8_t code;
		int rc;
	} cases[] = {{-CADRE_EAUTH, CADRE_EAUTH},
		     {-CADRE_EVERSION, CADRE_EVERSION},
		     {-CADRE_EPROTO, CADRE_EPROTO},
		     {0, CADRE_EAUTH},
		     {-CADRE_ETOOBIG, CADRE_EAUTH}};
	struct buf fields;

	(void)state;
	buf_init(&fields, 8000);
	wire_put_str(&fields, WIRE_TAG_REASON, "the pool is full");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_frame frame = {.type = WIRE_REFUSED,
					   .code = cases[i].code,
					   .fields = fields.data,
					   .fields_len = fields.len};
		struct cadre_error err = CADRE_ERROR_INIT;
		enum handshake_status status = HANDSHAKE_MORE;
		struct end d;

		end_open(&d, true, &a_daemon);
		buf_reset(&d.out);
		assert_int_equal(
			handshake_frame(d.hs, &frame, &d.out, &status, &err),
			cases[i].rc);
		assert_non_null(strstr(err.text, "the pool is full"));
		assert_int_equal(d.out.len, 0);
		end_close(&d);
	}
	buf_fini(&fields);
}

static void
too_long_hellos_are_refused_at_once(void **state)
{
	struct handshake_params params = {.dialler = true, .auth = &auth_peer};
	struct handshake *hs = NULL;
	struct buf hello;
	char name[9000];

	(void)state;
	memset(name, 'n', sizeof(name));
	buf_init(&hello, 65536);
	wire_put_bytes(&hello, WIRE_TAG_NODE, name, sizeof(name));
	params.hello = hello.data;
	params.hello_len = hello.len;
	assert_int_equal(handshake_new(&params, &hs), CADRE_ETOOBIG);
	assert_null(hs);
	buf_fini(&hello);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_that_fit_meet),
		cmocka_unit_test(order_of_frames_is_as_specified),
		cmocka_unit_test(ends_that_do_not_fit_part),
		cmocka_unit_test(other_major_versions_are_named),
		cmocka_unit_test(newer_minor_versions_are_welcome),
		cmocka_unit_test(hellos_need_a_nonce_of_their_own),
		cmocka_unit_test(nonces_are_fresh),
		cmocka_unit_test(frames_out_of_order_are_refused),
		cmocka_unit_test(no_frame_is_taken_after_the_end),
		cmocka_unit_test(both_ends_prove_the_same_hellos),
		cmocka_unit_test(false_proofs_are_refused),
		cmocka_unit_test(refusals_are_passed_on),
		cmocka_unit_test(too_long_hellos_are_refused_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
