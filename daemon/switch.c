/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The two switches: a word on the kernel command line, for a machine that does not start, and a file
 * for one that does. Neither needs configuration to be readable, or a daemon to run.
 */

#include <fcntl.h>

#include "daemon/switch.h"
#include "livepatch/identity.h"

static const char disable_file[] = "etc/hotpatch/disable";

/** switch_off_reason() - why hotpatching is off, the rest of a sentence; NULL: it is on, or nobody can tell */
const char *switch_off_reason(const Kernel *k) {
        KernelGates gates;
        bool off;

        if (faccessat(kernel_root_fd(k), disable_file, F_OK, AT_SYMLINK_NOFOLLOW) >= 0)
                return "the file /etc/hotpatch/disable exists";
        if (kernel_gates(k, &gates) < 0)
                return NULL;
        off = gates.command_line_off;
        kernel_gates_done(&gates);
        return off ? "'hotpatch=off' is on the kernel command line" : NULL;
}
