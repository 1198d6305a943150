/* SPDX-License-Identifier: MIT */
#include "launch/launch.h"

#include <string.h>

static const struct launch_ops *const launchers[] = {
	&launch_local,
};

const struct launch_ops *
launch_find(const char *name)
{
	for (size_t i = 0; i < sizeof(launchers) / sizeof(launchers[0]); i++)
		if (strcmp(launchers[i]->name, name) == 0)
			return launchers[i];
	return NULL;
}
