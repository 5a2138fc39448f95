/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From unpacked source to a tree in which single objects can be compiled as the kernel's were. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * struct Preparation
 * @release: as uname -r
 * @folder: unpacked source; written to
 * @headers: with the kernel's own .config, Module.symvers and generated headers
 * @compiler: for make's CC=
 */
typedef struct Preparation {
        const char *release;
        const char *folder;
        const char *headers;
        const char *compiler;
        bool verbose;
} Preparation;

int prepare_check_headers(const char *release, const char *headers, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
int prepare_tree(const Preparation *p, sd_bus_error *error) _must_check_ _nonnull_(1);
