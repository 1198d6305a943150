/* SPDX-License-Identifier: MIT */
#ifndef CADRE_CADRE_H
#define CADRE_CADRE_H

/* The whole public API of libcadre; each noun has a header of its own. */

#include <cadre/config.h>
#include <cadre/error.h>
#include <cadre/map.h>
#include <cadre/pool.h>
#include <cadre/task.h>
#include <cadre/value.h>
#include <cadre/version.h>

#endif
