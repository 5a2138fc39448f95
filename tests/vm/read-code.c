/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * read-code OBJECT FUNCTION NUMBER SIZE MASKED: the code of a function of the running kernel
 *
 * OBJECT is `vmlinux` or a module, NUMBER counts the functions of that name in /proc/kallsyms from 0, MASKED
 * is "OFFSET+SIZE,…" or "-": these bytes are written as zeros. SIZE bytes go to standard output; exit
 * status 1 when there are not so many functions of that name.
 */

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Functions only: t, T, w, W. Returns 0 when there is none. */
static unsigned long find(const char *object, const char *function, long number) {
        char line[1024], name[600], module[100];
        unsigned long address;
        char type;
        FILE *f = fopen("/proc/kallsyms", "r");

        if (!f)
                exit(2);
        while (fgets(line, sizeof(line), f)) {
                strcpy(module, "vmlinux");
                if (sscanf(line, "%lx %c %599s [%99[^]]]", &address, &type, name, module) >= 3 &&
                    strchr("tTwW", type) && strcmp(name, function) == 0 && strcmp(module, object) == 0 &&
                    number-- == 0)
                        return address;
        }
        return 0;
}

/* /proc/kcore is a core file of the kernel's address space. */
static int read_memory(unsigned long address, unsigned char *buffer, size_t size) {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        int fd = open("/proc/kcore", O_RDONLY);

        if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
                return -1;
        for (int i = 0; i < header.e_phnum; i++)
                if (pread(fd, &segment, sizeof(segment), (off_t) (header.e_phoff + i * sizeof(segment))) ==
                    sizeof(segment) && segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
                    address - segment.p_vaddr < segment.p_memsz)
                        return pread(fd, buffer, size, (off_t) (segment.p_offset + (address - segment.p_vaddr))) ==
                                (ssize_t) size ? 0 : -1;
        return -1;
}

int main(int argc, char **argv) {
        static unsigned char code[1 << 20];
        unsigned long address, offset, length, size;
        char *end;

        if (argc != 6 || (size = strtoul(argv[4], NULL, 10)) > sizeof(code))
                return 2;
        address = find(argv[1], argv[2], strtol(argv[3], NULL, 10));
        if (address == 0)
                return 1;
        if (read_memory(address, code, size) < 0)
                return 2;
        for (char *p = argv[5]; sscanf(p, "%lu+%lu", &offset, &length) == 2; p = end + 1) {
                if (offset > size || length > size - offset)
                        return 2;
                memset(code + offset, 0, length);
                end = strchr(p, ',');
                if (!end)
                        break;
        }
        return fwrite(code, 1, size, stdout) == size && fflush(stdout) == 0 ? 0 : 2;
}
