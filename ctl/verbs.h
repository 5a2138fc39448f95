/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The command line: the tables of verbs and options, and what reads it. */

#include "ctl/ctl.h"

/* Options that not every verb takes. */
typedef enum OptionSet {
        OPTION_COMMON = 0,
        OPTION_NO_WAIT = 1 << 0,
        OPTION_ALLOW_DOWNGRADE = 1 << 1,
        OPTION_LINES = 1 << 2,
        OPTION_SINCE = 1 << 3,
        OPTION_OUTPUT = 1 << 5,
        OPTION_VEX = 1 << 6, /* what a VEX document says and how */
        OPTION_HISTORY = 1 << 4, /* filters that only make sense there */
        OPTION_ALLOW_REPLACE = 1 << 8,
        OPTION_WAIT_TRIAL = 1 << 12,
        OPTION_DRY_RUN = 1 << 9,
} OptionSet;

/**
 * struct VerbEntry - one row of the table of verbs
 * @name: what is typed
 * @args: what follows, for the help
 * @min, @max: how many arguments; @max UINT_MAX: any number
 * @options: those beyond the common ones
 * @own_options: the verb reads its options itself
 * @summary: one line for the help
 * @more: lines for the help of this verb; NULL: none
 */
typedef struct VerbEntry {
        const char *name;
        const char *args;
        unsigned min, max;
        unsigned options;
        bool own_options;
        Verb run;
        const char *summary;
        const char *more;
} VerbEntry;

/**
 * struct Option - one row of the table of options
 * @name, @letter: `--name`, `-l` (0: none)
 * @value: name of its value for the help; NULL: it has none
 * @value_optional: only `--name=value` gives it one
 * @set: OPTION_COMMON or the one bit that a verb must have
 * @apply: act on it; returns 0 or -EINVAL
 */
typedef struct Option {
        const char *name;
        char letter;
        const char *value;
        bool value_optional;
        OptionSet set;
        int (*apply)(Ctl *ctl, const char *value);
        const char *help;
} Option;

extern const VerbEntry ctl_verbs[];
extern const size_t n_ctl_verbs;
extern const Option ctl_options[];
extern const size_t n_ctl_options;

const VerbEntry *verb_find(const char *name);
int options_parse(Ctl *ctl, int argc, char *const argv[], const VerbEntry **ret_verb,
                char ***ret_args) _must_check_ _nonnull_(1, 3, 4, 5);
void help_print(const VerbEntry *verb);
