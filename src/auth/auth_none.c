/* SPDX-License-Identifier: MIT */
#include "auth/auth.h"

#include "util/error.h"

/*
 * No proof at all: anybody on this machine may connect.  For tests and for
 * machines with one user.
 */

static int
none_make(const struct auth_context *ctx, struct buf *proof,
	  struct cadre_error *err)
{
	(void)ctx;
	(void)proof;
	(void)err;
	return 0;
}

static int
none_check(const struct auth_context *ctx, const uint8_t *proof, size_t len,
	   struct cadre_error *err)
{
	(void)proof;
	if (len != 0)
		return error_set(err, CADRE_EAUTH,
				 "the peer sent %zu bytes of proof where "
				 "auth=none has none",
				 len);
	if (!ctx->local)
		return error_set(err, CADRE_EAUTH,
				 "auth=none is accepted from this machine "
				 "only");
	return 0;
}

static int
none_usable(bool local, bool kernel_tells_uid, struct cadre_error *err)
{
	(void)kernel_tells_uid;
	if (local)
		return 0;
	return error_set(err, CADRE_EINVAL,
			 "auth=none is refused on addresses that other "
			 "machines can reach; use a loopback or local address");
}

const struct auth_ops auth_none = {
	.name = "none",
	.make = none_make,
	.check = none_check,
	.usable = none_usable,
};
