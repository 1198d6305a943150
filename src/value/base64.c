/* SPDX-License-Identifier: MIT */
#include "value/base64.h"

#include <cadre/error.h>

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Three bytes (n of them real) as four digits. */
static void
put_group(uint8_t *to, const uint8_t *from, size_t n)
{
	uint32_t bits = (uint32_t)from[0] << 16;

	if (n > 1)
		bits |= (uint32_t)from[1] << 8;
	if (n > 2)
		bits |= from[2];
	to[0] = (uint8_t)digits[bits >> 18];
	to[1] = (uint8_t)digits[bits >> 12 & 63];
	to[2] = n > 1 ? (uint8_t)digits[bits >> 6 & 63] : '=';
	to[3] = n > 2 ? (uint8_t)digits[bits & 63] : '=';
}

void
base64_encode(struct buf *b, const void *data, size_t n)
{
	const uint8_t *from = data;
	size_t groups = n / 3 + (n % 3 != 0);
	uint8_t *to = buf_reserve(b, groups * 4);

	if (to == NULL)
		return;
	for (size_t i = 0; i < n; i += 3, to += 4)
		put_group(to, from + i, n - i);
	buf_commit(b, groups * 4);
}

size_t
base64_room(size_t text_len)
{
	return text_len / 4 * 3;
}

/* -1 for anything but a digit. */
static int
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* n digits (2 to 4) as n - 1 bytes. */
static int
take_group(const char *text, size_t n, uint8_t *out)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		int x = digit_value(text[i]);

		if (x < 0)
			return CADRE_EINVAL;
		bits |= (uint32_t)x << (18 - 6 * i);
	}
	if ((bits & (UINT32_C(0xffffff) >> (8 * (n - 1)))) != 0)
		return CADRE_EINVAL;
	for (size_t i = 0; i + 1 < n; i++)
		out[i] = (uint8_t)(bits >> (16 - 8 * i));
	return 0;
}

int
base64_decode(const char *text, size_t text_len, uint8_t *out, size_t *ret_n)
{
	size_t written = 0;

	if (text_len % 4 != 0)
		return CADRE_EINVAL;
	for (size_t i = 0; i < text_len; i += 4) {
		size_t n = 4;

		if (i + 4 == text_len)
			while (n > 2 && text[i + n - 1] == '=')
				n--;
		if (take_group(text + i, n, out + written) < 0)
			return CADRE_EINVAL;
		written += n - 1;
	}
	*ret_n = written;
	return 0;
}
