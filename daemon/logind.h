/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What we ask of logind, over the bus and without waiting: who is there, and the one scheduled shutdown. */

#include <systemd/sd-bus.h>

#include "util/base.h"

typedef struct Logind Logind;

/**
 * struct LogindView - what logind knows at one moment; borrowed
 * @scheduled_type, @scheduled_usec: the scheduled shutdown; NULL and 0: there is none
 * @inhibitor: "'WHO' (WHY)" of a block inhibitor of shutdown; NULL: nobody holds one
 * @user: name of a person who is logged in; NULL: nobody
 * @battery: there is no external power
 * @goes_down: the shutdown has begun
 * @is_another: not the logind that logind_schedule() told, which may know of no schedule
 */
typedef struct LogindView {
        char *scheduled_type;
        uint64_t scheduled_usec;
        char *inhibitor;
        char *user;
        bool battery;
        bool goes_down;
        bool is_another;
} LogindView;

/** LogindLooked - @view is NULL when logind did not answer; @error says why. logind may be freed in it. */
typedef void (*LogindLooked)(void *userdata, const LogindView *view, const sd_bus_error *error);

/** LogindDone - a call has ended; @error is set when it failed */
typedef void (*LogindDone)(void *userdata, const sd_bus_error *error);

/** LogindGoesDown - the machine shuts down now (@start), or a shutdown was called off */
typedef void (*LogindGoesDown)(void *userdata, bool start);

int logind_new(sd_bus *bus, LogindGoesDown goes_down, void *userdata, Logind **ret) _must_check_ _nonnull_(1, 2, 4);
Logind *logind_free(Logind *l);
DEFINE_TRIVIAL_CLEANUP(Logind *, logind_free);

/* One at a time; a question that is under way is dropped. */
int logind_look(Logind *l, LogindLooked looked, void *userdata) _must_check_ _nonnull_(1, 2);
int logind_schedule(Logind *l, const char *type, uint64_t usec, const char *wall, LogindDone done, void *userdata)
        _must_check_ _nonnull_(1, 2, 4, 5);
int logind_cancel(Logind *l, LogindDone done, void *userdata) _must_check_ _nonnull_(1, 2);
bool logind_is_busy(const Logind *l) _nonnull_(1);
