/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is in force in the running kernel, and the two texts that say so. Pure: no I/O, no bus. */

#include <systemd/sd-id128.h>

#include "daemon/patch.h"
#include "livepatch/identity.h"

/**
 * struct Status - what is in force; everything is borrowed
 * @version: of hotpatchd
 * @patches: those in force, see status_is_in_force()
 * @changed_usec: CLOCK_REALTIME, since when this is so; 0: left out
 */
typedef struct Status {
        const char *version;
        sd_id128_t boot_id;
        const KernelIdentity *kernel;
        const Patch *const *patches;
        size_t n_patches;
        uint64_t changed_usec;
} Status;

bool status_is_in_force(const Patch *p, char *const *forced_modules) _nonnull_(1);
int status_fixes(const Status *s, char ***ret) _must_check_ _nonnull_(1, 2);
int status_lines(const Status *s, char **ret) _must_check_ _nonnull_(1, 2);
/* describe-status.c */
int status_json(const Status *s, char **ret) _must_check_ _nonnull_(1, 2);
