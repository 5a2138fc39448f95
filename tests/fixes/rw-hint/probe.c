/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The write hint of a file that can never be written. As root; makes a file in the current folder,
 * whose file system must know the immutable flag. */
#include "../probe.h"

#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>

int main(void) {
        char path[] = "probe-XXXXXX";
        int f = need("mkstemp", mkstemp(path)), flags, immutable;
        uint64_t hint = RWH_WRITE_LIFE_SHORT;

        need("FS_IOC_GETFLAGS", ioctl(f, FS_IOC_GETFLAGS, &flags));
        immutable = flags | FS_IMMUTABLE_FL;
        need("FS_IOC_SETFLAGS", ioctl(f, FS_IOC_SETFLAGS, &immutable));
        answer("hint", fcntl(f, F_SET_RW_HINT, &hint));
        need("FS_IOC_SETFLAGS", ioctl(f, FS_IOC_SETFLAGS, &flags));
        unlink(path);
        return 0;
}
