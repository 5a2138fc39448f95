/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* hotpatchd.conf(5): /usr/lib/hotpatch < /etc/hotpatch < drop-ins. */

#include "bundle/trust.h"
#include "daemon/trial-policy.h"
#include "util/base.h"

/**
 * struct Config
 * @trust: what bundles must satisfy
 * @forbid: patterns of functions that are not replaced, see plan-policy.c; NULL: none
 * @forbid_unreadable: one of them, or a file that may have some, cannot be read
 * @transition_timeout_usec: after that a transition is reversed; 0: never
 * @freeze_after_usec: after that blocking units are frozen for a moment; 0: never
 * @freeze_exclude: globs of units that are not frozen, beside those of freeze-policy.c; NULL: none
 * @freeze_exclude_unreadable: one of them, or a file that may have some, cannot be read: freeze none
 * @trial: how patches are watched after they came into force
 * @idle_timeout_usec: the daemon exits when nothing happened for so long
 */
typedef struct Config {
        TrustPolicy trust;
        char **forbid;
        bool forbid_unreadable;
        uint64_t transition_timeout_usec;
        uint64_t freeze_after_usec;
        char **freeze_exclude;
        bool freeze_exclude_unreadable;
        TrialPolicy trial;
        uint64_t idle_timeout_usec;
} Config;

int config_load(const char *root, Config *ret, char ***ret_warnings) _must_check_ _nonnull_(1, 2, 3);
void config_done(Config *c);
