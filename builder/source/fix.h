/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Fixes as people have them: unified diffs against the kernel source. */

#include <systemd/sd-bus.h>

#include "bundle/digest.h"
#include "util/base.h"

/** struct FixFile - one file that the fix touches; path below the tree's root, checked */
typedef struct FixFile {
        char *path;
        bool added;
        bool removed;
} FixFile;

/**
 * struct FixDiff - what one diff says about one file
 * @file: index in Fix.files
 * @source: index in Fix.paths
 * @line: of the first hunk, counted from 1
 * @hunks: their text with the "@@" lines, as read, without file headers
 */
typedef struct FixDiff {
        size_t file;
        size_t source;
        size_t line;
        size_t n_hunks;
        char *hunks;
        bool adds;
        bool removes;
} FixDiff;

/**
 * struct Fix - one or several diffs, in order
 * @subject: of a mail or commit in the first one, without "[PATCH]"; optional
 * @cves: CVE numbers that the texts name, sorted, each once
 * @files: each once, in the order of their first diffs
 * @diffs: in the order in which they are to be applied; several may be about one file
 * @sha256: of the files' bytes, one after the other
 */
typedef struct Fix {
        char **paths;
        char *subject;
        char **cves;
        FixFile *files;
        size_t n_files;
        FixDiff *diffs;
        size_t n_diffs;
        uint8_t sha256[DIGEST_SIZE];
} Fix;

int fix_read(char *const *paths, Fix **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
Fix *fix_free(Fix *f);
DEFINE_TRIVIAL_CLEANUP(Fix *, fix_free);
#define _cleanup_fix_free_ _cleanup_(fix_freep)

/** fix_find() - the file of a path, or NULL */
const FixFile *fix_find(const Fix *f, const char *path) _nonnull_(1, 2);
