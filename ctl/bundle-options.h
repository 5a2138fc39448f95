/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Options of the verbs that work without the daemon: a table for each, values into a structure. */

#include "ctl/ctl.h"

typedef enum BundleOptionKind {
        OPTION_STRING, /* const char *; belongs to argv */
        OPTION_LIST,   /* char **, grows with each use; to be freed with strv_free() */
        OPTION_SWITCH, /* bool */
} BundleOptionKind;

/** struct BundleOption - @letter: 0 for none; @value: its name in the help; @offset: in the structure */
typedef struct BundleOption {
        const char *name;
        char letter;
        BundleOptionKind kind;
        const char *value;
        size_t offset;
        const char *help;
} BundleOption;

/** struct BundleVerb - one row below `bundle` or `key`; options end with an empty one */
typedef struct BundleVerb {
        const char *name;
        const char *args;
        const char *summary;
        const BundleOption *options;
        int (*run)(Ctl *ctl, const struct BundleVerb *verb, int argc, char *argv[]);
} BundleVerb;

int bundle_options_parse(const BundleVerb *verb, int argc, char *argv[], void *into, char ***ret_args)
        _must_check_ _nonnull_(1, 3, 4, 5);
int bundle_verbs_run(const char *name, const BundleVerb *verbs, size_t n, Ctl *ctl, int argc, char *argv[])
        _nonnull_(1, 2, 4, 6);
