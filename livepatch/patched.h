/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which objects of an enabled livepatch are patched now, from /sys/kernel/livepatch. */

#include "livepatch/kernel.h"

typedef enum PatchedState {
        PATCHED_WAITING, /* its module is not loaded; it is patched when it is */
        PATCHED_YES,
        PATCHED_NO,      /* loaded, and not patched */
        _PATCHED_STATE_MAX,
        _PATCHED_STATE_INVALID = -EINVAL,
} PatchedState;

/** struct PatchedObject - `vmlinux` or a module; @name is owned */
typedef struct PatchedObject {
        char *name;
        PatchedState state;
} PatchedObject;

const char *patched_state_to_string(PatchedState s);
int livepatch_patched(const Kernel *k, const char *module, PatchedObject **ret, size_t *ret_n)
        _must_check_ _nonnull_(1, 2, 3, 4);
void patched_objects_free(PatchedObject *objects, size_t n);
