/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reads what the machine is: from the kernel, the firmware's variables and the TPM's driver. Nothing is
 * asked of a service, so that the answer is the same at boot, in a rescue shell and in a test.
 *
 * A file that is not there is an answer (there is no UEFI, no TPM); one that cannot be read makes the fact
 * unknown and never fails the whole. What an unknown fact means is decided in rows.c.
 */

#include <fcntl.h>
#include <stdio_ext.h>

#include "eligibility/probe-internal.h"
#include "livepatch/identity.h"
#include "livepatch/lines.h"
#include "livepatch/symbolindex.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

/* UEFI specification 2.10, section 3.3: the global variables; efivarfs puts four bytes of attributes in
 * front of the value (Documentation/filesystems/efivarfs.rst). */
#define EFI_GLOBAL_GUID "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define EFI_VARIABLES "sys/firmware/efi/efivars/"
#define EFI_ATTRIBUTES_SIZE 4

/* kernel/stacktrace.c has it with CONFIG_HAVE_RELIABLE_STACKTRACE, and only then. */
#define RELIABLE_STACKS "stack_trace_save_tsk_reliable"

/* Return: the byte, or a negative errno; -EBADMSG when it is not one byte. */
static int efi_byte(int root_fd, const char *path) {
        _cleanup_free_ uint8_t *data = NULL;
        void *content;
        size_t size;
        int r;

        r = file_read_at(root_fd, path, EFI_ATTRIBUTES_SIZE + 1, &content, &size);
        if (r < 0)
                return r;
        data = content;
        return size == EFI_ATTRIBUTES_SIZE + 1 ? data[EFI_ATTRIBUTES_SIZE] : -EBADMSG;
}

static bool has_entries(int root_fd, const char *path) {
        int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *e;

        if (!d) {
                safe_close(fd);
                return false;
        }
        while ((e = readdir(d)))
                if (e->d_name[0] != '.')
                        return true;
        return false;
}

static SecureBoot probe_secure_boot(int root_fd) {
        int on, setup;

        if (faccessat(root_fd, "sys/firmware/efi", F_OK, 0) < 0)
                return errno == ENOENT ? SECURE_BOOT_NO_UEFI : SECURE_BOOT_UNKNOWN;
        on = efi_byte(root_fd, EFI_VARIABLES "SecureBoot-" EFI_GLOBAL_GUID);
        setup = efi_byte(root_fd, EFI_VARIABLES "SetupMode-" EFI_GLOBAL_GUID);
        /* Without the variable the firmware has no Secure Boot; without any, efivarfs is not mounted. */
        if (on == -ENOENT)
                return has_entries(root_fd, EFI_VARIABLES) ? SECURE_BOOT_OFF : SECURE_BOOT_UNKNOWN;
        if (on < 0)
                return SECURE_BOOT_UNKNOWN;
        if (on == 1)
                return SECURE_BOOT_ON;
        return setup == 1 ? SECURE_BOOT_SETUP : SECURE_BOOT_OFF;
}

/* Return: major version of the newest TPM, 0 when there is none, or a negative errno. */
static int probe_tpm(int root_fd) {
        int fd = openat(root_fd, "sys/class/tpm", O_RDONLY | O_DIRECTORY | O_CLOEXEC), newest = 0;
        _cleanup_closedir_ DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *e;

        if (!d) {
                safe_close(fd);
                return errno == ENOENT ? 0 : -errno;
        }
        while ((e = readdir(d))) {
                _cleanup_free_ char *path = NULL, *line = NULL;
                int version;

                if (!startswith(e->d_name, "tpm") || startswith(e->d_name, "tpmrm"))
                        continue;
                /* Documentation/ABI/stable/sysfs-class-tpm, since 5.6 */
                if (str_printf(&path, "%s/tpm_version_major", e->d_name) < 0)
                        return -ENOMEM;
                if (file_read_line_at(dirfd(d), path, &line) < 0)
                        continue;
                version = atoi(line);
                newest = version > newest ? version : newest;
        }
        return newest;
}

/* "MemTotal:        2031616 kB", the first line of the file (fs/proc/meminfo.c) */
static uint64_t probe_memory(int root_fd) {
        _cleanup_free_ char *line = NULL;
        unsigned long long kib;

        if (file_read_line_at(root_fd, "proc/meminfo", &line) < 0 || sscanf(line, "MemTotal: %llu kB", &kib) != 1 ||
            kib > UINT64_MAX / 1024)
                return 0;
        return (uint64_t) kib * 1024;
}

/* What the first plan of this boot found and kept. Return: 0 or a negative errno. */
static int stacks_from_index(const Kernel *k, Possession *ret) {
        _cleanup_symbol_index_free_ SymbolIndex *index = NULL;
        int r = symbol_index_load(k, &index);

        if (r < 0)
                return r;
        *ret = symbol_index_find(index, "vmlinux", RELIABLE_STACKS).matches > 0 ? POSSESSION_YES : POSSESSION_NO;
        return 0;
}

static Possession stacks_from_list(FILE *f) {
        _cleanup_free_ char *line = NULL;
        Possession found = POSSESSION_UNKNOWN;
        size_t room = 0;

        for (size_t i = 0; found != POSSESSION_YES && i < HOTPATCH_KALLSYMS_MAX && getline(&line, &room, f) >= 0; i++) {
                const char *rest = line;
                Word name;

                /* "ADDRESS TYPE NAME", and "[MODULE]" behind it for a module's */
                (void) word_next(&rest);
                (void) word_next(&rest);
                name = word_next(&rest);
                if (name.l > 0 && *rest == '\n')
                        found = word_is(name, RELIABLE_STACKS) ? POSSESSION_YES : POSSESSION_NO;
        }
        return found;
}

/**
 * eligibility_probe_stacks() - does the kernel trace stacks reliably?
 * @k: the kernel
 * @ret: the answer
 *
 * Without the index of a plan of this boot it reads /proc/kallsyms up to the function that makes it so, some ten
 * milliseconds; all of it, some hundred, on a kernel that does not have it. Each start of hotpatchd would wait for that.
 * The answer is the same as long as the kernel runs.
 *
 * Return: 0 or -ENOMEM.
 */
int eligibility_probe_stacks(const Kernel *k, Possession *ret) {
        _cleanup_fclose_ FILE *f = NULL;
        int fd, r = stacks_from_index(k, ret);

        if (r >= 0 || r == -ENOMEM)
                return r;
        fd = openat(kernel_root_fd(k), "proc/kallsyms", O_RDONLY | O_CLOEXEC);
        f = fd >= 0 ? fdopen(fd, "re") : NULL;
        if (!f) {
                safe_close(fd);
                *ret = POSSESSION_UNKNOWN;
                return fd >= 0 ? -ENOMEM : 0;
        }
        (void) __fsetlocking(f, FSETLOCKING_BYCALLER);
        *ret = stacks_from_list(f);
        return 0;
}

/**
 * eligibility_probe() - everything that is cheap to read and that no other part of hotpatch has to say
 * @k: the kernel
 * @ret: eligibility_facts_done() it; @stack_traces, policy, anchors and baseline are left to the caller
 *
 * Return: 0 or a negative errno.
 */
int eligibility_probe(const Kernel *k, EligibilityFacts *ret) {
        _cleanup_(eligibility_facts_done) EligibilityFacts f = { 0 };
        KernelIdentity identity = { 0 };
        KernelGates gates = { 0 };
        int root_fd = kernel_root_fd(k), r;

        r = kernel_identity(k, &identity);
        if (r < 0)
                return r;
        f.arch = TAKE_PTR(identity.arch);
        kernel_identity_done(&identity);
        r = kernel_gates(k, &gates);
        if (r < 0)
                return r;
        f.livepatch = gates.livepatch_supported;
        f.ftrace = gates.ftrace_enabled;
        f.signatures = gates.module_signature_required;
        f.lockdown = TAKE_PTR(gates.lockdown);
        kernel_gates_done(&gates);
        f.memory_bytes = probe_memory(root_fd);
        f.secure_boot = probe_secure_boot(root_fd);
        f.tpm = probe_tpm(root_fd);
        r = probe_virtualization(root_fd, &f.virtualization, &f.container);
        if (r < 0)
                return r;
        *ret = f;
        f = (EligibilityFacts) { 0 };
        return 0;
}

/** eligibility_facts_done() - free what the facts own */
void eligibility_facts_done(EligibilityFacts *f) {
        free(f->arch);
        free(f->lockdown);
        free(f->virtualization);
        free(f->denied);
        free(f->anchors_error);
        free(f->baseline_found);
        free(f->baseline_needed);
        *f = (EligibilityFacts) { 0 };
}
