/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Kernels and modules as packages ship them: plain ELF, packed, or, for kernels, packed inside a boot
 * image (Documentation/arch/x86/boot.rst, payload_offset).
 *
 * A plain file is mapped, not copied: a vmlinux with debug information has some hundred MiB, of which
 * one page is read. So a file that somebody shortens meanwhile ends the program; these are files of
 * the person who runs it. What the bytes mean is left to the caller.
 */

#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "livepatch/unpack.h"
#include "livepatch/vmlinuz.h"
#include "util/file.h"

static uint32_t read_le32(const uint8_t *p) {
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

static bool is_elf(const void *data, size_t size) {
        return size > sizeof(Elf64_Ehdr) && memcmp(data, ELFMAG, SELFMAG) == 0;
}

/** vmlinuz_done() - what was open is closed; pointers into it are void */
void vmlinuz_done(Vmlinuz *v) {
        if (v->mapped)
                (void) munmap(v->mapped, v->mapped_size);
        free(v->unpacked);
        *v = (Vmlinuz) { 0 };
}

static int file_map(const char *path, Vmlinuz *ret) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;
        void *data;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size == 0 || (uint64_t) st.st_size > VMLINUZ_FILE_MAX)
                return -EBADMSG;
        data = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
                return -errno;
        ret->data = ret->mapped = data;
        ret->size = ret->mapped_size = (size_t) st.st_size;
        return 0;
}

/* Documentation/arch/x86/boot.rst: where a bzImage of protocol 2.08 or later holds its payload */
static int bzimage_payload(const uint8_t *data, size_t size, const uint8_t **ret, size_t *ret_size) {
        size_t setup, offset, length;

        if (size < 0x250 || memcmp(data + 0x202, "HdrS", 4) != 0 || (data[0x206] | data[0x207] << 8) < 0x208)
                return -EBADMSG;
        setup = ((size_t) (data[0x1f1] ?: 4) + 1) * 512;
        offset = setup + read_le32(data + 0x248);
        length = read_le32(data + 0x24c);
        if (offset > size || length > size - offset || length < 8)
                return -EBADMSG;
        *ret = data + offset;
        /* The last four bytes are the unpacked size, except for gzip, which ends in it by itself. */
        *ret_size = (*ret)[0] == 0x1f ? length : length - 4;
        return 0;
}

static int payload_unpack(Vmlinuz *v) {
        const uint8_t *payload = v->data;
        size_t size = v->size;
        int r;

        if (!unpack_is_packed(payload, size)) {
                r = bzimage_payload(v->data, v->size, &payload, &size);
                if (r < 0)
                        return r;
        }
        r = unpack(payload, size, VMLINUZ_UNPACKED_MAX, &v->unpacked, &v->size);
        if (r < 0)
                return r;
        v->data = v->unpacked;
        (void) munmap(v->mapped, v->mapped_size);
        v->mapped = NULL;
        return is_elf(v->data, v->size) ? 0 : -EBADMSG;
}

/**
 * vmlinuz_open() - the ELF file that a kernel image or module file is or holds
 * @ret: to be given to vmlinuz_done(); begins with the magic bytes of an ELF file and is longer than
 *   its header
 *
 * Return: 0, -EBADMSG when it is or holds none, -EFBIG when it is too large, or another negative
 * errno.
 */
int vmlinuz_open(const char *path, Vmlinuz *ret) {
        _cleanup_vmlinuz_done_ Vmlinuz v = { 0 };
        int r = file_map(path, &v);

        if (r >= 0 && !is_elf(v.data, v.size))
                r = payload_unpack(&v);
        if (r < 0)
                return r;
        *ret = v;
        v = (Vmlinuz) { 0 };
        return 0;
}

/**
 * vmlinuz_unpack() - write down what vmlinuz_open() would give, for opening it again and again
 * @out: must not exist; on error it may be there
 *
 * Return: as vmlinuz_open().
 */
int vmlinuz_unpack(const char *path, const char *out) {
        _cleanup_vmlinuz_done_ Vmlinuz v = { 0 };
        _cleanup_close_ int fd = -EBADF;
        int r = vmlinuz_open(path, &v);

        if (r < 0)
                return r;
        fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0644);
        return fd < 0 ? -errno : file_write_all(fd, v.data, v.size);
}
