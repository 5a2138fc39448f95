/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The build-id of a kernel that need not run here.
 *
 * Debian's headers do not have it; it is in the vmlinux that the boot image holds in packed form
 * (Documentation/arch/x86/boot.rst, payload_offset), in that of a debug package, and, for the kernel
 * that runs, in /sys/kernel/notes. An image counts only if the banner in it names the release.
 * Several places that disagree are a refusal: a package was updated and the machine not restarted,
 * and only the person knows which of the two is meant.
 */

#include <elf.h>
#include <endian.h>
#include <fts.h>

#include "ctl/bundle-kernel.h"
#include "livepatch/identity.h"
#include "livepatch/modulefile.h"
#include "livepatch/note.h"
#include "livepatch/vmlinuz.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

/* The PT_NOTE segments of a 64-bit little-endian vmlinux. */
static int elf_build_id(const uint8_t *data, size_t size, char **ret) {
        Elf64_Ehdr eh;

        memcpy(&eh, data, sizeof(eh));
        if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB ||
            eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phoff > size)
                return -EBADMSG;
        for (size_t i = 0; i < eh.e_phnum && (i + 1) * sizeof(Elf64_Phdr) <= size - eh.e_phoff; i++) {
                Elf64_Phdr ph;

                memcpy(&ph, data + eh.e_phoff + i * sizeof(ph), sizeof(ph));
                if (ph.p_type != PT_NOTE || ph.p_offset > size || ph.p_filesz > size - ph.p_offset)
                        continue;
                if (build_id_note_parse(data + ph.p_offset, ph.p_filesz, ret) >= 0)
                        return 0;
        }
        return -ENODATA;
}

/* init/version.c: "Linux version RELEASE (" */
static bool has_banner(const uint8_t *data, size_t size, const char *release) {
        _cleanup_free_ char *banner = NULL;

        return str_printf(&banner, "Linux version %s (", release) >= 0 && memmem(data, size, banner, strlen(banner));
}

/* Returns 0, -ENOENT for an image of another release, -EBADMSG for none that we understand. */
static int image_build_id(const char *path, const char *release, char **ret) {
        _cleanup_vmlinuz_done_ Vmlinuz v = { 0 };
        int r = vmlinuz_open(path, &v);

        if (r < 0)
                return r;
        if (!has_banner(v.data, v.size, release))
                return -ENOENT;
        return elf_build_id(v.data, v.size, ret);
}

/** struct Finding - a build-id and where it was found */
typedef struct Finding {
        char *build_id;
        char *path;
} Finding;

static void finding_done(Finding *f) {
        free(f->build_id);
        free(f->path);
}

static int finding_add(Finding *f, char *build_id, const char *where, const char *release, sd_bus_error *error) {
        _cleanup_free_ char *id = build_id;

        if (!f->build_id) {
                f->path = strdup(where);
                f->build_id = TAKE_PTR(id);
                return f->path ? 0 : -ENOMEM;
        }
        if (streq(f->build_id, id))
                return 0;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelBuildIdUnknown"),
                "'%s' and '%s' are different builds of the kernel '%s'", f->path, where, release);
}

/* Images that the person named: one of them must be of that release. */
static int look_into_images(const KernelSources *s, const char *release, Finding *f, sd_bus_error *error) {
        for (char **i = s->images; i && *i; i++) {
                char *id;
                int r = image_build_id(*i, release, &id);

                if (r == -ENOENT && access(*i, F_OK) == 0)
                        continue;
                if (r < 0)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelBuildIdUnknown"),
                                "No build-id can be found in '%s': %s", *i,
                                r == -EBADMSG ? "it is no kernel image of a known form"
                                : r == -ENODATA ? "it has none" : strerror(-r));
                r = finding_add(f, id, *i, release, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int look_at_running(const char *release, Finding *f, sd_bus_error *error) {
        _cleanup_kernel_free_ Kernel *k = NULL;
        _cleanup_(kernel_identity_done) KernelIdentity id = { 0 };

        if (kernel_new("/", NULL, NULL, &k) < 0 || kernel_identity(k, &id) < 0 || !*id.build_id ||
            !streq(id.release, release))
                return 0;
        return finding_add(f, TAKE_PTR(id.build_id), "/sys/kernel/notes", release, error);
}

static int look_into_system(const KernelSources *s, const char *release, Finding *f, sd_bus_error *error) {
        static const char *const places[] = {
                "%s/boot/vmlinuz-%s",
                "%s/boot/vmlinux-%s",
                "%s/lib/modules/%s/vmlinuz",
                "%s/lib/modules/%s/build/vmlinux",
                "%s/usr/lib/debug/boot/vmlinux-%s",
                "%s/usr/lib/debug/lib/modules/%s/vmlinux",
        };
        int r = s->root ? 0 : look_at_running(release, f, error);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(places); i++) {
                _cleanup_free_ char *path = NULL;
                char *id;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                if (str_printf(&path, places[i], strempty(s->root), release) < 0)
                        return -ENOMEM;
#pragma GCC diagnostic pop
                /* Places that were not asked for may hold anything. */
                if (image_build_id(path, release, &id) >= 0)
                        r = finding_add(f, id, path, release, error);
        }
        for (char **h = s->headers; r >= 0 && h && *h; h++) {
                _cleanup_free_ char *path = NULL;
                char *id;

                if (str_printf(&path, "%s/vmlinux", *h) < 0)
                        return -ENOMEM;
                if (image_build_id(path, release, &id) >= 0)
                        r = finding_add(f, id, path, release, error);
        }
        return r;
}

static const char *given_build_id(const KernelSources *s, const char *release) {
        for (char **i = s->build_ids; i && *i; i++) {
                const char *rest = startswith(*i, release);

                if (rest && *rest == '=')
                        return rest + 1;
        }
        return NULL;
}

/**
 * kernel_sources_build_id() - build-id of the vmlinux of a kernel release
 * @ret: lower-case hexadecimal; to be freed
 * @error: KernelBuildIdUnknown
 *
 * Looks at what the person gave first (build-ids, then images), else at this system.
 *
 * Return: 0 or a negative errno.
 */
int kernel_sources_build_id(const KernelSources *s, const char *release, char **ret, sd_bus_error *error) {
        _cleanup_(finding_done) Finding f = { 0 };
        const char *given = given_build_id(s, release);
        int r;

        if (given) {
                *ret = strdup(given);
                return *ret ? 0 : -ENOMEM;
        }
        r = look_into_images(s, release, &f, error);
        if (r >= 0 && !f.build_id)
                r = look_into_system(s, release, &f, error);
        if (r < 0)
                return r;
        if (!f.build_id)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelBuildIdUnknown"),
                        "The build-id of the kernel '%s' is not known: none of its images was found", release);
        *ret = TAKE_PTR(f.build_id);
        return 0;
}

/* A kernel package that was unpacked and not installed has no modules.dep yet. */
static int module_path_walked(const char *folder, const char *module, char **ret) {
        _cleanup_free_ char *kernel = NULL;
        FTS *fts;
        int r = -ENOENT;

        if (str_printf(&kernel, "%s/kernel", folder) < 0)
                return -ENOMEM;
        fts = fts_open((char *[]) { kernel, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        if (!fts)
                return -errno;
        for (FTSENT *e = fts_read(fts); e && r == -ENOENT; e = fts_read(fts))
                if (e->fts_info == FTS_F && module_file_is(e->fts_path, e->fts_pathlen, module)) {
                        *ret = strdup(e->fts_path);
                        r = *ret ? 0 : -ENOMEM;
                }
        (void) fts_close(fts);
        return r;
}

static int module_path(const KernelSources *s, const char *release, const char *module, char **ret) {
        _cleanup_free_ char *folder = NULL;
        int r;

        if (str_printf(&folder, "%s/lib/modules/%s", strempty(s->root), release) < 0)
                return -ENOMEM;
        r = module_file_find(folder, module, ret);
        return r < 0 ? module_path_walked(folder, module, ret) : r;
}

/**
 * kernel_sources_module_build_id() - build-id of a module that belongs to a kernel release
 * @ret: lower-case hexadecimal; to be freed
 *
 * Return: 0, -ENOENT when the module is not installed here, or another negative errno.
 */
int kernel_sources_module_build_id(
                const KernelSources *s, const char *release, const char *module, char **ret) {
        _cleanup_free_ char *path = NULL;
        int r = module_path(s, release, module, &path);

        return r < 0 ? r : module_file_build_id(path, ret);
}
