/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* hotpatchd, looked at whenever it says that something has changed. */

#include "notifier/machine.h"

/** typedef WatchLooked - a look is complete. @machine is taken over. */
typedef void (*WatchLooked)(void *userdata, Machine *machine);

typedef struct Watch Watch;

int watch_new(sd_bus *system_bus, WatchLooked looked, void *userdata, Watch **ret) _must_check_ _nonnull_(1, 2, 4);
Watch *watch_free(Watch *w);
DEFINE_TRIVIAL_CLEANUP(Watch *, watch_free);
