/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file system that is only for the kernel's own use must not be mountable. As root. */
#include "../probe.h"

#include <sys/mount.h>
#include <sys/syscall.h>

int main(void) {
        int fs = need("fsopen", syscall(SYS_fsopen, "pipefs", 0));

        need("fsconfig", syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
        answer("fsmount", syscall(SYS_fsmount, fs, 0, 0));
        return 0;
}
