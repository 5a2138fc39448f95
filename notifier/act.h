/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the buttons do, in the user's own name. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * typedef ActDone - what became of a button
 * @good: it was done
 * @summary, @body: for the person who pressed it; @body was written by others
 */
typedef void (*ActDone)(void *userdata, bool good, const char *summary, const char *body);

typedef struct Act Act;

int act_new(sd_bus *system_bus, ActDone done, void *userdata, Act **ret) _must_check_ _nonnull_(1, 2, 4);
Act *act_free(Act *a);
DEFINE_TRIVIAL_CLEANUP(Act *, act_free);
void act_restart(Act *a) _nonnull_(1);
void act_later(Act *a, uint64_t planned_usec) _nonnull_(1);
