/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The container: a strict subset of ustar, in which a member list has exactly one encoding. */

#include <systemd/sd-bus.h>

#include "util/base.h"
#include "util/limits.h"

#define ARCHIVE_BLOCK 512U
#define ARCHIVE_MANIFEST "manifest.json"

/** struct ArchiveMember - where a member's bytes are in the file */
typedef struct ArchiveMember {
        char name[HOTPATCH_MEMBER_NAME_MAX + 1];
        uint64_t offset;
        uint64_t size;
} ArchiveMember;

/**
 * struct Archive - the members in the order of the file
 * @n_signatures: members[0] is the manifest, members[1 … n_signatures] are its signatures, the
 *   rest are payloads
 * @mtime: of the manifest's header, seconds since 1970
 */
typedef struct Archive {
        ArchiveMember members[HOTPATCH_MEMBERS_MAX];
        size_t n_members;
        size_t n_signatures;
        uint64_t mtime;
} Archive;

int archive_read(int fd, Archive *ret, sd_bus_error *error) _must_check_ _nonnull_(2);
bool archive_name_is_valid(const char *name) _nonnull_(1);
void archive_signature_name(size_t n, char ret[static HOTPATCH_MEMBER_NAME_MAX + 1]);
int archive_header_format(const char *name, uint64_t size, uint64_t mtime,
                uint8_t ret[static ARCHIVE_BLOCK]) _must_check_ _nonnull_(1);
