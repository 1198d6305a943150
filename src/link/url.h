/* SPDX-License-Identifier: MIT */
#ifndef LINK_URL_H
#define LINK_URL_H

#include <stdbool.h>
#include <stdint.h>

#include <cadre/error.h>

/* An address in pieces. */
struct url {
	enum url_kind { URL_IPC, URL_ABSTRACT, URL_TCP } kind;
	const char *rest; /* path or name; borrowed */
	char host[256];	  /* tcp; without brackets; empty: any */
	bool brackets;
	uint16_t port;
};

int url_parse(const char *text, struct url *ret, struct cadre_error *err);
/* True if host stands for all addresses of this machine. */
bool url_is_wildcard(const struct url *url);

#endif
