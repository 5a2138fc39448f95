/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The notification daemon of the session. */

#include <systemd/sd-bus.h>

#include "notifier/notice.h"

/** typedef DeskPressed - somebody pressed a button that does something; @action is one of those of the notice */
typedef void (*DeskPressed)(void *userdata, Topic topic, Action action);

typedef struct Desk Desk;

int desk_new(sd_bus *session_bus, const NoticeSet *set, DeskPressed pressed, void *userdata, Desk **ret) _must_check_
        _nonnull_(1, 2, 3, 5);
Desk *desk_free(Desk *d);
DEFINE_TRIVIAL_CLEANUP(Desk *, desk_free);
void desk_update(Desk *d) _nonnull_(1);
