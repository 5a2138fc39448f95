/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tasks that hold a transition up: read, told, and as JSON. */

#include "ctl/json.h"

/** struct BlockerInfo - one task; strings are never NULL */
typedef struct BlockerInfo {
        uint32_t pid, tid;
        char *command;
        char *unit;     /* "kernel thread" for one of those; empty: none */
        char *reason;   /* sleeping, running, unreliable-stack; empty: not known */
        char *function; /* empty: not known */
        char *advice;
} BlockerInfo;

typedef struct BlockerList {
        BlockerInfo *items;
        size_t n;
} BlockerList;

void blocker_list_done(BlockerList *l) _nonnull_(1);
int blocker_list_read(sd_bus_message *m, BlockerList *l) _must_check_ _nonnull_(1, 2);
int blocker_list_lines(const BlockerList *l, const char *note, char ***ret) _must_check_ _nonnull_(1, 3);
int blocker_list_to_value(const BlockerList *l, Value **ret) _must_check_ _nonnull_(1, 2);
