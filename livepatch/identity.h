/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which kernel runs: release, architecture, build-ids, and the gates it has closed. */

#include "livepatch/kernel.h"

/** struct KernelIdentity - all strings owned; build_id is lower-case hexadecimal */
typedef struct KernelIdentity {
        char *arch;     /* uname -m */
        char *release;  /* uname -r */
        char *build_id; /* NT_GNU_BUILD_ID of /sys/kernel/notes; "" when the kernel has none */
        char *version;  /* uname -v; "" in a captured tree that does not have it */
} KernelIdentity;

/** struct KernelGates - what can stand in the way of any livepatch */
typedef struct KernelGates {
        bool livepatch_supported;        /* /sys/kernel/livepatch exists */
        bool ftrace_enabled;             /* /proc/sys/kernel/ftrace_enabled */
        bool module_signature_required;  /* module.sig_enforce, or lockdown */
        char *lockdown;                  /* "none", "integrity", "confidentiality" */
        bool command_line_off;           /* hotpatch=off on /proc/cmdline */
} KernelGates;

int kernel_identity(const Kernel *k, KernelIdentity *ret) _must_check_ _nonnull_(1, 2);
void kernel_identity_done(KernelIdentity *i);
int kernel_gates(const Kernel *k, KernelGates *ret) _must_check_ _nonnull_(1, 2);
void kernel_gates_done(KernelGates *g);

int kernel_module_loaded(const Kernel *k, const char *module) _must_check_ _nonnull_(1, 2);
int kernel_module_build_id(const Kernel *k, const char *module, char **ret) _must_check_
                _nonnull_(1, 2, 3);
