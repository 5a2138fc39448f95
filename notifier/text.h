/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The words of hotpatch-notifier, and how what others wrote is put into them. */

#include "util/base.h"

typedef enum Text {
        TEXT_NONE, /* for tables; never shown */
        TEXT_APP_NAME,
        TEXT_APPLIED_ONE,
        TEXT_APPLIED_MANY,
        TEXT_APPLIED_FIXES,
        TEXT_APPLIED_TRIAL,
        TEXT_APPLIED_DONE,
        TEXT_ROLLED_BACK_ONE,
        TEXT_ROLLED_BACK_MANY,
        TEXT_ROLLED_BACK_ITEM,
        TEXT_ROLLED_BACK_OPEN,
        TEXT_TRIPWIRE,
        TEXT_TRIPWIRE_ONCE,
        TEXT_TRIPWIRE_TIMES,
        TEXT_TRIPWIRE_DETAILS,
        TEXT_RESTART_PLANNED,
        TEXT_RESTART_SOON,
        TEXT_RESTART_NOW,
        TEXT_RESTART_WAITS,
        TEXT_RESTART_NEEDED,
        TEXT_RESTART_BY_CALENDAR,
        TEXT_RESTART_BY_ADMINISTRATOR,
        TEXT_RESTART_SAVE,
        TEXT_RESTART_DETAILS,
        TEXT_DEADLINE,
        TEXT_DEADLINE_TIME,
        TEXT_DEADLINE_RESTART,
        TEXT_DEADLINE_INSTALL,
        TEXT_TRACK,
        TEXT_TRACK_ENDED,
        TEXT_TRACK_BASELINE_FAILED,
        TEXT_TRACK_QUARANTINED,
        TEXT_TRACK_DETAILS,
        TEXT_MORE,
        TEXT_DEFERRED,
        TEXT_DEFERRED_UNTIL,
        TEXT_NOT_DEFERRED,
        TEXT_NOT_RESTARTED,
        TEXT_NOT_ALLOWED,
        TEXT_ACTION_RESTART,
        TEXT_ACTION_LATER,
        TEXT_ACTION_DETAILS,
        TEXT_TODAY,
        TEXT_TOMORROW,
        TEXT_ON_DAY,
        _TEXT_MAX,
} Text;

const char *text_of(Text text);
int text_fill(char **ret, Text text, ...) _must_check_ _nonnull_(1) __attribute__((sentinel));
int text_append(char **to, Text text, ...) _must_check_ _nonnull_(1) __attribute__((sentinel));
int text_append_line(char **to, const char *line) _must_check_ _nonnull_(1, 2);
char *text_clean(const char *text, size_t max) _must_check_ _nonnull_(1);
char *text_escape(const char *text) _must_check_ _nonnull_(1);
int text_time(char **ret, uint64_t usec, uint64_t now_usec) _must_check_ _nonnull_(1);
