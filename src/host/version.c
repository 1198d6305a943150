/* SPDX-License-Identifier: MIT */
#include <cadre/version.h>

const char *
cadre_version(void)
{
	return CADRE_VERSION;
}
