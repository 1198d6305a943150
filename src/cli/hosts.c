/* SPDX-License-Identifier: MIT */
#include "cli/hosts.h"

#include <stdlib.h>
#include <string.h>

static const char *
find(const struct hosts *h, uint32_t incarnation)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->items[i].incarnation == incarnation)
			return h->items[i].node;
	return NULL;
}

/* Adds the daemons that are not yet known. */
static void
refresh(struct hosts *h)
{
	struct cadre_daemon_status *daemons;
	size_t n;
	void *items;

	if (cadre_pool_status(h->pool, &daemons, &n, NULL) < 0)
		return;
	items = realloc(h->items, (h->n + n + 1) * sizeof(*h->items));
	if (items != NULL)
		h->items = items;
	for (size_t i = 0; i < n && items != NULL; i++) {
		if (find(h, daemons[i].incarnation) != NULL)
			continue;
		h->items[h->n].incarnation = daemons[i].incarnation;
		memcpy(h->items[h->n].node, daemons[i].node,
		       sizeof(h->items[h->n].node));
		h->n++;
	}
	free(daemons);
}

const char *
hosts_name(struct hosts *h, uint32_t incarnation)
{
	const char *name;

	if (h->pool == NULL || incarnation == 0)
		return ":";
	name = find(h, incarnation);
	if (name == NULL) {
		refresh(h);
		name = find(h, incarnation);
	}
	return name != NULL && name[0] != '\0' ? name : ":";
}

void
hosts_fini(struct hosts *h)
{
	free(h->items);
	h->items = NULL;
	h->n = 0;
}
