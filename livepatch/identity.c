/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which kernel runs, and what stands in the way of patching it.
 *
 * The release alone does not identify a kernel: with CONFIG_MODVERSIONS the kernel itself ignores
 * the release in a module's vermagic (same_magic(), kernel/module/version.c), and a distribution
 * may build the same release twice. The GNU build-id of vmlinux, which the kernel shows in
 * /sys/kernel/notes, does; so do the build-ids of modules in /sys/module/NAME/notes.
 *
 * The gates are read, not judged: which of them matters is the plan's decision.
 */

#include <fcntl.h>
#include <sys/utsname.h>

#include "livepatch/identity.h"
#include "livepatch/note.h"
#include "util/file.h"
#include "util/limits.h"

static int sysctl_or(const Kernel *k, const char *path, const char *fallback, char **ret) {
        int r = kernel_is_host(k) ? -ENOENT : file_read_line_at(kernel_root_fd(k), path, ret);

        if (r != -ENOENT)
                return r;
        *ret = strdup(fallback);
        return *ret ? 0 : -ENOMEM;
}

static int notes_build_id(const Kernel *k, const char *path, char **ret) {
        _cleanup_free_ void *notes = NULL;
        size_t size;
        int r;

        r = file_read_at(kernel_root_fd(k), path, HOTPATCH_NOTES_MAX, &notes, &size);
        return r < 0 ? r : build_id_note_parse(notes, size, ret);
}

/**
 * kernel_identity() - release, version, architecture and build-id of the kernel
 * @ret: to be emptied with kernel_identity_done()
 *
 * Of the running kernel uname(2) tells the first three; a captured tree has them in /proc/sys/kernel
 * (`arch` exists from 6.1 on; without it this machine's is taken).
 *
 * Return: 0 or a negative errno. A kernel without a build-id is no error.
 */
int kernel_identity(const Kernel *k, KernelIdentity *ret) {
        _cleanup_(kernel_identity_done) KernelIdentity i = {};
        struct utsname u;
        int r;

        if (uname(&u) < 0)
                return -errno;
        r = sysctl_or(k, "proc/sys/kernel/arch", u.machine, &i.arch);
        if (r < 0)
                return r;
        r = sysctl_or(k, "proc/sys/kernel/osrelease", u.release, &i.release);
        if (r < 0)
                return r;
        r = sysctl_or(k, "proc/sys/kernel/version", kernel_is_host(k) ? u.version : "", &i.version);
        if (r < 0)
                return r;
        r = notes_build_id(k, "sys/kernel/notes", &i.build_id);
        if (r == -ENOENT || r == -ENODATA) {
                i.build_id = strdup("");
                r = i.build_id ? 0 : -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret = i;
        i = (KernelIdentity) {};
        return 0;
}

/** kernel_identity_done() - free what a KernelIdentity owns */
void kernel_identity_done(KernelIdentity *i) {
        free(i->arch);
        free(i->release);
        free(i->version);
        free(i->build_id);
        *i = (KernelIdentity) {};
}

/* A switch that is missing is off: it belongs to something this kernel was built without. */
static int switch_read(const Kernel *k, const char *path, bool *ret) {
        _cleanup_free_ char *line = NULL;
        int r = file_read_line_at(kernel_root_fd(k), path, &line);

        if (r < 0 && r != -ENOENT)
                return r;
        *ret = r >= 0 && (streq(line, "1") || streq(line, "Y"));
        return 0;
}

/* "none [integrity] confidentiality": the word in brackets is in force
 * (security/lockdown/lockdown.c). The file lies on securityfs, which need not be mounted. */
static int lockdown_read(const Kernel *k, char **ret) {
        _cleanup_free_ char *line = NULL;
        const char *from, *to;
        int r = file_read_line_at(kernel_root_fd(k), "sys/kernel/security/lockdown", &line);

        if (r < 0 && r != -ENOENT)
                return r;
        from = r < 0 ? NULL : strchr(line, '[');
        to = from ? strchr(from, ']') : NULL;
        *ret = to ? strndup(from + 1, (size_t) (to - from - 1)) : strdup("none");
        return *ret ? 0 : -ENOMEM;
}

static int command_line_has(const Kernel *k, const char *word, bool *ret) {
        _cleanup_free_ void *content = NULL;
        char *rest, *token;
        int r = file_read_at(kernel_root_fd(k), "proc/cmdline", HOTPATCH_COMMAND_LINE_MAX, &content,
                        NULL);

        if (r < 0 && r != -ENOENT)
                return r;
        *ret = false;
        for (rest = content; rest && (token = strsep(&rest, " \t\n"));)
                *ret |= streq(token, word);
        return 0;
}

/**
 * kernel_gates() - what can stand in the way of any livepatch on this kernel
 * @ret: to be emptied with kernel_gates_done()
 *
 * Return: 0 or a negative errno.
 */
int kernel_gates(const Kernel *k, KernelGates *ret) {
        _cleanup_(kernel_gates_done) KernelGates g = {};
        bool enforced = false;
        int r;

        g.livepatch_supported = faccessat(kernel_root_fd(k), "sys/kernel/livepatch", F_OK, 0) >= 0;
        r = switch_read(k, "proc/sys/kernel/ftrace_enabled", &g.ftrace_enabled);
        if (r >= 0)
                r = switch_read(k, "sys/module/module/parameters/sig_enforce", &enforced);
        if (r >= 0)
                r = command_line_has(k, "hotpatch=off", &g.command_line_off);
        if (r >= 0)
                r = lockdown_read(k, &g.lockdown);
        if (r < 0)
                return r;
        /* Any lockdown demands signed modules: LOCKDOWN_MODULE_SIGNATURE is below integrity. */
        g.module_signature_required = enforced || !streq(g.lockdown, "none");
        *ret = g;
        g = (KernelGates) {};
        return 0;
}

/** kernel_gates_done() - free what KernelGates owns */
void kernel_gates_done(KernelGates *g) {
        free(g->lockdown);
        *g = (KernelGates) {};
}

/**
 * kernel_module_loaded() - whether a module is loaded, in whatever phase of its life
 *
 * /sys/module/NAME alone does not tell: built-in code with parameters has it too. Only a loaded
 * module has the attribute `initstate` (Documentation/ABI/stable/sysfs-module).
 *
 * Return: 1, 0, -EINVAL when @module is no module name, or another negative errno.
 */
int kernel_module_loaded(const Kernel *k, const char *module) {
        _cleanup_free_ char *path = NULL;
        int r = kernel_module_path("sys/module", module, "initstate", &path);

        if (r < 0)
                return r;
        if (faccessat(kernel_root_fd(k), path, F_OK, 0) >= 0)
                return 1;
        return errno == ENOENT ? 0 : -errno;
}

/**
 * kernel_module_build_id() - GNU build-id of a loaded module
 * @ret: lower-case hexadecimal; to be freed
 *
 * Return: 0, -ENOENT when the module is not loaded or carries no notes, -ENODATA when its notes
 * have no build-id, or another negative errno.
 */
int kernel_module_build_id(const Kernel *k, const char *module, char **ret) {
        _cleanup_free_ char *path = NULL;
        int r = kernel_module_path("sys/module", module, "notes/.note.gnu.build-id", &path);

        return r < 0 ? r : notes_build_id(k, path, ret);
}
