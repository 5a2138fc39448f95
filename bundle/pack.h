/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Writing bundles: manifest and payloads into a new file; one more signature into a copy. */

#include <systemd/sd-bus.h>

#include "bundle/manifest.h"
#include "util/base.h"

int pack_describe(int fd, ManifestMember *m, sd_bus_error *error) _must_check_ _nonnull_(2);
int pack_write(int fd_out, const Manifest *m, const int *member_fds, sd_bus_error *error)
        _must_check_ _nonnull_(2);
int pack_add_signature(int fd_in, const void *signature, size_t size, int fd_out, sd_bus_error *error)
        _must_check_ _nonnull_(2);
