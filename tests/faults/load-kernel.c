/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * load-kernel KERNEL INITRD WORDS: what the next restart by kexec starts, as kexec(8) with -s does it. It is here because a guest
 * has no kexec-tools, and one system call is all that is needed of them.
 */

#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
        int kernel, initrd;

        if (argc != 4) {
                fprintf(stderr, "usage: %s KERNEL INITRD WORDS\n", argv[0]);
                return 2;
        }
        kernel = open(argv[1], O_RDONLY | O_CLOEXEC);
        initrd = open(argv[2], O_RDONLY | O_CLOEXEC);
        if (kernel < 0 || initrd < 0) {
                perror("open");
                return 1;
        }
        if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[3]) + 1, argv[3], 0UL) < 0) {
                perror("kexec_file_load");
                return 1;
        }
        return 0;
}
