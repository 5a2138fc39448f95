/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rules over a compared object: each looks at one thing and leaves findings. */

#include <systemd/sd-bus.h>

#include "builder/compare/changes.h"
#include "builder/image/image.h"
#include "builder/findings.h"

/**
 * struct RuleInput - one object of the fix
 * @changes: callers of changed functions that cannot be redirected become changed, too, and what is gone
 *   after initialisation no longer counts
 */
typedef struct RuleInput {
        Changes *changes;
        const Image *image;       /* of the kernel or module that the object is part of */
        const Image *kernel;      /* vmlinux */
        const char *before_path;  /* the compiled files, with DWARF */
        const char *after_path;
        const char *work_dir;     /* for files of the rules' own */
} RuleInput;

int rules_check(const RuleInput *in, Findings *findings, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
