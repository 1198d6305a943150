/* SPDX-License-Identifier: MIT */
#include "auth/handshake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "util/error.h"

/* What the peer has to send next; HANDSHAKE_STATES: nothing more. */
enum state {
	STATE_HELLO = 0,
	STATE_PROOF = 1,
	STATE_WELCOME = 2, /* dialler only */
	STATE_OVER = 3
};

/* A frame that was kept: its bytes, and the frame decoded from them. */
struct kept {
	struct buf bytes;
	struct wire_frame frame;
	bool there;
};

struct handshake {
	bool dialler;
	const struct auth_ops *auth;
	struct auth_context ctx;
	enum state state;
	char *session;
	struct buf fields; /* of our HELLO */
	struct kept own;
	struct kept peer;
	struct kept welcome;
	struct buf transcript;
};

static void
buf_put_buf(struct buf *to, const struct buf *from)
{
	buf_put(to, from->data, from->len);
}

/* Encoding a decoded frame gives the bytes that the peer sent: there is one
 * form of each frame. */
static int
keep(struct kept *kept, const struct wire_frame *frame, struct cadre_error *err)
{
	buf_reset(&kept->bytes);
	wire_encode(&kept->bytes, frame);
	if (kept->bytes.error != 0)
		return error_set(err, kept->bytes.error,
				 "a frame of the handshake: %s",
				 cadre_strerror(kept->bytes.error));
	kept->there = wire_decode(kept->bytes.data, kept->bytes.len,
				  &kept->frame, err) == 0;
	return kept->there ? 0 : CADRE_EPROTO;
}

/* Our HELLO: a fresh nonce, then what the caller adds. */
static int
hello_fields(struct handshake *hs, const struct handshake_params *params)
{
	struct wire_frame given = {.fields = params->hello,
				   .fields_len = params->hello_len};
	struct wire_field f;
	uint8_t nonce[WIRE_NONCE];

	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return CADRE_ESYS;
	wire_put_u64(&hs->fields, WIRE_TAG_VERSION,
		     (uint64_t)WIRE_MAJOR << 32 | WIRE_MINOR);
	wire_put_bytes(&hs->fields, WIRE_TAG_NONCE, nonce, sizeof(nonce));
	wire_put_str(&hs->fields, WIRE_TAG_AUTH, params->auth->name);
	if (params->session != NULL && !wire_find(&given, WIRE_TAG_SESSION, &f))
		wire_put_str(&hs->fields, WIRE_TAG_SESSION, params->session);
	buf_put(&hs->fields, params->hello, params->hello_len);
	return hs->fields.error;
}

int
handshake_new(const struct handshake_params *params, struct handshake **ret_hs)
{
	struct handshake *hs = calloc(1, sizeof(*hs));
	int rc;

	if (hs == NULL)
		return CADRE_ENOMEM;
	hs->dialler = params->dialler;
	hs->auth = params->auth;
	hs->ctx.have_peer_uid = params->have_peer_uid;
	hs->ctx.peer_uid = params->peer_uid;
	hs->ctx.expected_uid = params->expected_uid;
	hs->ctx.local = params->local;
	buf_init(&hs->fields, WIRE_MAX_HANDSHAKE);
	buf_init(&hs->own.bytes, WIRE_MAX_HANDSHAKE);
	buf_init(&hs->peer.bytes, WIRE_MAX_HANDSHAKE);
	buf_init(&hs->welcome.bytes, WIRE_MAX_HANDSHAKE);
	buf_init(&hs->transcript, 2 * WIRE_MAX_HANDSHAKE);
	rc = hello_fields(hs, params);
	if (rc == 0 && params->session != NULL) {
		hs->session = strdup(params->session);
		rc = hs->session == NULL ? CADRE_ENOMEM : 0;
	}
	if (rc == 0)
		rc = keep(&hs->own,
			  &(struct wire_frame){.type = WIRE_HELLO,
					       .fields = hs->fields.data,
					       .fields_len = hs->fields.len},
			  NULL);
	if (rc < 0) {
		handshake_free(&hs);
		return rc;
	}
	*ret_hs = hs;
	return 0;
}

void
handshake_free(struct handshake **hs)
{
	struct handshake *h = *hs;

	*hs = NULL;
	if (h == NULL)
		return;
	buf_fini(&h->fields);
	buf_fini(&h->own.bytes);
	buf_fini(&h->peer.bytes);
	buf_fini(&h->welcome.bytes);
	buf_fini(&h->transcript);
	free(h->session);
	free(h);
}

static int
out_error(const struct buf *out, struct cadre_error *err)
{
	if (out->error == 0)
		return 0;
	return error_set(err, out->error, "sending a handshake: %s",
			 cadre_strerror(out->error));
}

int
handshake_start(struct handshake *hs, struct buf *out, struct cadre_error *err)
{
	if (hs->dialler)
		buf_put_buf(out, &hs->own.bytes);
	return out_error(out, err);
}

static int
check_version(const struct wire_frame *hello, struct cadre_error *err)
{
	uint64_t version = wire_u64(hello, WIRE_TAG_VERSION, 0);

	if (version >> 32 == WIRE_MAJOR)
		return 0;
	return error_set(err, CADRE_EVERSION,
			 "the peer speaks protocol %u.%u, this end %u.%u; "
			 "install the same version of cadre at both ends",
			 (unsigned int)(version >> 32), (unsigned int)version,
			 WIRE_MAJOR, WIRE_MINOR);
}

static int
check_role(const struct handshake *hs, const struct wire_frame *hello,
	   struct cadre_error *err)
{
	uint64_t role = wire_u64(hello, WIRE_TAG_ROLE, 0);

	if (hs->dialler && role != WIRE_ROLE_DISPATCHER)
		return error_set(err, CADRE_EPROTO,
				 "what listens at this address is no "
				 "dispatcher");
	if (!hs->dialler && role != WIRE_ROLE_DAEMON && role != WIRE_ROLE_HOST)
		return error_set(err, CADRE_EPROTO,
				 "the peer is neither a daemon nor a host");
	return 0;
}

/* Both ends must use their own nonce: one that comes back is a reflection. */
static int
check_nonce(const struct handshake *hs, const struct wire_frame *hello,
	    struct cadre_error *err)
{
	struct wire_field own, theirs;

	if (!wire_find(hello, WIRE_TAG_NONCE, &theirs) ||
	    !wire_find(&hs->own.frame, WIRE_TAG_NONCE, &own) ||
	    theirs.len != own.len)
		return error_set(err, CADRE_EPROTO,
				 "the peer's hello has no nonce");
	if (memcmp(own.data, theirs.data, own.len) == 0)
		return error_set(err, CADRE_EAUTH,
				 "the peer sent our own nonce back");
	return 0;
}

/* Room for a name in messages; a peer may send anything. */
struct shown {
	char text[64];
};

static struct shown
show(const struct wire_field *f)
{
	struct shown shown = {""};
	size_t n = f->len < sizeof(shown.text) - 1 ? f->len
						   : sizeof(shown.text) - 1;

	for (size_t i = 0; i < n; i++)
		shown.text[i] = (char)(f->data[i] > 0x20 && f->data[i] < 0x7f
					       ? f->data[i]
					       : '?');
	return shown;
}

static bool
is_text(const struct wire_field *f, const char *text)
{
	return f->len == strlen(text) && memcmp(f->data, text, f->len) == 0;
}

static int
check_auth(const struct handshake *hs, const struct wire_frame *hello,
	   struct cadre_error *err)
{
	struct wire_field f;

	if (!wire_find(hello, WIRE_TAG_AUTH, &f))
		return error_set(err, CADRE_EPROTO,
				 "the peer's hello names no authenticator");
	if (is_text(&f, hs->auth->name))
		return 0;
	return error_set(err, CADRE_EAUTH,
			 "the peer uses auth=%s, this end auth=%s; choose the "
			 "same at both ends",
			 show(&f).text, hs->auth->name);
}

static int
check_session(const struct handshake *hs, const struct wire_frame *hello,
	      struct cadre_error *err)
{
	struct wire_field f;

	if (hs->session == NULL || !wire_find(hello, WIRE_TAG_SESSION, &f) ||
	    is_text(&f, hs->session))
		return 0;
	return error_set(err, CADRE_EAUTH,
			 "the peer belongs to session %s, this end to session "
			 "%s; was the daemon started for another pool?",
			 show(&f).text, hs->session);
}

static int
check_hello(const struct handshake *hs, const struct wire_frame *hello,
	    struct cadre_error *err)
{
	int rc = check_version(hello, err);

	if (rc == 0)
		rc = check_nonce(hs, hello, err);
	if (rc == 0)
		rc = check_role(hs, hello, err);
	if (rc == 0)
		rc = check_auth(hs, hello, err);
	if (rc == 0)
		rc = check_session(hs, hello, err);
	return rc;
}

/* Both hellos, the dialler's first: what is proved. */
static int
make_transcript(struct handshake *hs, struct cadre_error *err)
{
	buf_put_buf(&hs->transcript,
		    hs->dialler ? &hs->own.bytes : &hs->peer.bytes);
	buf_put_buf(&hs->transcript,
		    hs->dialler ? &hs->peer.bytes : &hs->own.bytes);
	hs->ctx.transcript = hs->transcript.data;
	hs->ctx.transcript_len = hs->transcript.len;
	return hs->transcript.error == 0 ? 0 : error_nomem(err);
}

static int
send_proof(struct handshake *hs, struct buf *out, struct cadre_error *err)
{
	struct wire_frame frame = {.type = WIRE_PROOF};
	struct buf proof, fields;
	int rc;

	buf_init(&proof, WIRE_MAX_HANDSHAKE);
	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	rc = hs->auth->make(&hs->ctx, &proof, err);
	if (rc == 0) {
		wire_put_bytes(&fields, WIRE_TAG_PROOF, proof.data, proof.len);
		rc = proof.error != 0 ? proof.error : fields.error;
	}
	if (rc == 0) {
		frame.fields = fields.data;
		frame.fields_len = fields.len;
		wire_encode(out, &frame);
		rc = out_error(out, err);
	}
	buf_fini(&proof);
	buf_fini(&fields);
	if (rc < 0)
		(void)error_set(err, rc, "making a proof: %s",
				cadre_strerror(rc));
	return rc;
}

static int
on_hello(struct handshake *hs, const struct wire_frame *frame, struct buf *out,
	 enum handshake_status *ret_status, struct cadre_error *err)
{
	int rc = check_hello(hs, frame, err);

	(void)ret_status;
	if (rc == 0)
		rc = keep(&hs->peer, frame, err);
	if (rc == 0)
		rc = make_transcript(hs, err);
	if (rc < 0)
		return rc;
	hs->state = STATE_PROOF;
	if (hs->dialler)
		return 0;
	buf_put_buf(out, &hs->own.bytes);
	return send_proof(hs, out, err);
}

static int
on_proof(struct handshake *hs, const struct wire_frame *frame, struct buf *out,
	 enum handshake_status *ret_status, struct cadre_error *err)
{
	struct wire_field f;
	int rc;

	if (!wire_find(frame, WIRE_TAG_PROOF, &f))
		return error_set(err, CADRE_EPROTO, "a proof without a proof");
	rc = hs->auth->check(&hs->ctx, f.data, f.len, err);
	if (rc < 0)
		return rc;
	if (hs->dialler) {
		hs->state = STATE_WELCOME;
		return send_proof(hs, out, err);
	}
	hs->state = STATE_OVER;
	*ret_status = HANDSHAKE_PROVED;
	return 0;
}

static int
on_welcome(struct handshake *hs, const struct wire_frame *frame,
	   struct buf *out, enum handshake_status *ret_status,
	   struct cadre_error *err)
{
	int rc = keep(&hs->welcome, frame, err);

	(void)out;
	if (rc < 0)
		return rc;
	hs->state = STATE_OVER;
	*ret_status = HANDSHAKE_WELCOMED;
	return 0;
}

/* The peer's reason, as the error of this end. */
static int
on_refused(struct handshake *hs, const struct wire_frame *frame,
	   struct cadre_error *err)
{
	char *reason = wire_str(frame, WIRE_TAG_REASON);
	int code = -(int)frame->code;

	hs->state = STATE_OVER;
	if (code != CADRE_EVERSION && code != CADRE_EPROTO)
		code = CADRE_EAUTH;
	(void)error_set(err, code, "%s refused the connection: %.400s",
			hs->dialler ? "the dispatcher" : "the peer",
			reason == NULL ? "no reason given" : reason);
	free(reason);
	return code;
}

/* Tells the peer why; it may be of another version, so REFUSED keeps its form
 * for ever. */
static void
refuse(struct buf *out, int code, const char *reason)
{
	struct wire_frame frame = {.type = WIRE_REFUSED,
				   .code = (uint8_t)-code};
	struct buf fields;

	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	wire_put_str(&fields, WIRE_TAG_REASON, reason);
	frame.fields = fields.data;
	frame.fields_len = fields.len;
	if (fields.error == 0)
		wire_encode(out, &frame);
	buf_fini(&fields);
}

typedef int step_fn(struct handshake *hs, const struct wire_frame *frame,
		    struct buf *out, enum handshake_status *ret_status,
		    struct cadre_error *err);

static const struct {
	enum wire_type type;
	step_fn *step;
} steps[] = {
	[STATE_HELLO] = {WIRE_HELLO, on_hello},
	[STATE_PROOF] = {WIRE_PROOF, on_proof},
	[STATE_WELCOME] = {WIRE_WELCOME, on_welcome},
};

static int
take_frame(struct handshake *hs, const struct wire_frame *frame,
	   struct buf *out, enum handshake_status *ret_status,
	   struct cadre_error *err)
{
	if (hs->state == STATE_OVER || steps[hs->state].type != frame->type)
		return error_set(err, CADRE_EPROTO,
				 "the peer sent %s in the middle of a "
				 "handshake",
				 wire_type_name(frame->type));
	return steps[hs->state].step(hs, frame, out, ret_status, err);
}

int
handshake_frame(struct handshake *hs, const struct wire_frame *frame,
		struct buf *out, enum handshake_status *ret_status,
		struct cadre_error *err)
{
	enum handshake_status status = HANDSHAKE_MORE;
	struct cadre_error reason = CADRE_ERROR_INIT;
	int rc;

	if (frame->type == WIRE_REFUSED && hs->state != STATE_OVER)
		return on_refused(hs, frame, err);
	rc = take_frame(hs, frame, out, &status, &reason);
	if (rc == 0) {
		*ret_status = status;
		return 0;
	}
	hs->state = STATE_OVER;
	refuse(out, rc, reason.text);
	return error_set(err, rc, "%s", reason.text);
}

const struct wire_frame *
handshake_hello(const struct handshake *hs)
{
	return hs->peer.there ? &hs->peer.frame : NULL;
}

const struct wire_frame *
handshake_welcome(const struct handshake *hs)
{
	return hs->welcome.there ? &hs->welcome.frame : NULL;
}
