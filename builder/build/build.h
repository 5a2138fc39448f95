/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One run of hotpatch-build: from diffs to everything a report or a bundle says. */

#include <systemd/sd-bus.h>

#include "builder/build/unit.h"
#include "builder/build/with.h"
#include "builder/findings.h"
#include "builder/source/compile.h"
#include "builder/source/fix.h"
#include "builder/source/tree.h"
#include "bundle/patchfile.h"

/**
 * struct BuildOptions - what the user asked for; nothing is owned, NULL: not given
 * @with: C files of the author that are linked into the module
 * @fixes: problems that are repaired, "ID" or "ID: SUMMARY"; none: the CVE numbers in the diffs
 * @explain: stop before anything is built, unless @output is given too
 */
typedef struct BuildOptions {
        TreeOptions tree;
        char *const *patches;
        char **with;
        char **fixes;
        const char *output;
        const char *id;
        const char *title;
        const char *severity;
        const char *stream;
        const char *sequence;
        const char *key;
        const char *certificate;
        const char *module_key;
        const char *module_certificate;
        const char *runtime_dir;
        bool explain;
        bool json;
        bool quiet;
        bool verbose;
} BuildOptions;

/** struct BuildTimes - wall clock, in microseconds */
typedef struct BuildTimes {
        uint64_t source_usec;   /* fetching, preparing and opening the tree */
        uint64_t compiler_usec; /* make and the compiler, for the objects and for the module */
        uint64_t analysis_usec; /* our own work on objects and images */
        uint64_t total_usec;
} BuildTimes;

/**
 * struct Build - what is known so far; all owned but @options
 * @patch: the module's table and the manifest's first half, as from a patch.json
 * @module: path of the finished module in @work_dir
 */
typedef struct Build {
        const BuildOptions *options;
        char *work_dir;
        Fix *fix;
        Tree *tree;
        Compiled compiled;
        Image *kernel;
        Image **modules; /* images that units share */
        size_t n_modules;
        BuildUnit *units;
        size_t n_units;
        Findings findings;
        With with;
        PatchFile *patch;
        char *module;
        BuildTimes times;
} Build;

int build_examine(Build *b, sd_bus_error *error) _must_check_ _nonnull_(1);
int build_require_effect(Build *b) _must_check_ _nonnull_(1);
int build_module(Build *b, sd_bus_error *error) _must_check_ _nonnull_(1);
void build_done(Build *b);

uint64_t build_now_usec(void);
