/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the kernel says of itself in /proc/sys/kernel/tainted, and which of it is no sign. */

#include "daemon/taint.h"
#include "util/file.h"

/* Documentation/admin-guide/tainted-kernels.rst: P, F, O, C, E, K, X, N, J are set by loading modules. */
#define TAINT_BIT(n) (UINT64_C(1) << (n))
#define TAINT_OF_MODULES                                                                                     \
        (TAINT_BIT(0) | TAINT_BIT(1) | TAINT_BIT(10) | TAINT_BIT(12) | TAINT_BIT(13) | TAINT_BIT(15) |        \
         TAINT_BIT(16) | TAINT_BIT(18) | TAINT_BIT(19))
#define TAINT_WARN TAINT_BIT(9)

/** taint_read() - the taint bits of the kernel; all of them when they cannot be read */
uint64_t taint_read(const Kernel *k) {
        _cleanup_free_ char *line = NULL;
        char *end;
        uint64_t bits;

        if (file_read_line_at(kernel_root_fd(k), "proc/sys/kernel/tainted", &line) < 0)
                return UINT64_MAX;
        errno = 0;
        bits = strtoull(line, &end, 10);
        return errno != 0 || end == line || *end ? UINT64_MAX : bits;
}

/** taint_allowed() - the bits that are no sign in a trial that begins with these */
uint64_t taint_allowed(const TrialPolicy *policy, uint64_t before) {
        before |= TAINT_OF_MODULES;
        return policy->signs & TRIAL_SIGN_KERNEL_WARNING ? before : before | TAINT_WARN;
}
