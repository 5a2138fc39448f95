/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a machine is, as far as it matters for hotpatches. */

#include "livepatch/kernel.h"

/** Possession - of a thing that cannot always be known */
typedef enum Possession {
        POSSESSION_UNKNOWN,
        POSSESSION_YES,
        POSSESSION_NO,
} Possession;

typedef enum SecureBoot {
        SECURE_BOOT_UNKNOWN,  /* UEFI, and its variables cannot be read */
        SECURE_BOOT_NO_UEFI,
        SECURE_BOOT_OFF,
        SECURE_BOOT_SETUP,    /* no platform key: anybody may enrol one */
        SECURE_BOOT_ON,
} SecureBoot;

/**
 * struct EligibilityFacts - strings owned; NULL where nothing is known
 * @arch: as uname -m
 * @stack_traces: the kernel traces the stacks of sleeping tasks reliably
 * @memory_bytes: MemTotal; 0: unknown
 * @lockdown: "none", "integrity", "confidentiality"
 * @signatures: the kernel takes only modules signed with a key it trusts
 * @tpm: major version of the newest; 0: none; negative: unknown
 * @virtualization: a word of systemd-detect-virt(1); "none" on bare metal
 * @container: the kernel is somebody else's
 * @denied: why the configuration does not allow hotpatches; NULL: it does
 * @n_anchors: certificates that are trusted to sign for; @anchors_error: why they cannot be read
 * @baseline: the newest baseline that was due is reached; @baseline_found, @baseline_needed: names
 */
typedef struct EligibilityFacts {
        char *arch;
        bool livepatch;
        bool ftrace;
        Possession stack_traces;
        uint64_t memory_bytes;
        SecureBoot secure_boot;
        char *lockdown;
        bool signatures;
        int tpm;
        char *virtualization;
        bool container;
        char *denied;
        size_t n_anchors;
        char *anchors_error;
        Possession baseline;
        char *baseline_found;
        char *baseline_needed;
} EligibilityFacts;

int eligibility_probe(const Kernel *k, EligibilityFacts *ret) _must_check_ _nonnull_(1, 2);
int eligibility_probe_stacks(const Kernel *k, Possession *ret) _must_check_ _nonnull_(1, 2);
void eligibility_facts_done(EligibilityFacts *f);
