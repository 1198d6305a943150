/* SPDX-License-Identifier: MIT */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>

#include "util/blob.h"
#include "util/buf.h"

/*
 * Frames <-> bytes.  Pure: no IO, no clock, and no allocation from a number
 * that a peer sent.  PROTOCOL.md is the specification; the same frames travel
 * between host, dispatcher and daemon (nng streams) and between daemon, reaper
 * and worker (socketpairs).
 *
 * A frame is a header of WIRE_HEADER bytes, then fields (tag, length, data),
 * then the payload.  Everything is little-endian; each field and each frame is
 * padded with zeros to a multiple of 8, so that payloads are aligned.
 *
 *   offset  size
 *        0     8  length of the frame, header included, padding at its end not
 *        8     2  type
 *       10     1  flags
 *       11     1  code, by type
 *       12     4  length of the fields, a multiple of 8
 *       16     8  task (or epoch, or a host's number for a request)
 *       24     4  attempt
 *       28     4  slot
 *       32     4  incarnation of the daemon
 *       36     4  incarnation of the worker, counted per slot
 *
 * A field: tag (2 bytes; the top bit: refuse the frame if the tag is unknown),
 * 2 zero bytes, length of the data (4 bytes), data, padding.
 */

#define WIRE_HEADER 40u
#define WIRE_MAJOR 1u
#define WIRE_MINOR 0u
/* Bytes of a frame before and after the peer has proved who it is. */
#define WIRE_MAX_HANDSHAKE 8192u
#define WIRE_MAX_FRAME (UINT64_C(1) << 40)
#define WIRE_MUST_UNDERSTAND 0x8000u
#define WIRE_NONCE 32u
/* RETRY: six u32, for the causes error, exit, timeout, crash, lost, leave; a
 * number of retries, or one of the next two. */
#define WIRE_RETRY 24u
#define WIRE_RETRY_UNLIMITED UINT32_MAX
#define WIRE_RETRY_DEFAULT (UINT32_MAX - 1)
#define WIRE_ALIGN(n) (((n) + 7u) & ~(uint64_t)7u)

enum wire_type {
	/* handshake, either way */
	WIRE_HELLO = 1,	  /* who I am and what I offer */
	WIRE_PROOF = 2,	  /* authenticator's data over both hellos */
	WIRE_WELCOME = 3, /* dispatcher: your incarnation and settings */
	WIRE_REFUSED = 4, /* with the reason; the connection ends */

	/* dispatcher -> daemon (-> reaper, worker) */
	WIRE_TASK = 16,
	WIRE_CANCEL = 17,     /* task, attempt; code: enum wire_cancel */
	WIRE_RECALL = 18,     /* slot: hand back what has not begun */
	WIRE_EVERYWHERE = 19, /* task: epoch; else as TASK */
	WIRE_RESET = 20,      /* forget all epochs */
	WIRE_LEAVE = 21,      /* finish what runs, then go */
	WIRE_EXIT = 22,	      /* stop what runs and go */
	WIRE_RESTART = 23,    /* this incarnation was given up: dial anew */

	/* daemon -> dispatcher */
	WIRE_SLOT_UP = 32,   /* slot, worker: ready for tasks */
	WIRE_SLOT_DOWN = 33, /* slot; REASON */
	WIRE_STARTED = 34,   /* task, attempt, slot */
	WIRE_RESULT = 35,    /* code: enum cadre_outcome */
	WIRE_RETURNED = 36,  /* code: enum wire_returned */
	WIRE_OUTPUT = 37,    /* code: 1 stdout, 2 stderr, 3 progress */
	WIRE_EPOCH = 38,     /* task: epoch; code: outcome; of one slot */
	WIRE_LEAVING = 39,   /* give me nothing more; REASON */

	/* host -> dispatcher; task: the host's own number */
	WIRE_SUBMIT = 48,
	WIRE_INFO = 49,	    /* answered by REPLY */
	WIRE_STATUS = 50,   /* answered by REPLY */
	WIRE_SCALE = 51,    /* SLOTS more, flag REMOVE: fewer; REPLY */
	WIRE_SHUTDOWN = 52, /* the dispatcher and its daemons; REPLY */
	/* also CANCEL, EVERYWHERE, RESET with the host's number */

	/* dispatcher -> host */
	WIRE_ACCEPTED = 64, /* ID: the dispatcher's task id */
	WIRE_OUTCOME = 65,  /* as RESULT, and ATTEMPTS */
	WIRE_REPLY = 66,    /* code: 0 or -CADRE_E*; payload: a value */
	/* also OUTPUT */

	/* either way */
	WIRE_HEARTBEAT = 80,

	/* daemon <-> reaper, worker (never on a network) */
	WIRE_SPAWN =
		96, /* start a worker: ARGV, ENV; descriptors by SCM_RIGHTS */
	WIRE_SPAWNED = 97, /* PID */
	WIRE_EXITED = 98,  /* STATUS or SIGNAL of the worker */
	WIRE_KILL = 99	   /* end the worker and all below it */
};

/* Flags of the header. */
enum wire_flags {
	WIRE_IDEMPOTENT = 1,	/* TASK, SUBMIT: may run twice without harm */
	WIRE_WINDOW = 2,	/* TASK, SUBMIT: may wait in a slot's window */
	WIRE_ONCE = 4,		/* EVERYWHERE: not for those who join later */
	WIRE_REMOVE = 8,	/* SCALE */
	WIRE_OUTPUT_WANTED = 16 /* TASK, SUBMIT: send OUTPUT frames */
};

enum wire_role {
	WIRE_ROLE_DISPATCHER = 1,
	WIRE_ROLE_DAEMON = 2,
	WIRE_ROLE_HOST = 3
};

enum wire_engine {
	WIRE_ENGINE_COMMAND = 1,
	WIRE_ENGINE_NATIVE = 2,
	WIRE_ENGINE_R = 3,
	WIRE_ENGINE_PYTHON = 4
};

enum wire_cancel { WIRE_CANCEL_USER = 0, WIRE_CANCEL_TIMEOUT = 1 };

enum wire_returned {
	WIRE_RETURNED_UNSTARTED = 0, /* certainly not begun */
	WIRE_RETURNED_STARTED = 1    /* begun, interrupted because we leave */
};

/* What a field's data is. */
enum wire_kind {
	WIRE_U64 = 1, /* 8 bytes */
	WIRE_STR = 2, /* bytes without NUL */
	WIRE_BYTES = 3
};

enum wire_tag {
	WIRE_TAG_VERSION = 1,	    /* u64: major << 32 | minor */
	WIRE_TAG_ROLE = 2,	    /* u64: enum wire_role */
	WIRE_TAG_NONCE = 3,	    /* 32 bytes */
	WIRE_TAG_SESSION = 4,	    /* str: of the launch record */
	WIRE_TAG_CIPHERS = 5,	    /* str */
	WIRE_TAG_KEY = 6,	    /* 32 bytes: ephemeral X25519 */
	WIRE_TAG_FINGERPRINT = 7,   /* bytes: TLS */
	WIRE_TAG_AUTH = 8,	    /* str: authenticator's name */
	WIRE_TAG_PROOF = 9,	    /* bytes */
	WIRE_TAG_REASON = 10,	    /* str: a sentence */
	WIRE_TAG_NODE = 11,	    /* str: host name */
	WIRE_TAG_PID = 12,	    /* u64 */
	WIRE_TAG_SLOTS = 13,	    /* u64 */
	WIRE_TAG_ENGINES = 14,	    /* u64: 1 << enum wire_engine, or'ed */
	WIRE_TAG_INDEX = 15,	    /* u64: of the launch record */
	WIRE_TAG_HEARTBEAT_MS = 16, /* u64 */
	WIRE_TAG_PREVIOUS = 17,	    /* u64: incarnation before a reconnect */

	WIRE_TAG_ENGINE = 32,	    /* u64: enum wire_engine */
	WIRE_TAG_TIMEOUT_MS = 33,   /* u64: of an attempt */
	WIRE_TAG_DEADLINE_MS = 34,  /* u64: from submission */
	WIRE_TAG_PRIORITY = 35,	    /* u64: priority + 2^31 */
	WIRE_TAG_RETRY = 36,	    /* WIRE_RETRY bytes */
	WIRE_TAG_AFTER = 37,	    /* u64, repeated: task ids */
	WIRE_TAG_AFTER_FAILED = 38, /* u64: enum cadre_after_failed */
	WIRE_TAG_CORES = 39,	    /* u64 */
	WIRE_TAG_MEMORY = 40,	    /* u64: bytes */
	WIRE_TAG_GPUS = 41,	    /* u64 */
	WIRE_TAG_TAG = 42,	    /* str, repeated */
	WIRE_TAG_NAME = 43,	    /* str */

	WIRE_TAG_LIBRARY = 48,	/* str: native */
	WIRE_TAG_FUNCTION = 49, /* str: native */
	WIRE_TAG_SOURCE = 50,	/* str: native from source */
	WIRE_TAG_CC = 51,	/* str */
	WIRE_TAG_CFLAGS = 52,	/* str */

	WIRE_TAG_ARGV = 56,	    /* str, repeated: command */
	WIRE_TAG_ENV = 57,	    /* str, repeated: NAME=VALUE or NAME */
	WIRE_TAG_CLEAR_ENV = 58,    /* u64: 1 */
	WIRE_TAG_CWD = 59,	    /* str */
	WIRE_TAG_STDIN_FILE = 60,   /* str; else the payload is stdin */
	WIRE_TAG_OUTPUT = 61,	    /* u64: enum wire_output */
	WIRE_TAG_OUTPUT_LIMIT = 62, /* u64: bytes */
	WIRE_TAG_OUTPUT_DIR = 63,   /* str */
	WIRE_TAG_MERGE = 64,	    /* u64: 1 */

	WIRE_TAG_WALL_NS = 80, /* u64, as are the next */
	WIRE_TAG_USER_NS = 81,
	WIRE_TAG_SYS_NS = 82,
	WIRE_TAG_PEAK = 83,	    /* bytes of memory */
	WIRE_TAG_STARTED_UNIX = 84, /* ns since 1970 */
	WIRE_TAG_STATUS = 85,	    /* exit status */
	WIRE_TAG_SIGNAL = 86,
	WIRE_TAG_CORE = 87,    /* 1: core dumped */
	WIRE_TAG_OUT_LEN = 88, /* payload: stdout, then stderr */
	WIRE_TAG_OUT_TOTAL = 89,
	WIRE_TAG_ERR_TOTAL = 90,
	WIRE_TAG_OUT_FILE = 91,	 /* str */
	WIRE_TAG_ERR_FILE = 92,	 /* str */
	WIRE_TAG_MESSAGE = 93,	 /* str: error sentence */
	WIRE_TAG_CONDITION = 94, /* bytes: an encoded value */

	WIRE_TAG_ID = 112,	 /* u64: the dispatcher's task id */
	WIRE_TAG_ATTEMPTS = 113, /* u64 */

	WIRE_TAG_SHARED_OFFSET =
		120,		  /* u64: payload in a memfd, see engine.h */
	WIRE_TAG_SHARED_LEN = 121 /* u64: its bytes */
};

enum wire_output {
	WIRE_OUTPUT_CAPTURE = 0,
	WIRE_OUTPUT_STREAM = 1,
	WIRE_OUTPUT_DISCARD = 2
};

/*
 * A frame, decoded or to be encoded.  Pointers are borrowed.  fields is the
 * encoded run of fields.  owner, if not NULL, is the blob that holds the
 * payload: whoever keeps the payload takes a reference instead of a copy.
 */
struct wire_frame {
	uint16_t type;
	uint8_t flags;
	uint8_t code;
	uint64_t task;
	uint32_t attempt;
	uint32_t slot;
	uint32_t incarnation;
	uint32_t worker;
	const uint8_t *fields;
	size_t fields_len;
	const uint8_t *payload;
	size_t payload_len;
	struct blob *owner;
};

struct wire_field {
	uint16_t tag; /* without the top bit */
	const uint8_t *data;
	size_t len;
};

/*
 * Size on the stream (padding included) of the frame that begins at data.
 * CADRE_EAGAIN: not even a header is there.  CADRE_EPROTO, CADRE_ETOOBIG (over
 * max): the connection must end.
 */
int wire_peek(const void *data, size_t len, uint64_t max, uint64_t *ret_size);
/*
 * Decodes exactly one frame of len bytes (padding may be included or not) and
 * checks it against the table of messages: known type, fields allowed for it,
 * lengths, required fields, zero padding.  Borrows data.
 */
int wire_decode(const void *data, size_t len, struct wire_frame *ret_frame,
		struct cadre_error *err);

/*
 * The same for a frame whose payload has not arrived yet: data needs to hold
 * header and fields only.  payload is NULL, payload_len says how much will
 * come.  CADRE_EAGAIN: header and fields are not all there.
 */
int wire_decode_head(const void *data, size_t len, struct wire_frame *ret_frame,
		     struct cadre_error *err);

/* Appends the whole frame, padding included. */
void wire_encode(struct buf *b, const struct wire_frame *frame);
/* Appends header and fields only: the caller sends payload and padding itself.
 * Returns how much padding follows the payload. */
size_t wire_encode_head(struct buf *b, const struct wire_frame *frame);

/* Append one field to a run of fields. */
void wire_put_u64(struct buf *b, uint16_t tag, uint64_t x);
void wire_put_str(struct buf *b, uint16_t tag, const char *s);
void wire_put_bytes(struct buf *b, uint16_t tag, const void *data, size_t len);

/* Iterates: starts with *pos = 0; false after the last field.  The frame was
 * checked by wire_decode. */
bool wire_next(const struct wire_frame *frame, size_t *pos,
	       struct wire_field *ret_field);
/* First field of that tag. */
bool wire_find(const struct wire_frame *frame, uint16_t tag,
	       struct wire_field *ret_field);
/* Its number, or missing if there is none. */
uint64_t wire_u64(const struct wire_frame *frame, uint16_t tag,
		  uint64_t missing);
uint64_t wire_field_u64(const struct wire_field *field);
/* Its text as an owned string; NULL if there is none or memory ran out. */
char *wire_str(const struct wire_frame *frame, uint16_t tag);

/* "TASK" and so on, "?" for unknown types; static. */
const char *wire_type_name(uint16_t type);
/* Whether a peer of that role may send that type after the handshake. */
bool wire_allowed(enum wire_role sender, uint16_t type);

#endif
