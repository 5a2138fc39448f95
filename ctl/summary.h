/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The answer to "am I safe, what is running, what must I do?", made from a Snapshot alone. */

#include "ctl/snapshot.h"

typedef enum Level {
        LEVEL_OK,        /* nothing to do */
        LEVEL_ATTENTION, /* something waits for a person, or is under way */
        LEVEL_ALERT,     /* something is wrong */
        _LEVEL_MAX,
} Level;

/**
 * struct Summary - strings owned
 * @behind: a fix that is known is not in force for sure, or none can come
 * @todo: most urgent first, empty if nothing is to be done
 */
typedef struct Summary {
        Level level;
        bool behind;
        char *safety;
        char *running;
        char **todo;
} Summary;

int summary_make(const Snapshot *s, Summary **ret) _must_check_ _nonnull_(1, 2);
Summary *summary_free(Summary *s);
DEFINE_TRIVIAL_CLEANUP(Summary *, summary_free);
#define _cleanup_summary_ _cleanup_(summary_freep)

const char *level_to_string(Level level);
