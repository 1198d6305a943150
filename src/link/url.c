/* SPDX-License-Identifier: MIT */
#include "link/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <sys/un.h>

#include "link/link.h"
#include "util/error.h"
#include "util/parse.h"

#define URL_NAME_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static int
parse_ipc(const char *text, struct url *url, struct cadre_error *err)
{
	if (url->rest[0] != '/')
		return error_set(err, CADRE_EINVAL,
				 "the path in \"%s\" must begin with \"/\", as "
				 "in ipc:///tmp/name",
				 text);
	if (strlen(url->rest) > URL_NAME_MAX)
		return error_set(err, CADRE_EINVAL,
				 "the path in \"%s\" is longer than the %zu "
				 "bytes a socket may have; choose a shorter "
				 "directory",
				 text, URL_NAME_MAX);
	return 0;
}

static int
parse_abstract(const char *text, struct url *url, struct cadre_error *err)
{
	const char *p = url->rest;

	while (isalnum((unsigned char)*p) || (*p != 0 && strchr("._-/@+", *p)))
		p++;
	if (*p != 0 || p == url->rest)
		return error_set(err, CADRE_EINVAL,
				 "the name in \"%s\" must consist of letters, "
				 "digits and ._-/@+",
				 text);
	if (strlen(url->rest) > URL_NAME_MAX - 1)
		return error_set(err, CADRE_EINVAL,
				 "the name in \"%s\" is longer than %zu bytes",
				 text, URL_NAME_MAX - 1);
	return 0;
}

/* HOST:PORT or [HOST]:PORT; returns where the port begins. */
static const char *
split_host(struct url *url)
{
	const char *host = url->rest;
	const char *end, *port;
	struct in6_addr addr;

	url->brackets = host[0] == '[';
	end = url->brackets ? strchr(++host, ']') : strchr(host, ':');
	if (end == NULL || (size_t)(end - host) >= sizeof(url->host))
		return NULL;
	memcpy(url->host, host, (size_t)(end - host));
	url->host[end - host] = 0;
	port = url->brackets ? end + 1 : end;
	if (*port != ':')
		return NULL;
	if (url->brackets && inet_pton(AF_INET6, url->host, &addr) != 1)
		return NULL;
	return port + 1;
}

static int
parse_tcp(const char *text, struct url *url, struct cadre_error *err)
{
	const char *port = split_host(url);
	uint32_t number;

	if (port == NULL || parse_uint32(port, 0, UINT16_MAX, &number) < 0 ||
	    strpbrk(url->host, "/?#@% ") != NULL)
		return error_set(err, CADRE_EINVAL,
				 "\"%s\" is no address: write tcp://HOST:PORT "
				 "(an IPv6 address in brackets; port 0 to "
				 "listen on a free one)",
				 text);
	url->port = (uint16_t)number;
	return 0;
}

static const struct {
	const char *scheme;
	enum url_kind kind;
	int (*parse)(const char *text, struct url *url,
		     struct cadre_error *err);
} schemes[] = {
	{"ipc://", URL_IPC, parse_ipc},
	{"abstract://", URL_ABSTRACT, parse_abstract},
	{"tcp://", URL_TCP, parse_tcp},
};

int
url_parse(const char *text, struct url *ret, struct cadre_error *err)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct url url = {.kind = schemes[i].kind};
		size_t len = strlen(schemes[i].scheme);
		int rc;

		if (strncmp(text, schemes[i].scheme, len) != 0)
			continue;
		url.rest = text + len;
		rc = schemes[i].parse(text, &url, err);
		if (rc == 0) {
			*ret = url;
			ret->rest = url.rest;
		}
		return rc;
	}
	return error_set(err, CADRE_EINVAL,
			 "\"%s\" is no address: write ipc://PATH, "
			 "abstract://NAME or tcp://HOST:PORT",
			 text);
}

bool
url_is_wildcard(const struct url *url)
{
	static const char *const any[] = {"", "*", "0.0.0.0", "::"};

	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++)
		if (url->kind == URL_TCP && strcmp(url->host, any[i]) == 0)
			return true;
	return false;
}

int
link_url_check(const char *text, struct cadre_error *err)
{
	struct url url;

	return url_parse(text, &url, err);
}

static bool
is_loopback(const struct url *url)
{
	struct in6_addr six;
	struct in_addr four;

	if (url->brackets)
		return inet_pton(AF_INET6, url->host, &six) == 1 &&
		       IN6_IS_ADDR_LOOPBACK(&six);
	if (inet_pton(AF_INET, url->host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return strcmp(url->host, "localhost") == 0;
}

bool
link_url_is_local(const char *text)
{
	struct url url;

	if (url_parse(text, &url, NULL) < 0)
		return false;
	return url.kind != URL_TCP || is_loopback(&url);
}
