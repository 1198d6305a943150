/* SPDX-License-Identifier: MIT */
#ifndef HOST_CONFIG_H
#define HOST_CONFIG_H

#include <cadre/config.h>

#include "host/setting.h"

/* An owned copy; NULL (all defaults) gives an empty config. */
struct cadre_config *config_copy(const struct cadre_config *cfg);

/* What a daemon has to be told, as launch records take it: an owned array of
 * owned pairs, NULL-terminated. */
int config_daemon_settings(const struct cadre_config *cfg, char ***ret);

#endif
