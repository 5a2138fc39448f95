/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the kernel does with livepatches right now, from /sys/kernel/livepatch and /sys/module
 * (Documentation/ABI/testing/sysfs-kernel-livepatch).
 */

#include "livepatch/kernel.h"
#include "livepatch/note.h"

typedef enum LivepatchState {
        LIVEPATCH_ABSENT,     /* no module of that name */
        LIVEPATCH_INACTIVE,   /* loaded, no livepatch directory, no users: can be unloaded */
        LIVEPATCH_PATCHING,   /* enabled=1 transition=1 */
        LIVEPATCH_PATCHED,    /* enabled=1 transition=0 */
        LIVEPATCH_UNPATCHING, /* enabled=0 transition=1 */
        LIVEPATCH_HELD,       /* no livepatch directory, but a reference or no exit function: on its way, or pinned */
        _LIVEPATCH_STATE_MAX,
        _LIVEPATCH_STATE_INVALID = -EINVAL,
} LivepatchState;

const char *livepatch_state_to_string(LivepatchState s);

int livepatch_state(const Kernel *k, const char *module, LivepatchState *ret) _must_check_
                _nonnull_(1, 2, 3);
int livepatch_is_coming(const Kernel *k, const char *module) _must_check_ _nonnull_(1, 2);
bool livepatch_is_permanent(const Kernel *k, const char *module) _nonnull_(1, 2);
int livepatch_list(const Kernel *k, char ***ret) _must_check_ _nonnull_(1, 2);
int livepatch_transition_running(const Kernel *k, char **ret_module) _must_check_ _nonnull_(1);
int livepatch_set_enabled(const Kernel *k, const char *module, bool enabled) _must_check_
                _nonnull_(1, 2);
int livepatch_force(const Kernel *k, const char *module) _must_check_ _nonnull_(1, 2);
int livepatch_note(const Kernel *k, const char *module, PatchNote *ret) _must_check_
                _nonnull_(1, 2, 3);
int livepatch_progress(const Kernel *k, bool patched, unsigned *ret_done, unsigned *ret_total)
        _must_check_ _nonnull_(1, 3, 4);
int livepatch_tripwire_open(const Kernel *k, const char *module) _must_check_ _nonnull_(1, 2);
