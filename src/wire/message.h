/* SPDX-License-Identifier: MIT */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

/*
 * The table of messages and the table of tags: what a frame may look like.
 * PROTOCOL.md prints the same tables.
 */

#define MESSAGE_TYPES 100u
#define MESSAGE_TAGS 128u

/* One bit for each tag. */
__extension__ typedef unsigned __int128 message_tags;
#define MESSAGE_BIT(tag) ((message_tags)1 << (tag))

/* A bit for each code that a frame of that type may carry. */
#define MESSAGE_ANY_CODE UINT64_MAX

struct message {
	const char *name;      /* NULL: no such type */
	message_tags fields;   /* allowed */
	message_tags required; /* a subset of fields */
	uint64_t codes;	       /* allowed, as bits */
	uint8_t flags;	       /* allowed, or'ed */
	uint8_t senders;       /* 1 << enum wire_role, or'ed; after the
				  handshake, on a network */
};

struct message_tag {
	uint8_t kind;  /* enum wire_kind; 0: no such tag */
	uint8_t exact; /* length of the data; 0: any */
	bool repeated;
};

extern const struct message message_table[MESSAGE_TYPES];
extern const struct message_tag message_tag_table[MESSAGE_TAGS];

/* NULL for unknown types. */
static inline const struct message *
message_find(uint16_t type)
{
	if (type >= MESSAGE_TYPES || message_table[type].name == NULL)
		return NULL;
	return &message_table[type];
}

/* NULL for unknown tags; tag without its top bit. */
static inline const struct message_tag *
message_find_tag(uint16_t tag)
{
	if (tag >= MESSAGE_TAGS || message_tag_table[tag].kind == 0)
		return NULL;
	return &message_tag_table[tag];
}

#endif
