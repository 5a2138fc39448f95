/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Freezes units for a moment, one after the other, and never leaves one frozen. */

#include <systemd/sd-event.h>

#include "daemon/systemd.h"

typedef struct Freezer Freezer;

/**
 * FreezerTold - something happened to a unit
 * @unit: its name
 * @usec: how long it stood still at most; 0: it was not frozen
 * @error: why it could not be frozen or thawed, one sentence; NULL: all went well
 * @stuck: it may be frozen still; thawing is tried again and again
 */
typedef void (*FreezerTold)(void *userdata, const char *unit, uint64_t usec, const char *error, bool stuck);

/** FreezerDone - the units of a run are through, and nothing is frozen */
typedef void (*FreezerDone)(void *userdata);

int freezer_new(sd_event *event, Systemd *systemd, int root_fd, FreezerTold told, void *userdata,
                Freezer **ret) _must_check_ _nonnull_(1, 2, 4, 6);
Freezer *freezer_free(Freezer *f);
DEFINE_TRIVIAL_CLEANUP(Freezer *, freezer_free);

int freezer_recover(Freezer *f) _must_check_ _nonnull_(1);
int freezer_run(Freezer *f, char *const *units, FreezerDone done, void *userdata) _must_check_ _nonnull_(1, 2);
void freezer_stop(Freezer *f) _nonnull_(1);
void freezer_when_quiet(Freezer *f, FreezerDone done, void *userdata) _nonnull_(1, 2);
bool freezer_is_busy(const Freezer *f) _nonnull_(1);
