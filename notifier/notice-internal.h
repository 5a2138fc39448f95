/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the topics share, notice-*.c: each decides one or two of them. */

#include "notifier/notice.h"
#include "notifier/text.h"

/* notice.c */
void notice_wake_at(uint64_t *wake_usec, uint64_t usec, uint64_t now_usec) _nonnull_(1);
bool notice_is_grave(const char *severity) _nonnull_(1);
const char *notice_title(const MachinePatch *p, const char *id) _nonnull_(2);
int notice_fixes(const MachinePatch *p, char **ret) _must_check_ _nonnull_(1, 2);
int notice_fill_count(char **to, Text text, uint64_t n) _must_check_ _nonnull_(1);
int notice_end_list(Notice *n, size_t count) _must_check_ _nonnull_(1);

/* notice-fixes.c */
int decide_applied(const Machine *before, const Machine *machine, uint64_t now_usec, NoticeSet *set)
        _must_check_ _nonnull_(1, 2, 4);
int decide_rolled_back(const Machine *machine, Notice **ret) _must_check_ _nonnull_(1, 2);

/* notice-tripwire.c */
int decide_tripwire(const Machine *before, const Machine *machine, uint64_t now_usec, NoticeSet *set)
        _must_check_ _nonnull_(1, 2, 4);

/* notice-restart.c */
int decide_restart(const Machine *m, uint64_t now_usec, Notice **ret, uint64_t *wake_usec)
        _must_check_ _nonnull_(1, 3, 4);
int decide_deadline(const Machine *m, uint64_t now_usec, Notice **ret, uint64_t *wake_usec)
        _must_check_ _nonnull_(1, 3, 4);

/* notice-track.c */
int decide_track(const Machine *m, uint64_t now_usec, Notice **ret, uint64_t *wake_usec)
        _must_check_ _nonnull_(1, 3, 4);
