/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Documents of jansson: owned as other things here are, and grown piece by piece. For the files that call it only. */

#include <jansson.h>

#include "util/base.h"

#define _cleanup_json_ _cleanup_(json_decrefp)

void json_put(json_t **object, const char *key, json_t *taken) _nonnull_(1, 2);
void json_push(json_t **array, json_t *taken) _nonnull_(1);
json_t *json_strings(char *const *v) _must_check_;
