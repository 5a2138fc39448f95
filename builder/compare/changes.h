/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a fix changed, told from the object compiled before and the one compiled after it. */

#include <systemd/sd-bus.h>

#include "builder/object/object.h"
#include "builder/findings.h"

typedef enum ChangeKind {
        CHANGE_NONE, /* not compared: undefined, section symbols, what only init or modpost reads */
        CHANGE_SAME,
        CHANGE_CHANGED,
        CHANGE_NEW,
} ChangeKind;

/**
 * struct SymbolChange - of one symbol of the object after the fix
 * @before: the symbol it was; 0: it is new. Undefined symbols are correlated too
 * @why: for changed functions, what differs first, in words ("calls 'ns_capable' at +0x42"); owned
 * @inlined: for changed functions, source functions that the fix touches and that were inlined here
 */
typedef struct SymbolChange {
        ChangeKind kind;
        uint32_t before;
        char *why;
        char **inlined;
} SymbolChange;

/**
 * struct Changes - all of one object
 * @symbols: for each symbol of @after
 * @after_of: for each symbol of @before its counterpart in @after; 0: it is gone
 */
typedef struct Changes {
        const Object *before; /* not owned */
        const Object *after;  /* not owned */
        SymbolChange *symbols;
        uint32_t *after_of;
} Changes;

int changes_find(const Object *before, const Object *after, Changes **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3);
Changes *changes_free(Changes *c);
DEFINE_TRIVIAL_CLEANUP(Changes *, changes_free);
#define _cleanup_changes_free_ _cleanup_(changes_freep)

