/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* hotpatchd.conf(5): /usr/lib/hotpatch < /etc/hotpatch < drop-ins. */

#include "bundle/trust.h"
#include "config/baseline-policy.h"
#include "config/checks.h"
#include "config/trial-policy.h"
#include "util/base.h"

/**
 * struct ConfigOrigin - where the value of one key comes from
 * @where: "FILE:LINE" of each place that contributed, in the order of reading; NULL: it is the default
 * @strictest: what stands there cannot be read, and the strictest value is taken
 */
typedef struct ConfigOrigin {
        char **where;
        bool strictest;
} ConfigOrigin;

/**
 * struct Config - the configuration as it is in effect
 * @trust: what bundles must satisfy
 * @hotpatch: hotpatches are allowed on this machine
 * @require: bits 1 << EligibilityCheck: what must hold beside what the kernel itself needs
 * @preview_architectures: where hotpatching is not proved yet and is wanted all the same; NULL: none
 * @ring: the ring of this machine; NULL: none
 * @forbid: patterns of functions that are not replaced, see plan-policy.c; NULL: none
 * @forbid_unreadable: one of them, or a file that may have some, cannot be read
 * @transition_timeout_usec: after that a transition is reversed; 0: never
 * @freeze_after_usec: after that blocking units are frozen for a moment; 0: never
 * @freeze_exclude: globs of units that are not frozen, beside those of freeze-policy.c; NULL: none
 * @freeze_exclude_unreadable: one of them, or a file that may have some, cannot be read: freeze none
 * @trial: how patches are watched after they came into force
 * @baseline: the year
 * @idle_timeout_usec: the daemon exits when nothing happened for so long
 * @origins: one for each key, see config_setting()
 * @n_ref: who began something keeps the configuration that it began with
 */
typedef struct Config {
        TrustPolicy trust;
        bool hotpatch;
        unsigned require;
        char **preview_architectures;
        char *ring;
        char **forbid;
        bool forbid_unreadable;
        uint64_t transition_timeout_usec;
        uint64_t freeze_after_usec;
        char **freeze_exclude;
        bool freeze_exclude_unreadable;
        TrialPolicy trial;
        BaselinePolicy baseline;
        uint64_t idle_timeout_usec;
        ConfigOrigin *origins;
        unsigned n_ref;
} Config;

/**
 * struct ConfigSetting - one key, to be shown
 * @value: as it is in effect, in the words of the file; owned
 * @fallback: the default
 * @origin: where @value comes from; lives as long as the Config
 */
typedef struct ConfigSetting {
        const char *section;
        const char *name;
        char *value;
        const char *fallback;
        const ConfigOrigin *origin;
} ConfigSetting;

int config_load(const char *root, Config **ret, char ***ret_warnings) _must_check_ _nonnull_(1, 2, 3);
int config_check(const char *root, const char *path, char ***ret_warnings) _must_check_ _nonnull_(1, 2, 3);
Config *config_ref(Config *c) _nonnull_(1);
Config *config_unref(Config *c);
DEFINE_TRIVIAL_CLEANUP(Config *, config_unref);
#define _cleanup_config_ _cleanup_(config_unrefp)

size_t config_n_settings(void);
int config_setting(const Config *c, size_t i, ConfigSetting *ret) _must_check_ _nonnull_(1, 3);
void config_setting_done(ConfigSetting *s);
const char *config_distrusted(const Config *c, const char *section, const char *name) _nonnull_(1, 2, 3);
int config_denial(const Config *c, char **ret) _must_check_ _nonnull_(1, 2);
