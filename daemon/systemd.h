/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What we ask of systemd, over the bus and without waiting: start a unit and learn how it ended,
 * freeze and thaw, whose process is it, and be told of units that fail.
 */

#include <systemd/sd-bus.h>

#include "util/base.h"

typedef struct Systemd Systemd;
typedef struct SystemdCall SystemdCall;
typedef struct SystemdWatch SystemdWatch;

/**
 * SystemdDone - a call has ended; called once, never from within the function that began it
 * @r: 0, or a negative errno
 * @answer: of systemd_start_unit() the job's result (`done`, `failed`, `timeout`, `canceled`, …), also
 *   when @r is negative and systemd gave one; of systemd_get_unit_string() the value; otherwise NULL
 * @error: not set when @r is 0; else one sentence for people that says what systemd refused, or
 *   that it did not answer
 *
 * Both are valid during the call only. The SystemdCall is finished then and still the caller's:
 * systemd_call_free() it, in the callback or later. The callback may free what owns it.
 */
typedef void (*SystemdDone)(void *userdata, int r, const char *answer, const sd_bus_error *error);

/**
 * SystemdUnitFailed - a unit has failed
 * @unit: its name
 * @sub_state: "failed", or "auto-restart" when Restart= brings it back, also after a clean exit
 */
typedef void (*SystemdUnitFailed)(void *userdata, const char *unit, const char *sub_state);

int systemd_new(sd_bus *bus, Systemd **ret) _must_check_ _nonnull_(1, 2);
Systemd *systemd_free(Systemd *s); /* after its calls and watches */
DEFINE_TRIVIAL_CLEANUP(Systemd *, systemd_free);

int systemd_start_unit(Systemd *s, const char *unit, uint64_t timeout_usec, SystemdDone done,
                void *userdata, SystemdCall **ret) _must_check_ _nonnull_(1, 2, 4, 6);
int systemd_freeze_unit(Systemd *s, const char *unit, uint64_t timeout_usec, SystemdDone done,
                void *userdata, SystemdCall **ret) _must_check_ _nonnull_(1, 2, 4, 6);
int systemd_thaw_unit(Systemd *s, const char *unit, uint64_t timeout_usec, SystemdDone done,
                void *userdata, SystemdCall **ret) _must_check_ _nonnull_(1, 2, 4, 6);
int systemd_get_unit_string(Systemd *s, const char *unit, const char *property, uint64_t timeout_usec,
                SystemdDone done, void *userdata, SystemdCall **ret) _must_check_ _nonnull_(1, 2, 3, 5, 7);
SystemdCall *systemd_call_free(SystemdCall *c); /* an unfinished one: @done is not called */
DEFINE_TRIVIAL_CLEANUP(SystemdCall *, systemd_call_free);

int systemd_watch_failures(Systemd *s, SystemdUnitFailed failed, void *userdata, SystemdWatch **ret)
        _must_check_ _nonnull_(1, 2, 4);
SystemdWatch *systemd_watch_free(SystemdWatch *w);
DEFINE_TRIVIAL_CLEANUP(SystemdWatch *, systemd_watch_free);

bool systemd_unit_name_is_valid(const char *unit) _nonnull_(1);
