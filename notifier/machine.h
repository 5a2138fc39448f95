/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What hotpatchd says about the machine, as far as it becomes a notification. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/** struct MachineFinding - strings are never NULL */
typedef struct MachineFinding {
        char *kind;
        char *severity; /* alert, attention, info */
        char *patch;
        char *object;
        char *sentence;
        char *remedy;
} MachineFinding;

/** struct MachineReason - why the machine has to be restarted */
typedef struct MachineReason {
        char *id; /* forced, packages, pinned, baseline */
        char *sentence;
} MachineReason;

/** struct MachineRollback - a patch that failed its trial and is not in force again */
typedef struct MachineRollback {
        char *patch;
        uint64_t when_usec;
        char *reason;
} MachineRollback;

/** struct MachinePatch - properties of org.hotpatch.Hotpatch1.Patch; strings are never NULL */
typedef struct MachinePatch {
        char *id;
        char *title;
        char *severity;
        char *state;
        char **fixes;
        uint64_t applied_usec;
        uint64_t trial_until_usec;
        uint64_t tripped;
        bool foreign;
        bool wanted;
        bool quarantined;
} MachinePatch;

/** struct Machine - times are CLOCK_REALTIME; 0: never */
typedef struct Machine {
        char *baseline_state;
        char *baseline_name;
        char *baseline_text;
        uint64_t covered_until_usec;
        uint64_t restart_usec;
        char *restart_by; /* calendar, administrator; empty: none is planned */
        char *restart_waits;
        MachineFinding *findings;
        size_t n_findings;
        MachineReason *reasons;
        size_t n_reasons;
        MachineRollback *rollbacks;
        size_t n_rollbacks;
        MachinePatch *patches;
        size_t n_patches;
} Machine;

int machine_new(Machine **ret) _must_check_ _nonnull_(1);
Machine *machine_free(Machine *m);
DEFINE_TRIVIAL_CLEANUP(Machine *, machine_free);
#define _cleanup_machine_ _cleanup_(machine_freep)

int machine_read_manager(Machine *m, sd_bus_message *reply) _must_check_ _nonnull_(1, 2);
int machine_read_objects(Machine *m, sd_bus_message *reply) _must_check_ _nonnull_(1, 2);

const MachinePatch *machine_patch(const Machine *m, const char *id) _nonnull_(2);
bool machine_patch_is_active(const MachinePatch *p) _nonnull_(1);
