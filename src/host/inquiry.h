/* SPDX-License-Identifier: MIT */
#ifndef HOST_INQUIRY_H
#define HOST_INQUIRY_H

#include "host/client.h"

/* What a client asks its dispatcher and waits for; pool_ops of that name. */
int inquiry_info(struct cadre_pool *pool, struct cadre_info *ret,
		 struct cadre_error *err);
int inquiry_status(struct cadre_pool *pool, struct cadre_daemon_status **ret,
		   size_t *ret_n, struct cadre_error *err);
int inquiry_scale(struct cadre_pool *pool, uint32_t slots, bool remove,
		  struct cadre_error *err);
int inquiry_shutdown(struct cadre_pool *pool, struct cadre_error *err);

/* A REPLY came (mutex held). */
void inquiry_reply(struct client *c, const struct wire_frame *frame);
/* None will come any more (mutex held). */
void inquiry_fail(struct client *c);

#endif
