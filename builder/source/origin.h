/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the parts of a kernel come from: packages by name, or what the user gives and this machine has. */

#include <systemd/sd-bus.h>

#include "builder/source/tree.h"

/**
 * struct Origin - all owned
 * @key: name of the folder in the cache
 * @stamp: changes when what the user gave does; NULL: packages, which never change
 * @version: of the image package; NULL: any
 * @given: source of the user's, absolute; NULL: from packages
 * @given_folder: it is a folder and not a package
 * @source_version: of @given, for the provenance
 * @headers: installed ones, for a given source; NULL: from packages
 * @makefile: for the headers, as in struct KernelHeaders
 * @kernel: installed image; NULL: from packages
 * @modules: of that; NULL with it
 */
typedef struct Origin {
        char *key;
        char *stamp;
        char *version;
        char *given;
        bool given_folder;
        char *source_version;
        char *headers;
        char *makefile;
        char *kernel;
        char *modules;
} Origin;

int origin_find(const TreeOptions *o, const char *cache, Origin *ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3);
void origin_done(Origin *o);
