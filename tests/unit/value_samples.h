/* SPDX-License-Identifier: MIT */
#ifndef TESTS_VALUE_SAMPLES_H
#define TESTS_VALUE_SAMPLES_H

#include <stddef.h>

#include <cadre/value.h>

/* The i-th of many values that together have every type, missing elements,
 * names, dimensions and nesting; owned, NULL past the last. */
struct cadre_value *value_sample(size_t i);

#endif
