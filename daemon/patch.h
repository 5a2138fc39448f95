/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Every livepatch this machine knows, as the bus shows it: what the kernel has, merged with what is
 * wanted and what is staged.
 */

#include <systemd/sd-event.h>

#include "livepatch/patched.h"
#include "util/base.h"

typedef struct Manager Manager;
typedef struct Tripwire Tripwire;

typedef enum PatchState {
        PATCH_STAGED,
        PATCH_APPLYING,
        PATCH_TRANSITION,
        PATCH_ACTIVE,
        PATCH_REVERSING,
        PATCH_REMOVING,
        PATCH_PINNED,
        PATCH_INACTIVE,
        _PATCH_STATE_MAX,
        _PATCH_STATE_INVALID = -EINVAL,
} PatchState;

/**
 * struct Patch - one patch; all strings owned and never NULL
 * @recorded: there is an admitted record of it, so it is wanted
 * @trial_until_usec: CLOCK_REALTIME; 0: it is not on trial
 * @strikes: sentences, against its content; NULL: none
 * @restore_result, @restore_reason: what hotpatch-restore made of it in this boot
 * @retired_by: the baseline that contains it, when it is not wanted any more
 * @staged_key: which file of the spool title, module and so on were read from
 * @kept: it is in the set that is in place and in the next one, for nothing of it has changed; see patch_keep()
 * @objects: what it patches, while it is in the kernel
 * @tripwire: watched while the patch is loaded; NULL when not, or without tripwires
 */
typedef struct Patch {
        Manager *manager;
        char *id;
        char *title;
        char *severity;
        char *stream;
        char *module;
        uint64_t sequence;
        char **fixes;
        bool foreign;
        bool recorded;
        PatchState state;
        uint64_t applied_usec;
        uint64_t tripped;
        uint64_t trial_until_usec;
        const char *trial_kind; /* static; "": none */
        bool quarantined;
        char **strikes;
        char *restore_result;
        char *restore_reason;
        char *retired_by;
        char *digest;
        char *path;
        char *staged_key;
        bool kept;
        PatchedObject *objects;
        size_t n_objects;
        Tripwire *tripwire;
} Patch;

/** struct PatchSet - @sorted: by id */
typedef struct PatchSet {
        Patch **patches;
        size_t n_patches;
        bool sorted;
} PatchSet;

void patch_set_done(PatchSet *s);
int patches_refresh(Manager *m) _must_check_ _nonnull_(1);
Patch *patch_find(const PatchSet *s, const char *id);
const char *patch_state_to_string(PatchState s);
bool patches_pending(const Manager *m);
